"""Train one arm, or take it from the store where it was trained before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from kdaudit.distill.arm_key import arm_key
from kdaudit.distill.methods.controls import learnt, rows
from kdaudit.distill.methods.methods import Setting
from kdaudit.distill.methods.preset import Preset
from kdaudit.distill.objectives import STUDENT, Objective
from kdaudit.distill.recipe import TrainTable
from kdaudit.distill.run import Run, carried_out
from kdaudit.distill.targets.feed import feed
from kdaudit.distill.task import Task
from kdaudit.distill.training.evaluate import AT_ONCE
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import TEACHER, Source, Stored
from kdaudit.distill.training.train import (
    Watch,
    draw,
    unwatched,
)
from kdaudit.evidence.store import Store
from kdaudit.lineage import ArmKind
from kdaudit.models.code import Code, resolve
from kdaudit.models.torch import build
from kdaudit.progress import Progress

OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


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

    def prepare() -> tuple[list[Learner], Source]:
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
        return _learners(task, preset, module), order

    return carried_out(
        store.entry("arms", key),
        prepare,
        kind=kind,
        seed=seed,
        generation=task.generation,
        module=module,
        terms=preset.terms,
        formula=preset.formula,
        validation=task.validation,
        options=options,
        runtime=runtime,
        base=task.base,
        progress=progress,
        watch=watch,
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
