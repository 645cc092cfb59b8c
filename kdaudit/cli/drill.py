"""``kdaudit drill``: plant known harms in the audited rows and count how often they are seen."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import AsJson, AuditPath, Out, StudentName
from kdaudit.cli.progress import stages
from kdaudit.cli.say import say


def drill(
    audit: AuditPath = Path("audit.toml"),
    *,
    trials: Annotated[
        int | None,
        typer.Option(
            "--replicates",
            metavar="N",
            min=30,
            help="Resamples of each harm; default 100, fewer beyond 20,000 rows.",
        ),
    ] = None,
    out: Out = None,
    student: StudentName = None,
    as_json: AsJson = False,
) -> None:
    """Say what the audit could not have seen: plant known harms and count who notices.

    Slices lose accuracy, confidence grows, a group is favoured less, abstention is lost. The audit
    must have been carried out; no model runs again, and the card tells of the drill from then on.
    """
    from kdaudit.drill.table import as_text
    from kdaudit.drilling import drill_audit
    from kdaudit.results_file import dump

    with stages() as stage:
        done = drill_audit(audit, out=out, student=student, trials=trials, progress=stage)
    say(dump(done.drill) if as_json else as_text(done.drill), newline=False)
    say(f"card: {done.folder.card}", error=as_json)
