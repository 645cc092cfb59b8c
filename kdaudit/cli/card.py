"""``kdaudit card``: render stored results again."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.errors import ConfigError

Format = Annotated[
    str, typer.Option("--format", help="card (HTML), markdown, junit, terminal, or a plugin's.")
]


def card(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write; default standard output.")
    ] = None,
    kind: Format = "card",
) -> None:
    """Render the stored results of a run again, as a card or in another form."""
    from kdaudit.evidence.store import write_atomically
    from kdaudit.registry import report
    from kdaudit.run_folder import RunFolder

    stored = RunFolder(folder)
    text = report(kind)(stored.results(), stored.run())
    if out is None:
        typer.echo(text, nl=False)
    elif out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file to write, e.g. {out / 'card.html'}")
    else:
        write_atomically(out, text.encode())
