"""Train one arm, or take it from the store where it was trained before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

from kdaudit.distill.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.controls import rows, terms
from kdaudit.distill.objectives import STUDENT, Objective
from kdaudit.distill.participant import Participant
from kdaudit.distill.sources import Batch, Stored
from kdaudit.distill.task import Task
from kdaudit.distill.train import Course, draw, finished, train
from kdaudit.evidence.store import Entry, Store, write_atomically
from kdaudit.governance.environment import COMPUTING, machine, source, versions
from kdaudit.lineage import ArmKind
from kdaudit.models.torch import build
from kdaudit.progress import Progress

FORMAT = 1  # raised when the same recipe would train another model
OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One trained model.

    Attributes:
        kind: the recipe itself, or a control.
        seed: of first weights, order and everything drawn.
        weights: by name, at the best epoch.
        parameters: number of weights.
        formula: the loss.
        course: how it went.
        steps_now: steps trained just now; 0 where it was in the store.
        environment: hardware, versions and source when its training began.
    """

    kind: ArmKind
    seed: int
    weights: Mapping[str, Tensor]
    parameters: int
    formula: str
    course: Course
    steps_now: int
    environment: Mapping[str, Mapping[str, str]]


def run(task: Task, kind: ArmKind, seed: int, *, store: Store, progress: Progress) -> Run:
    """Train one arm from where it stands.

    Args:
        task: what all arms share.
        kind: which arm.
        seed: its seed.
        store: where its checkpoint is kept, under everything its weights depend on.
        progress: shows steps and losses.

    Raises:
        ModelError: if the student cannot be built or run, or its loss is not finite.
    """
    objectives, options = terms(kind, task.recipe), task.recipe.train
    module = _first(task, seed)
    order = Stored(rows=rows(kind, seed, task.transfer), batch_size=options.batch_size, seed=seed)
    entry = store.entry("arms", _key(task, kind, seed, objectives, module))
    environment = _environment(entry, task.base)
    checkpoint = Checkpoint(entry.folder / "checkpoint.safetensors")
    trained = finished(checkpoint)
    if trained is None:
        name = f"{kind}, seed {seed}"
        trained = train(
            [_student(task, objectives, module)],
            objectives,
            order,
            task.validation,
            epochs=options.epochs,
            patience=options.patience,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            advance=progress(name, options.epochs * len(order)),
        )
    return Run(
        kind=kind,
        seed=seed,
        weights=trained.weights,
        parameters=sum(p.numel() for p in module.parameters()),
        formula=" + ".join(objective.formula for objective in objectives),
        course=trained.course,
        steps_now=trained.steps_now,
        environment=environment,
    )


def _first(task: Task, seed: int) -> nn.Module:
    """The untrained student; the same for every arm of a seed."""
    width = task.encoder.width
    assert width is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(seed, "init"))
        return build(
            task.factory, width=width, classes=len(task.classes), args=task.recipe.student.args
        )


def _student(task: Task, objectives: list[Objective], module: nn.Module) -> Participant:
    options = task.recipe.train
    learnt = [*module.parameters(), *(p for term in objectives for p in term.parameters())]
    optimiser = OPTIMISERS[options.optimiser](
        learnt, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    return Participant(
        name=STUDENT,
        module=module,
        factory=task.factory,
        classes=len(task.classes),
        optimiser=optimiser,
    )


def _key(
    task: Task, kind: ArmKind, seed: int, objectives: list[Objective], first: nn.Module
) -> dict[str, object]:
    """Everything the weights depend on; tensors stand for the data, the encoder and the teacher."""
    return {
        "distill": FORMAT,
        "kind": kind,
        "seed": seed,
        "loss": [objective.formula for objective in objectives],
        "transfer": _digest(task.transfer),
        "validation": _digest(task.validation),
        "factory": task.factory.digest,
        "function": task.factory.name,
        "args": task.recipe.student.args,
        "classes": len(task.classes),
        "first weights": tensor_digest(first.state_dict()),
        "train": task.recipe.train.model_dump(),
        "torch": version("torch"),
    }


def _digest(batch: Batch) -> str:
    found = {"inputs": batch.inputs, "labels": batch.labels, "targets": batch.targets}
    return tensor_digest({name: tensor for name, tensor in found.items() if tensor is not None})


def _environment(entry: Entry, folder: Path) -> Mapping[str, Mapping[str, str]]:
    path = entry.folder / "environment.json"
    if not path.exists():
        hardware = {name: fact for name, fact in machine().items() if name != "load"}
        said = {
            "hardware": hardware,
            "versions": versions((*COMPUTING, "torch", "safetensors")),
            "source": source(folder),
        }
        write_atomically(path, json.dumps(said, indent=1, sort_keys=True).encode())
    found: dict[str, dict[str, str]] = json.loads(path.read_bytes())
    return found
