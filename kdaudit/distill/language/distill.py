"""Distil a language model: read the recipe, ask the teacher, train every arm, write the folder."""

from pathlib import Path

from kdaudit.distill.distill import Distilled
from kdaudit.distill.language.arms import run
from kdaudit.distill.language.export import export, written_by_us
from kdaudit.distill.language.recipe import read_language_recipe
from kdaudit.distill.language.task import prepare
from kdaudit.distill.recipe import out_folder
from kdaudit.distill.training.runtime import Runtime
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import file_digest
from kdaudit.models.folder import refuse_foreign, write_folder
from kdaudit.models.pretrained import require
from kdaudit.models.torch import threads
from kdaudit.progress import Progress, silent


def distill_language(path: Path, *, store: Store, progress: Progress = silent) -> Distilled:
    """Make the folder that a recipe with a ``[language]`` table describes.

    Killed at any moment and called again, it goes on where it stood and ends with the same weights;
    called once more, it trains nothing.

    Args:
        path: the recipe.
        store: of what the teacher wrote and said, and of checkpoints.
        progress: shows how far it is.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    recipe, base = read_language_recipe(path), path.parent
    require("transformers", "hf", "[language]")
    folder = out_folder(path, recipe)
    refuse_foreign(folder, written_by_us(folder))
    with threads(recipe.train.threads):
        runtime = Runtime()
        with runtime.main_first():
            task = prepare(recipe, base, store, progress)
        runs = [
            run(task, kind, seed, store=store, progress=progress)
            for kind in recipe.kinds
            for seed in recipe.seeds
        ]
        files, lineage = export(task, runs, folder.name, file_digest(path))
    if runtime.main:
        write_folder(folder, files, written_by_us(folder))
    runtime.wait()
    return Distilled(
        folder=folder, lineage=lineage, trained_steps=sum(one.steps_now for one in runs)
    )
