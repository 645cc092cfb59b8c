"""``kdaudit probes``: questions of which nothing true can be said, as a data file."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.say import say


def probes(
    path: Annotated[Path, typer.Argument(metavar="DATA", help="File to write (jsonl).")],
    count: Annotated[int, typer.Option("--count", "-n", help="How many questions.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the made-up names.")] = 0,
) -> None:
    """Write questions without a true answer; never over an existing file."""
    from kdaudit.language.probes import write_probes

    write_probes(path, count, seed)
    say(
        f"wrote {count} questions to {path}; let teacher and student answer each, and name the "
        "files as `generations`"
    )
