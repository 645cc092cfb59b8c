"""One loop: batches, loss terms, steps, early stopping, and a checkpoint after every epoch.

It names no method: who learns, from which terms, and who follows whom, it is told. What happens in
an epoch depends on the state before it, the seed and the epoch's number alone, so a run that was
killed and started again gives the same weights, bit for bit on one CPU.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from kdaudit.distill.objectives import Objective
from kdaudit.distill.training.checkpoint import Checkpoint
from kdaudit.distill.training.course import COURSE, Course
from kdaudit.distill.training.evaluate import evaluate
from kdaudit.distill.training.flops import counted
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.pace import Pace
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Batch, Source
from kdaudit.distill.training.state import State, beneath, under
from kdaudit.distill.training.step import Step
from kdaudit.energy import reading
from kdaudit.errors import ModelError
from kdaudit.lineage import Epoch
from kdaudit.progress import Advance
from kdaudit.stats.random import stream

UNHURRIED = Pace()
PLAIN = Runtime()
Watch = Callable[[Epoch], None]
Record = Callable[[Course], None]


class DivergedError(ModelError):
    """A loss was no longer a number."""


def unwatched(_point: Epoch) -> None:
    """Look on."""


def unrecorded(_course: Course) -> None:
    """Write nothing down."""


class Trained(NamedTuple):
    """The first participant's weights at its best epoch, how it got there, and steps run now."""

    weights: dict[str, Tensor]
    course: Course
    steps_now: int


def train(  # noqa: PLR0913  # everything a run is made of
    learners: Sequence[Learner],
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
    runtime: Runtime = PLAIN,
    watch: Watch = unwatched,
    record: Record = unrecorded,
) -> Trained:
    """Train until the validation loss has not improved for ``patience`` epochs.

    Args:
        learners: everyone who takes part; the first is the student, which is validated and kept.
        objectives: loss terms. Each learner minimises the sum of those that train it; the student's
            are validated.
        source: batches to learn from.
        validation: rows that decide when to stop, never learnt from.
        epochs: most epochs.
        patience: epochs without improvement before it stops.
        seed: of whatever the modules draw.
        name: of the run, for messages.
        checkpoint: where to go on from, and to write to.
        advance: told of every step.
        pace: learning rates over time, and clipping.
        runtime: device, precision, and processes.
        watch: told of every epoch once it is kept, first of those of earlier sittings; what it
            raises stops the run, which can be taken up again.
        record: told how the run stands, when it begins and after every epoch that is kept.

    Raises:
        DivergedError: if a loss is not finite.
    """
    student, state = learners[0].module, State(learners, objectives)
    modules = [*(one.module for one in learners), *objectives]
    with torch.random.fork_rng(devices=[]), runtime.placing(modules):
        loop = _Loop(learners, objectives, source, validation, pace, runtime, epochs)
        found = checkpoint.load()
        if found is None:
            course = Course(best_loss=loop.scores()["loss"])
            best = _copy(student)
        else:
            tensors, facts = found
            course = COURSE.validate_python(facts)
            best = beneath("best", tensors)
            if not course.finished:
                state.restore(beneath("now", tensors))
        before = course.steps
        advance(before, course.said)
        record(course)
        for point in course.curve:
            watch(point)
        while not course.finished:
            wall, cpu, meter = time.perf_counter(), time.process_time(), reading()
            epoch = course.epoch + 1
            apart = [f"process {runtime.index}"] if runtime.index else []
            torch.manual_seed(draw(seed, "torch", str(epoch), *apart))
            losses = loop.epoch(epoch, course, advance)
            scores = loop.scores()
            _refuse_infinite(losses, scores["loss"], name, epoch)
            loop.follow()
            course = course.after(
                Epoch(epoch=epoch, train=losses, validation=scores),
                steps=len(source),
                wall=time.perf_counter() - wall,
                cpu=time.process_time() - cpu,
                joules=meter.until(reading()),
                flops=loop.flops,
            )
            if course.best_epoch == epoch:
                best = _copy(student)
            over = epoch == epochs or epoch - course.best_epoch >= patience
            course = replace(course, finished=over)
            if runtime.main:
                now = {} if over else under("now", state.tensors())
                facts = COURSE.dump_python(course, mode="json")
                checkpoint.save(under("best", best) | now, facts)
            advance(0, course.said)
            record(course)
            watch(course.curve[-1])
    runtime.wait()
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


class _Loop:
    """What an epoch does with those who take part."""

    def __init__(
        self,
        learners: Sequence[Learner],
        objectives: Sequence[Objective],
        source: Source,
        validation: Batch,
        pace: Pace,
        runtime: Runtime,
        epochs: int,
    ) -> None:
        self.learners = learners
        self.objectives = objectives
        self.source = source
        self.runtime = runtime
        self.step = Step(learners, objectives, runtime)
        self.modules = {one.name: one.module for one in learners}
        self.followers = [(one.follow, one.module) for one in learners if one.follow is not None]
        self.pace = pace.mover([one.optimiser for one in self.step.shares], epochs * len(source))
        self.rows = runtime.placed(validation)
        student = learners[0].name
        self.own = [i for i, term in enumerate(objectives) if student in term.trains]
        self.validated = [term for i in self.own if (term := objectives[i]).validated]
        self.flops: tuple[int, int] | None = None

    def epoch(self, number: int, course: Course, advance: Advance) -> dict[str, float]:
        """One pass over the source.

        Returns:
            The mean of each loss term over its rows, and the student's sum of them as ``total``.
        """
        sums = torch.zeros(len(self.objectives), dtype=torch.float64, device=self.runtime.device)
        rows, text = 0, course.said
        for learner in self.learners:
            learner.mode(learning=True)
        for index, batch in enumerate(self.source.batches(number)):
            first = course.flops is None and self.flops is None
            values = self._counted(batch) if first else self.step(batch)
            self.pace(course.steps + index)
            for follow, module in self.followers:
                follow.after_step(module, self.modules)
            # Summed as tensors and read once per epoch: reading a number waits for it.
            sums += values * len(batch)
            rows += len(batch)
            advance(1, text)
        self.runtime.same(list(self.modules.values()))
        means = [value / rows for value in self.runtime.total(sums).tolist()]
        named = {term.name: mean for term, mean in zip(self.objectives, means, strict=True)}
        return {**named, "total": sum(means[i] for i in self.own)}

    def _counted(self, batch: Batch) -> Tensor:
        """The run's first step, which is like all others."""
        values, *flops = counted(self.step, batch)
        learnt, fixed = self.runtime.total(torch.tensor(flops, device=self.runtime.device)).tolist()
        self.flops = learnt, fixed
        return values

    def scores(self) -> dict[str, float]:
        """What is measured on the validation rows."""
        for learner in self.learners:
            learner.mode(learning=False)
        return self.runtime.agreed(evaluate(self.step.asked, self.validated, self.rows))

    def follow(self) -> None:
        """Tell the followers that an epoch is over."""
        for follow, module in self.followers:
            follow.after_epoch(module, self.modules)


def _copy(module: torch.nn.Module) -> dict[str, Tensor]:
    return {
        name: tensor.detach().to("cpu", copy=True) for name, tensor in module.state_dict().items()
    }


def _refuse_infinite(
    training: Mapping[str, float], validation: float, run: str, epoch: int
) -> None:
    for name, loss in (("training", sum(training.values())), ("validation", validation)):
        if not math.isfinite(loss):
            raise DivergedError(
                f"the {name} loss of {run} is {loss} in epoch {epoch}; lower learning_rate "
                "under [train], or look for very large inputs"
            )
