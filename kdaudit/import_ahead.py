"""Libraries that take seconds to import, imported while the data are read."""

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from threading import Thread

from kdaudit.plan import Plan


def import_ahead(plan: Plan) -> None:
    """Begin to import what the suites of an audit compute with, and come back at once.

    Whoever needs one of them imports it as ever, and waits for the rest of it at most; and meets
    what went wrong here: a process that ends early lets nothing be imported to its end.
    """
    names = ["scipy.optimize"]
    if plan.file.data.sensitive and any(suite.name == "fairness" for suite in plan.suites):
        names.append("fairlearn.metrics")
    Thread(target=_import_all, args=(names,), name="imports").start()


def _import_all(names: Sequence[str]) -> None:
    with suppress(Exception):
        for name in names:
            import_module(name)
