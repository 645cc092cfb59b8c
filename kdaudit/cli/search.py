"""``kdaudit search``: try many points of a recipe, and write the best as a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import AsJson
from kdaudit.cli.say import say


def search(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="The recipe.", show_default=True)
    ] = Path("recipe.toml"),
    *,
    contract: Annotated[
        bool,
        typer.Option(
            "--contract",
            help="Maximise a classifier's smallest slack over the contract's checks instead.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The best recipe; default best.toml beside RECIPE."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search over the fields of a recipe; looks at the validation split, never at the audit split.

    Maximises accuracy, or the log-probability per token of a language model. Writes the best
    recipe, which `kdaudit distill` trains with its controls, and a plot against parameters. An
    interrupted search goes on; several processes and machines may share one.
    """
    from kdaudit.cli.progress import stages
    from kdaudit.searching import as_json as listed
    from kdaudit.searching import as_text, search_recipe

    with stages() as stage:
        done = search_recipe(recipe, contract=contract, out=out, progress=stage)
    say((listed if as_json else as_text)(done), newline=False)
    say(f"best recipe: {done.recipe}", error=as_json)
