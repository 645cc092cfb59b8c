"""``kdaudit distill``: train the models of one recipe, with its controls."""

from pathlib import Path
from typing import Annotated

import typer


def distill(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="The recipe.", show_default=True)
    ] = Path("recipe.toml"),
) -> None:
    """Train a student by its recipe, with controls and seeds, into a model folder.

    An interrupted run resumes; a finished one is reused.
    """
    from kdaudit.cli.progress import stages
    from kdaudit.execute import train

    with stages() as stage:
        done = train(recipe, stage)
    typer.echo(f"{done.trained_steps:,} steps trained just now")
    typer.echo(f"model folder: {done.folder}")
