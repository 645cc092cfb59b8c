"""``kdaudit power``: what the checks can show, before any model runs and after an audit."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import AsJson
from kdaudit.cli.say import say


def power(
    target: Annotated[
        Path, typer.Argument(metavar="AUDIT|RUN", help="An audit file, or a run folder.")
    ] = Path("audit.toml"),
    *,
    discordance: Annotated[
        list[float] | None,
        typer.Option(
            "--discordance",
            metavar="SHARE",
            help="Assumed share of rows that only one model gets right; may be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say per check: rows, chance to pass, tightest limit, harm that would be seen, rows needed.

    Of an audit file before any model runs: from the rows, at assumed shares of differing answers.
    Of a run folder: at what was seen.
    """
    from kdaudit.power.planning import power_of
    from kdaudit.power.table import as_json as listed
    from kdaudit.power.table import as_text

    shown, alpha = power_of(target, tuple(discordance or ()))
    say((listed if as_json else as_text)(shown, alpha), newline=False)
