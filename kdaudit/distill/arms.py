"""Train one arm, or take it from the store where it was trained before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

from kdaudit.distill.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.controls import rows, terms
from kdaudit.distill.convergence import unconverged
from kdaudit.distill.evaluate import AT_ONCE
from kdaudit.distill.methods import Setting
from kdaudit.distill.objectives import STUDENT, Objective
from kdaudit.distill.pace import Pace
from kdaudit.distill.participant import Participant
from kdaudit.distill.sources import Batch, Stored
from kdaudit.distill.task import Task
from kdaudit.distill.train import Course, Watch, draw, finished, train, unwatched
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

    @property
    def unconverged(self) -> str:
        """Why it is not taken to have converged; empty where it is."""
        losses = [point.validation["loss"] for point in self.course.curve]
        return unconverged(losses, self.course.best_epoch)


def run(
    task: Task,
    kind: ArmKind,
    seed: int,
    *,
    store: Store,
    progress: Progress,
    watch: Watch = unwatched,
) -> Run:
    """Train one arm from where it stands.

    Args:
        task: what all arms share.
        kind: which arm.
        seed: its seed.
        store: where its checkpoint is kept, under everything its weights depend on.
        progress: shows steps and losses.
        watch: told of every epoch, whether it is trained now or was before; what it raises stops
            the arm.

    Raises:
        ModelError: if the student cannot be built or run.
        DivergedError: if its loss is not finite.
    """
    options, module = task.recipe.train, _first(task, seed)
    objectives = terms(kind, task.recipe, _setting(task, seed, module))
    order = Stored(rows=rows(kind, seed, task.transfer), batch_size=options.batch_size, seed=seed)
    entry = store.entry("arms", _key(task, kind, seed, objectives, module))
    environment = _environment(entry, task.base)
    checkpoint = Checkpoint(entry.folder / "checkpoint.safetensors")
    trained = finished(checkpoint)
    if trained is None:
        name = f"{kind}, seed {seed}"
        trained = train(
            _participants(task, objectives, module),
            objectives,
            order,
            task.validation,
            epochs=options.epochs,
            patience=options.patience,
            seed=seed,
            name=name,
            checkpoint=checkpoint,
            advance=progress(name, options.epochs * len(order)),
            pace=Pace(schedule=options.schedule, warmup=options.warmup, clip=options.clip),
            watch=watch,
        )
    else:
        for point in trained.course.curve:
            watch(point)
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


def answers(task: Task, found: Run, inputs: Tensor) -> Tensor:
    """Logits (N, C) of a trained model.

    Args:
        task: what all arms share.
        found: the model.
        inputs: (N, D) encoded rows.
    """
    module = _first(task, found.seed)
    module.load_state_dict(dict(found.weights))
    model = _unlearning(task, module)
    parts = torch.split(inputs, AT_ONCE)
    return torch.cat([model(part, learning=False).logits for part in parts])


def _first(task: Task, seed: int) -> nn.Module:
    """The untrained student; the same for every arm of a seed."""
    width = task.encoder.width
    assert width is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(seed, "init"))
        return build(
            task.factory, width=width, classes=len(task.classes), args=task.recipe.student.args
        )


def _unlearning(task: Task, module: nn.Module) -> Participant:
    return Participant(name=STUDENT, module=module, factory=task.factory, classes=len(task.classes))


def _setting(task: Task, seed: int, module: nn.Module) -> Setting:
    return Setting(
        participants={STUDENT: _unlearning(task, module), **task.live},
        transfer=task.transfer,
        validation=task.validation,
        classes=len(task.classes),
        seed=seed,
    )


def _participants(task: Task, objectives: list[Objective], module: nn.Module) -> list[Participant]:
    """The student, who learns with what its objectives own, and the teachers they look into."""
    options = task.recipe.train
    learnt = [*module.parameters(), *(p for term in objectives for p in term.parameters())]
    optimiser = OPTIMISERS[options.optimiser](
        learnt, lr=options.learning_rate, weight_decay=options.weight_decay
    )
    student = replace(_unlearning(task, module), optimiser=optimiser)
    return [one.watching(objectives) for one in (student, *_watched(task, objectives))]


def _watched(task: Task, objectives: list[Objective]) -> list[Participant]:
    names = {name for objective in objectives for name in objective.watches}
    return [teacher for name, teacher in task.live.items() if name in names]


def _key(
    task: Task, kind: ArmKind, seed: int, objectives: list[Objective], first: nn.Module
) -> dict[str, object]:
    """Everything the weights depend on; tensors stand for the data, the encoder and the teacher."""
    owned = {
        f"{objective.name}/{name}": tensor
        for objective in objectives
        for name, tensor in objective.state_dict().items()
    }
    inside = {"objectives": tensor_digest(owned)} if owned else {}
    if task.teacher is not None and _watched(task, objectives):
        inside["teacher"] = task.teacher["digest"]
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
        **inside,
    }


def _digest(batch: Batch) -> str:
    return tensor_digest(batch.tensors())


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
