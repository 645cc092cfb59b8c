"""One trained model: trained from where it stands, or found in the store."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from kdaudit.distill.objectives import Objective
from kdaudit.distill.recipe import TrainTable
from kdaudit.distill.training.checkpoint import Checkpoint
from kdaudit.distill.training.convergence import unconverged
from kdaudit.distill.training.course import Course
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.metrics import Metrics, closing
from kdaudit.distill.training.pace import Pace
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Batch, Source
from kdaudit.distill.training.trackers import trackers
from kdaudit.distill.training.train import (
    Record,
    Watch,
    finished,
    train,
    unrecorded,
    unwatched,
)
from kdaudit.evidence.store import Entry, write_atomically
from kdaudit.governance.environment import COMPUTING, machine, source, versions
from kdaudit.lineage import ArmKind
from kdaudit.progress import Progress


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


def carried_out(  # noqa: PLR0913  # everything a run is made of, but for what makes a batch
    entry: Entry,
    prepare: Callable[[], tuple[Sequence[Learner], Source]],
    *,
    kind: ArmKind,
    seed: int,
    generation: int = 0,
    module: nn.Module,
    terms: Sequence[Objective],
    formula: str,
    validation: Batch,
    options: TrainTable,
    runtime: Runtime,
    base: Path,
    progress: Progress,
    watch: Watch = unwatched,
) -> Run:
    """Train one arm from where it stands.

    Args:
        entry: of the store, for its checkpoint, metrics and environment.
        prepare: who learns, the student first, and from what; called if there is still to train.
        kind: which arm.
        seed: its seed.
        generation: of a chain, counted from 1; 0 without one.
        module: the student.
        terms: loss terms.
        formula: of the whole loss, for the lineage.
        validation: rows that decide when to stop.
        options: ``[train]``.
        runtime: device, precision and processes.
        base: folder of the recipe.
        progress: shows steps and losses.
        watch: told of every epoch, whether it is trained now or was before; what it raises stops
            the arm.

    Raises:
        DivergedError: if the loss is not finite.
    """
    with runtime.main_first():
        environment = _environment(entry, base)
    checkpoint = Checkpoint(entry.folder / "checkpoint.safetensors")
    trained = finished(checkpoint)
    if trained is None:
        name = f"{kind}, seed {seed}" + (f", generation {generation}" if generation else "")
        learners, order = prepare()
        with _recorded(options, f"{entry.digest[:8]} {name}", entry, runtime) as record:
            trained = train(
                learners,
                terms,
                order,
                validation,
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
        formula=formula,
        course=trained.course,
        steps_now=trained.steps_now,
        environment=environment,
        runtime=runtime,
    )


@contextmanager
def _recorded(options: TrainTable, name: str, entry: Entry, runtime: Runtime) -> Iterator[Record]:
    """Where every epoch is written down; the main process writes for all."""
    if not runtime.main:
        yield unrecorded
        return
    said = options.model_dump(exclude={"trackers"}, exclude_none=True)
    with closing(trackers(options.trackers, name, entry.folder, said)) as told:
        yield Metrics(entry.folder, told)


def _environment(entry: Entry, folder: Path) -> Mapping[str, Mapping[str, str]]:
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
