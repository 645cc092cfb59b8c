"""What ``run`` and ``audit`` share: audit, write the folder, print the decision, exit by it."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from kdaudit.cli.progress import stages
from kdaudit.cli.say import say
from kdaudit.errors import KdauditError

if TYPE_CHECKING:
    from kdaudit.execute import Executed, ExecutedAll, Request


def decide_and_exit(audit: Path, request: "Request", *, as_json: bool) -> NoReturn:
    """Carry out an audit file and exit with the outcome's code."""
    from kdaudit.execute import execute_all

    with stages() as stage:
        try:
            done = execute_all(audit, request, stage)
        except SystemExit as error:  # a model's code that exits must not end an audit with 0
            raise RuntimeError(f"audited code called exit({error.code!r})") from error
    only = next(iter(done.pairs.values()))
    if len(done.pairs) > 1 or isinstance(only, KdauditError):
        _say_each(done, as_json=as_json)
    else:
        _say_one(only, as_json=as_json)
    raise typer.Exit(int(done.exit_code))


def preview_and_exit(audit: Path, request: "Request", *, as_json: bool) -> NoReturn:
    """Print what there is to do, and do none of it."""
    from kdaudit.preview import as_json as listed
    from kdaudit.preview import as_text, preview

    shown = preview(audit, request)
    say(listed(shown) if as_json else as_text(shown), newline=False)
    raise typer.Exit


def _say_one(done: "Executed", *, as_json: bool) -> None:
    from kdaudit.registry import report
    from kdaudit.results_file import dump

    if as_json:
        say(dump(done.audited.results), newline=False)
    else:
        say(report("terminal")(done.audited.results, done.run), newline=False)
        _say_rows(done)
    say(f"{done.closing} card: {done.folder.card}", error=as_json)


def _say_each(done: "ExecutedAll", *, as_json: bool) -> None:
    from kdaudit.students import as_json as every
    from kdaudit.students import comparison, word

    for name, one in done.pairs.items():
        if isinstance(one, KdauditError):
            say(f"{name}: {word(one)}: {one}", error=as_json)
        else:
            _say_rows(one, f"{name}, ")
            say(f"{name}: {one.closing} card: {one.folder.card}", error=as_json)
    if as_json:
        say(every(done.results), newline=False)
    else:
        say(f"\n{comparison(done.results)}")
    say(f"{done.closing} card: {done.table}", error=as_json)


def _say_rows(done: "Executed", whose: str = "") -> None:
    for role, rows in done.audited.predicted.items():
        kept = done.audited.reused.get(role)
        from_store = "" if kept is None else f", {kept:,} from the store"
        speaks = any(who == role and one.speaks for who, one in done.audited.asked.items())
        did = "requests asked" if speaks else "rows run"
        say(f"{whose}{role}: {rows:,} {did}{from_store}", error=True)
