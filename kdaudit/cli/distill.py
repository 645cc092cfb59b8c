"""``kdaudit distill``: train the models of one recipe, with its controls."""

from pathlib import Path
from typing import Annotated

import typer


def distill(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="The recipe.", show_default=True)
    ] = Path("recipe.toml"),
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be trained, and train nothing.")
    ] = False,
) -> None:
    """Train a student by its recipe, with controls and seeds, into a model folder.

    An interrupted run resumes; a finished one is reused. Under torchrun or `accelerate launch`
    several processes share every batch.
    """
    from kdaudit.cli.progress import main_process, stages
    from kdaudit.cli.say import say
    from kdaudit.execute import train

    if dry_run:
        from kdaudit.preview import training, training_text

        say(f"Nothing was trained.\n{training_text(training(recipe, recipe.name))}")
        return
    with stages() as stage:
        done = train(recipe, stage)
    if not main_process():
        return
    say(f"{done.trained_steps:,} steps trained just now")
    for line in done.notes:
        say(line)
    say(f"model folder: {done.folder}")
