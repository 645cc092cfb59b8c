"""Libraries that take seconds to import, imported while the data are read."""

from importlib import import_module
from threading import Thread

from kdaudit.plan import Plan


def import_ahead(plan: Plan) -> None:
    """Begin to import what the suites of an audit compute with, and come back at once.

    Whoever needs one of them imports it as ever, and waits for the rest of it at most.
    """
    names = ["scipy.optimize"]
    if plan.file.data.sensitive and any(suite.name == "fairness" for suite in plan.suites):
        names.append("fairlearn.metrics")
    Thread(target=lambda: [import_module(name) for name in names], name="imports").start()
