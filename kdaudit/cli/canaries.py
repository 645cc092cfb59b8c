"""``kdaudit canaries``: secrets to plant in training text, and the data that look for them."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.say import say


def canaries(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Data file to write (jsonl).")],
    text: Annotated[Path, typer.Argument(metavar="TEXT", help="Lines to plant, to write (jsonl).")],
    *,
    count: Annotated[
        int, typer.Option("--count", "-n", help="How many; half are planted, half the control.")
    ] = 48,
    copies: Annotated[
        str, typer.Option(help="How often a planted one is repeated, in turn.")
    ] = "1,4,16",
    choices: Annotated[
        int, typer.Option(help="Codes a model is asked about, the true one among them.")
    ] = 128,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
) -> None:
    """Write secrets to plant in a teacher's training text; never over an existing file."""
    from kdaudit.errors import ConfigError
    from kdaudit.language.canaries import write_canaries

    try:
        times = [int(part) for part in copies.split(",")]
    except ValueError:
        raise ConfigError(f"--copies is whole numbers, e.g. 1,4,16; got {copies!r}") from None
    lines = write_canaries(data, text, count, times, choices, seed)
    say(
        f"wrote {count} canaries to {data} and {lines} lines to plant to {text}; train the teacher "
        "on them among its text, and audit its student with [suites.memorisation]"
    )
