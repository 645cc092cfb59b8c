"""Train one arm, or take it from the store where it was trained before."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from kdaudit.distill.arm_key import arm_key
from kdaudit.distill.methods.controls import learnt, rows
from kdaudit.distill.methods.methods import Setting
from kdaudit.distill.methods.preset import Preset
from kdaudit.distill.objectives import STUDENT, Objective
from kdaudit.distill.recipe import TrainTable
from kdaudit.distill.targets.feed import feed
from kdaudit.distill.task import Task
from kdaudit.distill.training.checkpoint import Checkpoint
from kdaudit.distill.training.convergence import unconverged
from kdaudit.distill.training.course import Course
from kdaudit.distill.training.evaluate import AT_ONCE
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.metrics import Metrics, closing
from kdaudit.distill.training.pace import Pace
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import TEACHER, Stored
from kdaudit.distill.training.trackers import trackers
from kdaudit.distill.training.train import (
    Record,
    Watch,
    draw,
    finished,
    train,
    unrecorded,
    unwatched,
)
from kdaudit.evidence.store import Entry, Store, write_atomically
from kdaudit.governance.environment import COMPUTING, machine, source, versions
from kdaudit.lineage import ArmKind
from kdaudit.models.code import Code, resolve
from kdaudit.models.torch import build
from kdaudit.progress import Progress

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
        runtime: device, precision and processes.
        earlier: the generations it comes from, the first of them first.
    """

    kind: ArmKind
    seed: int
    weights: Mapping[str, Tensor]
    parameters: int
    formula: str
    course: Course
    steps_now: int
    environment: Mapping[str, Mapping[str, str]]
    runtime: Runtime
    earlier: tuple["Run", ...] = ()

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
    preset = learnt(kind, task.recipe, _setting(task, seed, module))
    runtime = Runtime(precision=options.precision, accumulate=options.accumulate)
    key = arm_key(
        task,
        kind,
        seed,
        preset=preset,
        first=module,
        teachers=bool(_watched(task, preset)),
        runtime=runtime.facts,
    )
    entry = store.entry("arms", key)
    with runtime.main_first():
        environment = environment_of(entry, task.base)
    checkpoint = Checkpoint(entry.folder / "checkpoint.safetensors")
    trained = finished(checkpoint)
    if trained is None:
        name = f"{kind}, seed {seed}"
        name += f", generation {task.generation}" if task.generation else ""
        stored = Stored(
            rows=rows(kind, seed, task.transfer), batch_size=options.batch_size, seed=seed
        )
        learning = {one.name for one in preset.learners}
        order = feed(
            kind,
            stored,
            own=preset.source,
            augmented=task.augmented,
            teacher=None if TEACHER in learning else task.live.get(TEACHER),
        )
        with recorded(options, f"{entry.digest[:8]} {name}", entry, runtime) as record:
            trained = train(
                _learners(task, preset, module),
                preset.terms,
                order,
                task.validation,
                epochs=options.epochs,
                patience=options.patience,
                seed=seed,
                name=name,
                checkpoint=checkpoint,
                advance=progress(name, options.epochs * len(order)),
                pace=Pace(schedule=options.schedule, warmup=options.warmup, clip=options.clip),
                runtime=runtime,
                watch=watch,
                record=record,
            )
    else:
        for point in trained.course.curve:
            watch(point)
    return Run(
        kind=kind,
        seed=seed,
        weights=trained.weights,
        parameters=sum(p.numel() for p in module.parameters()),
        formula=preset.formula,
        course=trained.course,
        steps_now=trained.steps_now,
        environment=environment,
        runtime=runtime,
    )


@contextmanager
def recorded(options: TrainTable, name: str, entry: Entry, runtime: Runtime) -> Iterator[Record]:
    """Where every epoch is written down; the main process writes for all."""
    if not runtime.main:
        yield unrecorded
        return
    said = options.model_dump(exclude={"trackers"}, exclude_none=True)
    with closing(trackers(options.trackers, name, entry.folder, said)) as told:
        yield Metrics(entry.folder, told)


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
    """The untrained student; the same for every arm of a seed and generation."""
    generation = [f"generation {task.generation}"] if task.generation else []
    return _drawn(task, task.factory, task.recipe.student.args, seed, *generation)


def _drawn(task: Task, code: Code, args: Mapping[str, object], seed: int, *names: str) -> nn.Module:
    """A module with first weights that depend on the seed and the names alone."""
    width = task.encoder.width
    assert width is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(seed, "init", *names))
        module = build(code, width=width, classes=len(task.classes), args=args)
    if code is task.factory and args is task.recipe.student.args:
        module.load_state_dict(dict(task.start), strict=False)  # those that are not drawn
    return module


def _unlearning(task: Task, module: nn.Module) -> Participant:
    return Participant(name=STUDENT, module=module, factory=task.factory, classes=len(task.classes))


def _setting(task: Task, seed: int, module: nn.Module) -> Setting:
    return Setting(
        participants={STUDENT: _unlearning(task, module), **task.live},
        transfer=task.transfer,
        validation=task.validation,
        classes=len(task.classes),
        seed=seed,
        another=partial(_another, task, seed),
    )


def _another(
    task: Task,
    seed: int,
    name: str,
    factory: str | None = None,
    args: Mapping[str, object] | None = None,
) -> Participant:
    """One more that learns, of the student's factory or of its own."""
    code = task.factory if factory is None else resolve(factory, task.base)
    usual = task.recipe.student.args if factory is None else {}
    module = _drawn(task, code, usual if args is None else args, seed, name)
    return Participant(name=name, module=module, factory=code, classes=len(task.classes))


def _learners(task: Task, preset: Preset, module: nn.Module) -> list[Learner]:
    """The student, whoever learns beside it, and the teachers that terms look into or ask."""
    everyone = (_unlearning(task, module), *preset.learners, *_watched(task, preset))
    learning = [_with_optimiser(one, preset.terms, task.recipe.train) for one in everyone]
    return [one.watching(preset.terms) if isinstance(one, Participant) else one for one in learning]


def _with_optimiser(one: Learner, terms: Sequence[Objective], options: TrainTable) -> Learner:
    """The same; where a term trains it, with steps for its weights and those its terms own."""
    if one.optimiser is not None or not any(one.name in term.trains for term in terms):
        return one
    owned = (p for term in terms if term.trains[0] == one.name for p in term.parameters())
    optimiser = OPTIMISERS[options.optimiser](
        [*one.module.parameters(), *owned],
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
    )
    return replace(one, optimiser=optimiser)


def _watched(task: Task, preset: Preset) -> list[Participant]:
    """The teachers that terms look into or ask, but for one that the preset brings itself."""
    names = {name for term in preset.terms for name in term.watches}
    names -= {one.name for one in preset.learners}
    return [teacher for name, teacher in task.live.items() if name in names]


def environment_of(entry: Entry, folder: Path) -> Mapping[str, Mapping[str, str]]:
    """Hardware, versions and source, as they were when the training of an entry began."""
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
