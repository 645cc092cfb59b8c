"""``kdaudit lock``: write down contract, data and options before there are results."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import AuditPath
from kdaudit.cli.say import say


def lock(
    audit: AuditPath = Path("audit.toml"),
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="File to write; default lock.json beside AUDIT."),
    ] = None,
) -> None:
    """Lock contract, data, seed and options; `run --lock FILE` refuses whatever changed since."""
    from kdaudit.lock.promise import lock as write_down

    path = out or audit.parent / "lock.json"
    locked = write_down(audit, path)
    checks = sum(check.declared for check in locked.contract)
    say(f"locked {checks} declared checks on {locked.rows:,} rows at {locked.made}")
    if locked.decisions:
        times = "once" if locked.decisions == 1 else f"{locked.decisions:,} times"
        say(
            f"these rows have decided {times} already: a lock made now does not show that the "
            "contract came first",
            error=True,
        )
    say(f"lock: {path}")
