"""``kdaudit gate``: decide stored results again, under the stored contract or another."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import AsJson, Format, Output, PolicyName
from kdaudit.cli.output import write
from kdaudit.cli.say import say


def gate(
    target: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, or its results.json.")
    ],
    *,
    contract: Annotated[
        Path | None,
        typer.Option("--contract", metavar="AUDIT", help="Decide by the contract of this file."),
    ] = None,
    policy: PolicyName = None,
    kind: Format = "terminal",
    out: Output = None,
    as_json: AsJson = False,
) -> None:
    """Decide stored results again: no rows, no models, no suites are needed.

    Without --contract the stored verdicts must follow from the stored findings. Nothing in the
    run folder is changed.
    """
    from kdaudit.gate import gate as decide
    from kdaudit.registry import report
    from kdaudit.results_file import dump

    done = decide(target, contract, policy)
    text = dump(done.results) if as_json else report(kind)(done.results, done.run)
    write(text, out)
    say(f"decided {done.run.decided_by}", error=True)
    machine = out is None and (as_json or kind != "terminal")
    say(f"{done.closing} card: {done.path}", error=machine)
    raise typer.Exit(done.results.exit_code)
