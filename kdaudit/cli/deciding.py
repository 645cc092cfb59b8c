"""What ``run`` and ``audit`` share: audit, write the folder, print the decision, exit by it."""

from pathlib import Path

import typer

from kdaudit.cli.progress import stages
from kdaudit.run_folder import RENDERED


def decide_and_exit(
    audit: Path, out: Path | None, policy: str | None, *, retime: bool, as_json: bool, train: bool
) -> None:
    """Carry out an audit file and exit with the outcome's code."""
    from kdaudit.execute import execute
    from kdaudit.registry import report
    from kdaudit.results_file import dump

    with stages() as stage:
        try:
            done = execute(audit, out, policy=policy, train=train, retime=retime, progress=stage)
        except SystemExit as error:  # a model's code that exits must not end an audit with 0
            raise RuntimeError(f"audited code called exit({error.code!r})") from error
    results = done.audited.results
    if as_json:
        typer.echo(dump(results), nl=False)
    else:
        typer.echo(report("terminal")(results, done.run), nl=False)
        for role, rows in done.audited.predicted.items():
            kept = done.audited.reused.get(role)
            from_store = "" if kept is None else f", {kept:,} from the store"
            typer.echo(f"{role}: {rows:,} rows run{from_store}", err=True)
    assert set(RENDERED) >= {done.folder.card.name}
    typer.echo(f"{done.closing} card: {done.folder.card}", err=as_json)
    raise typer.Exit(results.exit_code)
