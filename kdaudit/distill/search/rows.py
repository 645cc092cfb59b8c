"""A search over recipes that learn from rows: by accuracy on the validation split.

The audit split is not there: it is taken out before anything is read from the data (`withheld`), so
no trial, pruner or score can look at it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from kdaudit.data.audit_file import read_audit_file
from kdaudit.data.dataset import withheld
from kdaudit.distill.arms import answers
from kdaudit.distill.generations import run
from kdaudit.distill.recipe import Recipe
from kdaudit.distill.run import Run
from kdaudit.distill.search.kind import Kind, Score, UnscoredError
from kdaudit.distill.search.usual import usual
from kdaudit.distill.task import Task, prepare
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.evidence.store import Store
from kdaudit.lineage import Epoch
from kdaudit.progress import Progress


def accuracy_of(task: Task, found: Run) -> float:
    """Share of right answers on the validation split.

    Raises:
        UnscoredError: where its rows have no labels.
    """
    if task.validation.labels is None:
        raise UnscoredError("the validation rows have no labels")
    right = answers(task, found, task.validation.inputs).argmax(dim=1) == task.validation.labels
    return float(right.double().mean())


def _opened(
    recipe: Recipe, base: Path, store: Store, progress: Progress
) -> Callable[[Recipe], Task]:
    path = base / recipe.audit
    dataset = withheld(read_audit_file(path), path.parent)

    def prepared(recipe: Recipe) -> Task:
        return prepare(recipe, base, store, progress, dataset)

    return prepared


def _read(recipe: Recipe) -> object:
    """All but the size of the student, and training."""
    student = recipe.student.model_dump(exclude={"args"})
    objectives = recipe.objectives.model_dump()
    response = objectives.get("response")
    if response is not None:
        for name in ("temperature", "soft_weight", "hard_weight"):
            response[name] = response[name] > 0
    return student, objectives


def _seen(epoch: Epoch) -> float:
    return epoch.validation.get("accuracy", -epoch.validation["loss"])


def _facts(task: Task) -> Mapping[str, object]:
    return {
        "transfer": tensor_digest(task.transfer.tensors()),
        "validation": tensor_digest(task.validation.tensors()),
        "teacher": None if task.teacher is None else dict(task.teacher),
        "factory": task.factory.digest,
    }


ROWS = Kind(
    table=Recipe,
    usual=usual,
    opened=_opened,
    read=_read,
    run=run,
    own=Score(name="validation accuracy", rests_on={}, of=accuracy_of),
    seen=_seen,
    facts=_facts,
    unit="rows",
)
