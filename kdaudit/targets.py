"""``kdaudit targets``: what the store holds for a recipe, and recording what it lacks."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from kdaudit.errors import ConfigError
from kdaudit.evidence.store import Store
from kdaudit.progress import Progress, silent

if TYPE_CHECKING:
    from kdaudit.distill.targets.holdings import Holding

SHORT = 12  # letters of a digest


def targets_of(
    recipe: Path, *, record: bool = False, progress: Progress = silent
) -> "list[Holding]":
    """The targets of a recipe, split by split.

    Args:
        recipe: the recipe.
        record: ask its teachers first about every row that is not in the store.
        progress: shows how far it is.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    try:
        from kdaudit.distill.targets.holdings import holdings
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed; pip install 'kdaudit[distill]'"
        ) from error
    from kdaudit.distill.recipe import read_recipe
    from kdaudit.models.torch import threads

    read = read_recipe(recipe)
    # As many threads as training has: the last bit of an answer depends on them.
    with threads(read.train.threads):
        store = Store.beside((recipe.parent / read.audit).parent)
        return holdings(recipe, store=store, record=record, progress=progress)


def as_text(found: "Sequence[Holding]") -> str:
    """A few lines for each set of targets."""
    lines = [line for one in found for line in _lines(one)]
    missing = sum(one.rows - one.recorded for one in found)
    lines.append(
        f"{missing:,} rows are missing: the same command with --record asks for them"
        if missing
        else "complete: training runs no teacher for these"
    )
    return "\n".join(lines) + "\n"


def as_json(found: "Sequence[Holding]") -> str:
    """The same for a machine."""
    told = [{**asdict(one), "complete": one.complete} for one in found]
    return json.dumps(told, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _lines(one: "Holding") -> list[str]:
    rows = one.split if one.variant == "as-is" else f"{one.split}, {one.variant}"
    size = "in a file" if one.bytes is None else f"{one.bytes:,} bytes"
    temperatures = ", ".join(f"{t:g}" for t in one.temperatures) or "any"
    k = f" k = {one.k}," if one.k is not None else ""
    lines = [
        f"{rows}: {one.recorded:,} of {one.rows:,} rows, {size}",
        (
            f"  kind {one.kind},{k} {one.classes:,} classes, {one.dtype}, usable at "
            f"T = {temperatures}"
        ),
        f"  teacher {one.teacher}, digest {one.model[:SHORT]}; evidence {one.evidence[:SHORT]}",
    ]
    if one.accuracy is not None:
        lines.append(f"  the teacher is right on {one.accuracy:.4f} of them")
    return lines + [f"  {name}: {text}" for name, text in one.said.items() if name != "kind"]
