"""``kdaudit label``: write the rows whose labels an audit needs."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import AuditPath
from kdaudit.cli.progress import stages
from kdaudit.cli.say import say


def label(
    audit: AuditPath = Path("audit.toml"),
    *,
    sample: Annotated[
        int,
        typer.Option(
            "--sample", metavar="N", min=0, help="Rows to draw of those on which all agree."
        ),
    ] = 200,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help=r"File to write (csv); default \[data.labels] path."),
    ] = None,
) -> None:
    """Write the rows to label: those on which the models differ, and a random sample of the others.

    People fill in the last column; answers are not shown. Rows on which all models answer alike
    change no difference between them, so most need no label.
    """
    from kdaudit.labelling import write_rows_to_label

    with stages() as stage:
        made = write_rows_to_label(audit, out=out, sample=sample, progress=stage)
    kept = f", and {made.kept:,} have their label already" if made.kept else ""
    say(
        f"{made.blank:,} of {made.rows:,} rows to label: the models differ on {made.apart:,}, "
        f"{made.drawn:,} were drawn of the others{kept}"
    )
    if made.weights is not None:
        say(f"weights: {made.weights}")
    say(f"fill in: {made.path}")
