"""An arm of several generations: each student learns from the trained one before it."""

from dataclasses import replace

from kdaudit.distill import arms
from kdaudit.distill.arms import answers
from kdaudit.distill.methods.setting import PAST
from kdaudit.distill.run import Run
from kdaudit.distill.task import Task
from kdaudit.distill.training.sources import Batch
from kdaudit.distill.training.train import Watch, unwatched
from kdaudit.errors import ConfigError
from kdaudit.evidence.store import Store
from kdaudit.lineage import ArmKind
from kdaudit.progress import Progress


def run(
    task: Task,
    kind: ArmKind,
    seed: int,
    *,
    store: Store,
    progress: Progress,
    watch: Watch = unwatched,
) -> Run:
    """Train one arm, generation by generation; what a recipe without a chain asks for is one.

    The last generation is the arm's model. A control on labels has no one to learn from before it;
    it gets the epochs of all generations instead, so that most steps are as many.

    Args:
        task: what all arms share.
        kind: which arm.
        seed: its seed.
        store: of checkpoints, one for each generation.
        progress: shows steps and losses.
        watch: told of the epochs of the last generation.

    Raises:
        ConfigError: if rows are augmented and generations follow each other.
        ModelError: if the student cannot be built or run.
        DivergedError: if its loss is not finite.
    """
    chain = task.recipe.objectives.chain
    if kind in ("hard", "label_smoothing"):
        task, chain = _longer(task, 1 + chain), 0
    if chain and task.augmented is not None:
        raise ConfigError(
            "a generation's answers are stored for the rows as they are, and [student] augment "
            'changes them: take augment out, or learn from the past as it goes, from = "ema" under '
            "[objectives.self]"
        )
    runs: list[Run] = []
    for generation in range(chain + 1):
        if runs:
            task = _taught_by(task, runs[-1], generation)
        told = watch if generation == chain else unwatched
        runs.append(arms.run(task, kind, seed, store=store, progress=progress, watch=told))
    first, last = runs[0], runs[-1]
    if not chain:
        return last
    return replace(
        last,
        formula=f"{last.formula}; generation 0: {first.formula}",
        steps_now=sum(one.steps_now for one in runs),
        earlier=tuple(runs[:-1]),
    )


def _longer(task: Task, times: int) -> Task:
    if times == 1:
        return task
    options = task.recipe.train
    longer = options.model_copy(update={"epochs": times * options.epochs})
    return replace(task, recipe=task.recipe.model_copy(update={"train": longer}))


def _taught_by(task: Task, before: Run, generation: int) -> Task:
    def told(rows: Batch) -> Batch:
        said = answers(task, before, rows.inputs)
        return replace(rows, further={**rows.further, PAST: said})

    return replace(
        task,
        transfer=told(task.transfer),
        validation=told(task.validation),
        generation=generation,
    )
