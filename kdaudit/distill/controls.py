"""What each arm learns: the recipe, and its controls without the thing under study.

All arms of a seed share architecture, first weights, batch order, most steps and the rule for when
to stop, which is the validation loss of their own terms against the true labels and targets.
"""

import torch

from kdaudit.distill.methods import Setting, preset
from kdaudit.distill.objectives import Hard, Objective
from kdaudit.distill.recipe import ControlsTable, Recipe
from kdaudit.distill.sources import Batch
from kdaudit.lineage import ArmKind
from kdaudit.stats.random import stream


def terms(kind: ArmKind, recipe: Recipe, setting: Setting) -> list[Objective]:
    """The loss terms of an arm: ``hard`` learns labels, ``label_smoothing`` smoothed ones."""
    if kind == "hard":
        return [Hard(name="hard", weight=1.0)]
    if kind == "label_smoothing":
        epsilon = (recipe.controls or ControlsTable()).label_smoothing
        return [Hard(name="label_smoothing", weight=1.0, smoothing=epsilon)]
    return preset(recipe.objectives, setting)


def rows(kind: ArmKind, seed: int, transfer: Batch) -> Batch:
    """The rows of an arm: ``shuffled`` gives each row what teachers say and see of another."""
    if kind != "shuffled" or transfer.targets is None:
        return transfer
    order = stream(seed, "shuffled").permutation(len(transfer))
    return transfer.taught(torch.from_numpy(order))
