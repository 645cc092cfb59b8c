"""A search over recipes of language models: by the log-probability per token of validation text."""

from collections.abc import Callable, Mapping
from pathlib import Path

from kdaudit.distill.language.arms import likely, run
from kdaudit.distill.language.recipe import LanguageRecipe
from kdaudit.distill.language.task import LanguageTask, longest, prepare
from kdaudit.distill.run import Run
from kdaudit.distill.search.kind import Kind, Score
from kdaudit.distill.search.usual import usual_of_text
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import manifest_digest
from kdaudit.lineage import Epoch
from kdaudit.models.pretrained import require, versions
from kdaudit.progress import Progress


def likelihood_of(task: LanguageTask, found: Run) -> float:
    """Mean log-probability of a validation token, in nats: -log of the perplexity."""
    sums, counts = likely(task, found)
    return float(sums.sum() / counts.sum())


def _opened(
    recipe: LanguageRecipe,  # noqa: ARG001  # one that is tried says all of it again
    base: Path,
    store: Store,
    progress: Progress,
) -> Callable[[LanguageRecipe], LanguageTask]:
    require("transformers", "hf", "[language]")

    def prepared(recipe: LanguageRecipe) -> LanguageTask:
        return prepare(recipe, base, store, progress)

    return prepared


def _read(recipe: LanguageRecipe) -> object:
    """All but how the student is built and trained, and what a teacher is asked while it learns."""
    student, tokens = recipe.student, recipe.objectives.tokens
    return (
        recipe.language,
        recipe.teacher,
        recipe.teacher_text,
        (student.folder, student.tokenizer, longest(student.config or {})),
        # The layers that stay are in the task's recipe alone: then it is always made anew.
        student.drop and (student.drop, student.layers),
        (tokens.soft_weight > 0, tokens.top_k, tokens.top_k and tokens.temperature),
        (recipe.train.precision, recipe.train.threads),
    )


def _seen(epoch: Epoch) -> float:
    return -epoch.validation["nll"]


def _facts(task: LanguageTask) -> Mapping[str, object]:
    return {
        "text": tensor_digest(task.text.tensors()),
        "taught": tensor_digest(task.taught.tensors()),
        "validation": tensor_digest(task.validation.tensors()),
        "tokenizer": task.tokenizer.digest,
        "teacher": None if task.said is None else dict(task.said),
        "begins as": None if task.folder is None else manifest_digest(task.folder.digests()),
        **versions("transformers"),
    }


TEXT = Kind(
    table=LanguageRecipe,
    usual=usual_of_text,
    opened=_opened,
    read=_read,
    run=run,
    own=Score(name="validation log-probability per token", rests_on={}, of=likelihood_of),
    seen=_seen,
    facts=_facts,
    unit="blocks",
)
