"""Train one arm of a language model's recipe, or take it from the store."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kdaudit.distill.arms import OPTIMISERS
from kdaudit.distill.language.begin import begin
from kdaudit.distill.language.blocks import valid
from kdaudit.distill.language.causal import Asked, Causal
from kdaudit.distill.language.pairs import pairs
from kdaudit.distill.language.recipe import LanguageRecipe
from kdaudit.distill.language.sources import Budget, OnPolicy, WithPairs
from kdaudit.distill.language.task import LanguageTask
from kdaudit.distill.language.terms import Preference, Tokens, log_probs
from kdaudit.distill.methods.soft_terms import divergence
from kdaudit.distill.objectives import STUDENT, Objective
from kdaudit.distill.run import Run, carried_out
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.distill.training.evaluate import BLOCKS
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Source, Stored
from kdaudit.distill.training.train import Watch, draw, unwatched
from kdaudit.evidence.store import Store
from kdaudit.lineage import ArmKind
from kdaudit.models.pretrained import versions
from kdaudit.progress import Progress

FORMAT = 1  # raised when the same recipe would train another model


def run(
    task: LanguageTask,
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
        kind: ``main``, or ``hard``, which learns the files' text from labels alone.
        seed: of first weights, order and everything drawn.
        store: where its checkpoint is kept, under everything its weights depend on.
        progress: shows steps and losses.
        watch: told of every epoch, whether it is trained now or was before; what it raises stops
            the arm.

    Raises:
        ModelError: if the student cannot be built or run.
        DivergedError: if its loss is not finite.
    """
    options = task.recipe.train
    student = Asked(Causal(first(task, seed)), options.precision)
    module = student.causal
    terms = _terms(task, kind, student)
    runtime = Runtime(precision=options.precision, accumulate=options.accumulate)
    entry = store.entry("language-arms", _key(task, kind, seed, terms, module, runtime))

    def prepare() -> tuple[list[Learner], Source]:
        optimiser = OPTIMISERS[options.optimiser](
            module.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        learner = Learner(name=STUDENT, module=module, optimiser=optimiser)
        return [learner], _source(task, kind, seed, student)

    return carried_out(
        entry,
        prepare,
        kind=kind,
        seed=seed,
        module=module,
        terms=terms,
        formula=" + ".join(term.formula for term in terms),
        validation=task.validation,
        options=options,
        runtime=runtime,
        base=task.base,
        progress=progress,
        watch=watch,
    )


@torch.no_grad()
def likely(task: LanguageTask, found: Run) -> tuple[Tensor, Tensor]:
    """What a trained model makes of the validation blocks.

    Args:
        task: what all arms share.
        found: the model.

    Returns:
        (N,) log-probabilities of whole blocks, float64, and (N,) how many tokens each predicts.
    """
    causal = Causal(first(task, found.seed)).eval()
    causal.load_state_dict(dict(found.weights))
    student, sums, counts = Asked(causal), list[Tensor](), list[Tensor]()
    rows = task.validation
    for start in range(0, len(rows), BLOCKS):
        part = rows.take(slice(start, start + BLOCKS))
        sums.append(log_probs(student, part.inputs, part.labels).double().sum(dim=1))
        counts.append(valid(part).sum(dim=1))
    return torch.cat(sums), torch.cat(counts)


def first(task: LanguageTask, seed: int) -> Any:
    """The student before it learns; the same for every arm of a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(seed, "init"))
        return begin(task.recipe.student, task.folder, task.tokenizer)


def _terms(task: LanguageTask, kind: ArmKind, student: Asked) -> list[Objective]:
    table, preference = task.recipe.objectives.tokens, task.recipe.objectives.preference
    if kind == "hard":
        return [Tokens(student, hard_weight=1.0)]
    terms: list[Objective] = [
        Tokens(
            student,
            hard_weight=table.hard_weight,
            answers=task.answers,
            divergence=divergence(table),
            soft_weight=table.soft_weight,
        )
    ]
    if preference is not None:
        weight, beta = preference.preference_weight, preference.beta
        terms.append(Preference(student, weight=weight, beta=beta))
    return terms


def _source(task: LanguageTask, kind: ArmKind, seed: int, student: Asked) -> Source:
    """Blocks in an order of the seed, and what a method adds or puts in their place."""
    recipe = task.recipe
    size, block = recipe.train.batch_size, recipe.language.block
    taught: Source = Stored(rows=task.taught, batch_size=size, seed=seed)
    if kind == "hard":
        return Budget(source=Stored(rows=task.text, batch_size=size, seed=seed), length=len(taught))
    writing, preference = recipe.on_policy, recipe.objectives.preference
    if writing is not None:
        taught = OnPolicy(
            source=taught,
            student=student.causal,
            prompts=task.prompts(writing.prompt_tokens, block - writing.tokens),
            share=writing.share,
            tokens=writing.tokens,
            temperature=writing.temperature,
            end=task.tokenizer.end,
            block=block,
            seed=seed,
        )
    if preference is not None:
        assert task.teacher is not None
        found = pairs(
            student,
            task.teacher,
            task.prompts(preference.prompt_tokens, block - preference.tokens),
            preference,
            end=task.tokenizer.end,
            block=block,
            seed=draw(seed, "candidates"),
        )
        taught = WithPairs(source=taught, pairs=found, seed=seed)
    return taught


def _key(
    task: LanguageTask,
    kind: ArmKind,
    seed: int,
    terms: Sequence[Objective],
    module: Causal,
    runtime: Runtime,
) -> dict[str, object]:
    """Everything the weights depend on."""
    recipe = task.recipe
    return {
        "distill": FORMAT,
        "kind": kind,
        "seed": seed,
        "loss": [term.formula for term in terms],
        "rows": [
            tensor_digest(rows.tensors()) for rows in (task.text, task.taught, task.validation)
        ],
        "teacher": None if kind == "hard" or task.said is None else task.said["digest"],
        "targets": {} if kind == "hard" else dict(task.targets),
        "methods": {} if kind == "hard" else _methods(recipe),
        "tokenizer": task.tokenizer.digest,
        "first weights": tensor_digest(module.state_dict()),
        "train": recipe.train.learning(),
        "runtime": runtime.facts,
        **versions("torch", "transformers"),
    }


def _methods(recipe: LanguageRecipe) -> dict[str, object]:
    tables = {"on_policy": recipe.on_policy, "preference": recipe.objectives.preference}
    return {name: table.model_dump() for name, table in tables.items() if table is not None}
