"""What each arm learns: the recipe, and its controls without the thing under study.

All arms of a seed share architecture, first weights, batch order, most steps and the rule for when
to stop, which is the validation loss of their own terms against the true labels and targets.
"""

from dataclasses import replace

import torch

from kdaudit.distill.methods.drawn import Shuffled
from kdaudit.distill.methods.methods import Setting, preset
from kdaudit.distill.methods.preset import Preset
from kdaudit.distill.objectives import Hard
from kdaudit.distill.recipe import ControlsTable, Recipe
from kdaudit.distill.training.sources import Batch
from kdaudit.lineage import ArmKind
from kdaudit.stats.random import stream


def learnt(kind: ArmKind, recipe: Recipe, setting: Setting) -> Preset:
    """What an arm learns by: ``hard`` from labels, ``label_smoothing`` from smoothed ones."""
    if kind == "hard":
        return Preset(terms=(Hard(name="hard", weight=1.0),))
    if kind == "label_smoothing":
        epsilon = (recipe.controls or ControlsTable()).label_smoothing
        return Preset(terms=(Hard(name="label_smoothing", weight=1.0, smoothing=epsilon),))
    found = preset(recipe.objectives, setting)
    drawn = found.source
    if kind != "shuffled" or drawn is None:
        return found
    return replace(found, source=lambda rows: Shuffled(source=drawn(rows), seed=setting.seed))


def rows(kind: ArmKind, seed: int, transfer: Batch) -> Batch:
    """The rows of an arm: ``shuffled`` gives each row what teachers say and see of another."""
    if kind != "shuffled" or transfer.targets is None:
        return transfer
    order = stream(seed, "shuffled").permutation(len(transfer))
    return transfer.taught(torch.from_numpy(order))
