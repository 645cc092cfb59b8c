"""``kdaudit card``: render stored results again."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import Format, Output
from kdaudit.cli.output import write


def card(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Output = None,
    kind: Format = "card",
) -> None:
    """Render the stored results of a run again, as a card or in another form."""
    from kdaudit.registry import report
    from kdaudit.run_folder import RunFolder

    stored = RunFolder(folder)
    text = report(kind)(stored.results(), stored.run())
    write(text, out)
