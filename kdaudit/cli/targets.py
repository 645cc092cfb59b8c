"""``kdaudit targets``: what the store holds of the teacher's answers, for one recipe."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import AsJson
from kdaudit.cli.say import say


def targets(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="The recipe.", show_default=True)
    ] = Path("recipe.toml"),
    *,
    record: Annotated[
        bool, typer.Option("--record", help="Ask the teacher about every row that is missing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the stored answers a recipe learns from: rows, kind, size, teacher, accuracy.

    With --record they are completed first; training then never runs the teacher, so the two models
    need not be in memory together. An interrupted recording goes on.
    """
    from kdaudit.cli.progress import stages
    from kdaudit.targets import as_json as listed
    from kdaudit.targets import as_text, targets_of

    with stages() as stage:
        found = targets_of(recipe, record=record, progress=stage)
    say((listed if as_json else as_text)(found), newline=False)
