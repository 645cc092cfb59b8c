"""Under what a trained arm is kept: everything its weights depend on."""

from collections.abc import Mapping
from importlib.metadata import version

from torch import nn

from kdaudit.distill.methods.preset import Preset
from kdaudit.distill.task import Task
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.sources import Batch
from kdaudit.lineage import ArmKind

FORMAT = 1  # raised when the same recipe would train another model


def arm_key(
    task: Task,
    kind: ArmKind,
    seed: int,
    *,
    preset: Preset,
    first: nn.Module,
    teachers: bool,
    runtime: Mapping[str, object],
) -> dict[str, object]:
    """The key; tensors stand for the data, the encoder and the teacher.

    Args:
        task: what all arms share.
        kind: which arm.
        seed: its seed.
        preset: what it learns by.
        first: the untrained student.
        teachers: whether teachers are run while it learns.
        runtime: device and processes, where they are not one CPU's.
    """
    owned = {
        f"{term.name}/{name}": tensor
        for term in preset.terms
        for name, tensor in term.state_dict().items()
    }
    further: dict[str, object] = {}
    if owned:
        further["objectives"] = tensor_digest(owned)
    if task.teacher is not None and teachers:
        further["teacher"] = task.teacher["digest"]
    if preset.learners:
        further["learners"] = [_described(one) for one in preset.learners]
    if preset.facts:
        further["facts"] = dict(preset.facts)
    if task.augmented is not None:
        further["augmented"] = dict(task.augmented.key)
    if runtime:
        further["runtime"] = dict(runtime)
    return {
        "distill": FORMAT,
        "kind": kind,
        "seed": seed,
        "loss": [term.formula for term in preset.terms],
        "transfer": _digest(task.transfer),
        "validation": _digest(task.validation),
        "factory": task.factory.digest,
        "function": task.factory.name,
        "args": task.recipe.student.args,
        "classes": len(task.classes),
        "first weights": tensor_digest(first.state_dict()),
        "train": task.recipe.train.learning(),
        "torch": version("torch"),
        **further,
    }


def _described(one: Learner) -> dict[str, object]:
    said: dict[str, object] = {
        "name": one.name,
        "first weights": tensor_digest(one.module.state_dict()),
    }
    if one.follow is not None:
        said["follows"] = repr(one.follow)
    if one.optimiser is not None:
        groups = one.optimiser.state_dict()["param_groups"]
        said["optimiser"] = [type(one.optimiser).__name__, repr(groups)]
    return said


def _digest(batch: Batch) -> str:
    return tensor_digest(batch.tensors())
