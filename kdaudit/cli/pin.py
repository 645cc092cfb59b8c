"""``kdaudit pin``: from a slice that a search found to a check of the contract."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.say import say


def pin(
    slice_address: Annotated[
        str,
        typer.Argument(metavar="SLICE", help="As the card prints it: 'SLC004[channel=web]'."),
    ],
    place: Annotated[
        Path, typer.Argument(metavar="RUN|AUDIT", help="The run folder, or the audit file.")
    ],
    margin: Annotated[
        float | None,
        typer.Option(help="Worse than the teacher by at most this; default: the contract's own."),
    ] = None,
    at_least: Annotated[
        float | None, typer.Option("--at-least", help="The student's accuracy there, instead.")
    ] = None,
) -> None:
    """Add a check of a confirmed slice to the audit file; the rest of the file stays as it is."""
    from kdaudit.pin import pin as write

    done = write(slice_address, place, margin=margin, at_least=at_least)
    say(f"added to {done.path}:\n\n{done.entry}", newline=False)
    if done.advice:
        say(f"\n{done.advice}")
