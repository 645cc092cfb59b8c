"""One loop: batches, loss terms, steps, early stopping, and a checkpoint after every epoch.

It names no method. What happens in an epoch depends on the state before it, the seed and the
epoch's number alone, so a run that was killed and started again gives the same weights, bit for bit
on one CPU.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from pydantic import TypeAdapter
from torch import Tensor

from kdaudit.distill.checkpoint import Checkpoint
from kdaudit.distill.evaluate import evaluate
from kdaudit.distill.objectives import Objective
from kdaudit.distill.pace import Pace
from kdaudit.distill.participant import Participant
from kdaudit.distill.sources import Batch, Source
from kdaudit.distill.state import State, beneath, under
from kdaudit.errors import ModelError
from kdaudit.lineage import Epoch
from kdaudit.progress import Advance
from kdaudit.stats.random import stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a run went so far.

    Attributes:
        epoch: epochs done.
        steps: optimiser steps done.
        best_epoch: the epoch of the lowest validation loss; 0 for the untrained model.
        best_loss: that loss.
        curve: a point per epoch.
        wall_seconds: time spent, over all sittings.
        cpu_seconds: processor time spent.
        finished: whether it is over.
    """

    epoch: int = 0
    steps: int = 0
    best_epoch: int = 0
    best_loss: float
    curve: tuple[Epoch, ...] = ()
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    finished: bool = False


COURSE = TypeAdapter(Course)
UNHURRIED = Pace()
Watch = Callable[[Epoch], None]


class DivergedError(ModelError):
    """A loss was no longer a number."""


def unwatched(_point: Epoch) -> None:
    """Look on."""


class Trained(NamedTuple):
    """The first participant's weights at its best epoch, how it got there, and steps run now."""

    weights: dict[str, Tensor]
    course: Course
    steps_now: int


def train(  # noqa: PLR0913  # everything a run is made of
    participants: Sequence[Participant],
    objectives: Sequence[Objective],
    source: Source,
    validation: Batch,
    *,
    epochs: int,
    patience: int,
    seed: int,
    name: str,
    checkpoint: Checkpoint,
    advance: Advance,
    pace: Pace = UNHURRIED,
    watch: Watch = unwatched,
) -> Trained:
    """Train until the validation loss has not improved for ``patience`` epochs.

    Args:
        participants: the first is the student, which is validated and kept.
        objectives: loss terms; their sum is minimised, and validated.
        source: batches to learn from.
        validation: rows that decide when to stop, never learnt from.
        epochs: most epochs.
        patience: epochs without improvement before it stops.
        seed: of whatever the modules draw.
        name: of the run, for messages.
        checkpoint: where to go on from, and to write to.
        advance: told of every step.
        pace: learning rates over time, and clipping.
        watch: told of every epoch once it is kept, first of those of earlier sittings; what it
            raises stops the run, which can be taken up again.

    Raises:
        DivergedError: if a loss is not finite.
    """
    student, state = participants[0].module, State(participants, objectives)
    move = _Mover.of(participants, pace, epochs * len(source))
    with torch.random.fork_rng(devices=[]):
        found = checkpoint.load()
        if found is None:
            course = Course(best_loss=evaluate(participants, objectives, validation)["loss"])
            best = _copy(student)
        else:
            tensors, facts = found
            course = COURSE.validate_python(facts)
            best = beneath("best", tensors)
            if not course.finished:
                state.restore(beneath("now", tensors))
        before = course.steps
        advance(before, _said(course))
        for point in course.curve:
            watch(point)
        while not course.finished:
            wall, cpu = time.perf_counter(), time.process_time()
            epoch = course.epoch + 1
            torch.manual_seed(draw(seed, "torch", str(epoch)))
            losses = _one_epoch(
                participants,
                objectives,
                source,
                epoch,
                partial(advance, text=_said(course)),
                partial(move, course.steps),
            )
            scores = evaluate(participants, objectives, validation)
            _refuse_infinite(losses["total"], scores["loss"], name, epoch)
            course = replace(
                course,
                epoch=epoch,
                steps=course.steps + len(source),
                curve=(*course.curve, Epoch(epoch=epoch, train=losses, validation=scores)),
                wall_seconds=course.wall_seconds + time.perf_counter() - wall,
                cpu_seconds=course.cpu_seconds + time.process_time() - cpu,
            )
            if scores["loss"] < course.best_loss:
                best = _copy(student)
                course = replace(course, best_epoch=epoch, best_loss=scores["loss"])
            over = epoch == epochs or epoch - course.best_epoch >= patience
            course = replace(course, finished=over)
            now = {} if over else under("now", state.tensors())
            facts = COURSE.dump_python(course, mode="json")
            checkpoint.save(under("best", best) | now, facts)
            advance(0, _said(course))
            watch(course.curve[-1])
    return Trained(best, course, course.steps - before)


def finished(checkpoint: Checkpoint) -> Trained | None:
    """A run that was over before, read without building what trained it."""
    found = checkpoint.load()
    if found is None or not found[1]["finished"]:
        return None
    return Trained(beneath("best", found[0]), COURSE.validate_python(found[1]), 0)


def draw(seed: int, *names: str) -> int:
    """A seed for PyTorch, from a named stream."""
    return int(stream(seed, *names).integers(2**63))


def _one_epoch(
    participants: Sequence[Participant],
    objectives: Sequence[Objective],
    source: Source,
    epoch: int,
    advance: Callable[[int], None],
    move: Callable[[int], None],
) -> dict[str, float]:
    """One pass over the source; the mean of each loss term over its rows, and their sum."""
    sums = {o.name: torch.zeros((), dtype=torch.float64) for o in objectives}
    optimisers = [p.optimiser for p in participants if p.optimiser is not None]
    rows = 0
    for index, batch in enumerate(source.batches(epoch)):
        outputs = {p.name: p(batch.seen_by(p.name), learning=True) for p in participants}
        parts = {objective.name: objective(outputs, batch) for objective in objectives}
        for optimiser in optimisers:
            optimiser.zero_grad()
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        move(index)
        # Summed as tensors and read once per epoch: reading a number waits for it.
        for name, part in parts.items():
            sums[name] += part.detach() * len(batch)
        rows += len(batch)
        advance(1)
    means = {name: float(value) / rows for name, value in sums.items()}
    return {**means, "total": sum(means.values())}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Mover:
    """Steps every optimiser at the pace of the run."""

    optimisers: list[torch.optim.Optimizer]
    rates: list[list[float]]
    pace: Pace
    steps: int

    @classmethod
    def of(cls, participants: Sequence[Participant], pace: Pace, steps: int) -> "_Mover":
        found = [p.optimiser for p in participants if p.optimiser is not None]
        rates = [[float(group["lr"]) for group in one.param_groups] for one in found]
        return cls(optimisers=found, rates=rates, pace=pace, steps=steps)

    def __call__(self, before: int, index: int) -> None:
        self.pace.step(self.optimisers, self.rates, self.pace.factor(before + index, self.steps))


def _copy(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def _refuse_infinite(training: float, validation: float, run: str, epoch: int) -> None:
    for name, loss in (("training", training), ("validation", validation)):
        if not math.isfinite(loss):
            raise DivergedError(
                f"the {name} loss of {run} is {loss} in epoch {epoch}; lower learning_rate "
                "under [train], or look for very large inputs"
            )


def _said(course: Course) -> str:
    if not course.curve:
        return ""
    last = course.curve[-1]
    return (
        f"epoch {last.epoch}: loss {last.train['total']:.4f}, validation "
        f"{last.validation['loss']:.4f}, best {course.best_loss:.4f}"
    )
