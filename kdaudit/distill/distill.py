"""Distil a student: read the recipe, ask the teacher once, train every arm, write the folder."""

from dataclasses import dataclass
from pathlib import Path

from kdaudit.distill.compare import said
from kdaudit.distill.export import export
from kdaudit.distill.generations import run
from kdaudit.distill.recipe import out_folder, read_recipe
from kdaudit.distill.task import prepare
from kdaudit.distill.training.runtime import Runtime
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import file_digest
from kdaudit.lineage import Lineage
from kdaudit.models.folder import refuse_foreign, write_folder
from kdaudit.models.torch import threads
from kdaudit.progress import Progress, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Distilled:
    """What a recipe made.

    Attributes:
        folder: the model folder, with ``controls/<kind>`` in it.
        lineage: its history.
        trained_steps: optimiser steps run just now; 0 where everything was in the store.
    """

    folder: Path
    lineage: Lineage
    trained_steps: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What the seeds show of the method, and which arms are not taken to have converged."""
        arms = [arm for arm in self.lineage.arms if arm.unconverged]
        return (
            *(said(one) for one in self.lineage.comparisons),
            *(f"{arm.kind}, seed {arm.seed}, not converged: {arm.unconverged}" for arm in arms),
        )


def distill(recipe_path: Path, *, store: Store, progress: Progress = silent) -> Distilled:
    """Make the model folder that a recipe describes.

    Killed at any moment and called again, it goes on where it stood and ends with the same bytes;
    called once more, it trains nothing and writes the same bytes. Of several processes that were
    started together each works on its part of every batch, and the main one writes.

    Args:
        recipe_path: the recipe.
        store: of the teacher's recordings and of checkpoints.
        progress: shows how far it is.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    recipe, base = read_recipe(recipe_path), recipe_path.parent
    folder = out_folder(recipe_path, recipe)
    refuse_foreign(folder)
    with threads(recipe.train.threads):
        runtime = Runtime()
        with runtime.main_first():
            task = prepare(recipe, base, store, progress)
        runs = [
            run(task, kind, seed, store=store, progress=progress)
            for kind in recipe.kinds
            for seed in recipe.seeds
        ]
        files, lineage = export(task, runs, folder.name, file_digest(recipe_path))
    if runtime.main:
        write_folder(folder, files)
    runtime.wait()
    return Distilled(
        folder=folder, lineage=lineage, trained_steps=sum(run.steps_now for run in runs)
    )
