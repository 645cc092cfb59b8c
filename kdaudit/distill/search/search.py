"""Search the space of a recipe: train at many points, and keep the best on the validation split.

The audit split is not there: it is taken out before anything is read from the data (`withheld`), so
no trial, pruner or score can look at it. What is best here is the best of many, and its score is
too good by that; the audit of the model that is distilled from it is not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from kdaudit.data.audit_file import read_audit_file, read_toml
from kdaudit.data.dataset import Dataset, withheld
from kdaudit.distill.arms import answers
from kdaudit.distill.generations import run
from kdaudit.distill.recipe import Recipe, read_recipe
from kdaudit.distill.run import Run
from kdaudit.distill.search.space import Space, at, grid, shown, space_of
from kdaudit.distill.search.study import (
    FINISHED,
    OWNER,
    Drawing,
    count,
    decoded,
    draw_of,
    open_study,
    owner,
    suggest,
)
from kdaudit.distill.search.table import SearchedTable, SearchTable
from kdaudit.distill.task import Task, prepare
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.distill.training.train import DivergedError
from kdaudit.errors import DataError
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.lineage import Epoch
from kdaudit.models.torch import threads
from kdaudit.progress import Progress, silent

FORMAT = 1  # raised when the same trial would have another score
ACCURACY = "validation accuracy"


class UnscoredError(Exception):
    """A trained model has no score here; its trial counts, and is never the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a search maximises.

    Attributes:
        name: for people.
        rests_on: digests of whatever it depends on beside the model; part of the study's name.
        of: the score of one trained model, or `UnscoredError`.
    """

    name: str
    rests_on: Mapping[str, object]
    of: Callable[[Task, Run], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One point that was tried.

    Attributes:
        draw: which one, from 0.
        point: value by field.
        ending: ``complete``; ``pruned``, with an epoch; or why there is no score.
        value: the score, or None.
        accuracy: on the validation split, or None.
        parameters: number of weights, or None.
        unconverged: why its training is not taken to have converged, or empty.
    """

    draw: int
    point: Mapping[str, Any]
    ending: str
    value: float | None
    accuracy: float | None
    parameters: int | None
    unconverged: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to.

    Attributes:
        recipe: its file's name.
        score: what was maximised.
        study: its name in the storage.
        space: by field, for people.
        trials: all that are finished, in the order of their draws.
        best: of the highest score, then of the fewest weights, then the first.
        trained: trials run just now.
        elsewhere: trials that other processes are running.
        rows: of the validation split.
        raw: the recipe as written, before any point.
        searched: what the best recipe says of its origin.
    """

    recipe: str
    score: str
    study: str
    space: Mapping[str, str]
    trials: tuple[Trial, ...]
    best: Trial
    trained: int
    elsewhere: int
    rows: int
    raw: Mapping[str, Any]
    searched: SearchedTable


def accuracy_of(task: Task, found: Run) -> float:
    """Share of right answers on the validation split.

    Raises:
        UnscoredError: where its rows have no labels.
    """
    if task.validation.labels is None:
        raise UnscoredError("the validation rows have no labels")
    right = answers(task, found, task.validation.inputs).argmax(dim=1) == task.validation.labels
    return float(right.double().mean())


BY_ACCURACY = Score(name=ACCURACY, rests_on={}, of=accuracy_of)


def search(
    recipe_path: Path, *, store: Store, score: Score = BY_ACCURACY, progress: Progress = silent
) -> Found:
    """Try what is left to try, and say what was best of all that was ever tried.

    Each trial trains the recipe's first seed, without controls: the recipe that is written at the
    end trains them all, and finds this one in the store.

    Args:
        recipe_path: the recipe; without ``[search]`` the usual ranges are searched by TPE.
        store: of the teacher's recordings, of checkpoints, and of the study.
        score: what to maximise.
        progress: shows trials, and their training.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    raw = read_toml(recipe_path, "recipe")
    recipe = read_recipe(recipe_path)
    options = recipe.search or SearchTable()
    recipe = recipe.model_copy(update={"search": options})
    written = {key: value for key, value in raw.items() if key not in ("search", "searched")}
    space = space_of(written, recipe, recipe_path.name)
    base = recipe_path.parent
    audit_path = base / recipe.audit
    dataset = withheld(read_audit_file(audit_path), audit_path.parent)
    with threads(recipe.train.threads):
        task = prepare(recipe, base, store, progress, dataset)
        name = f"{recipe_path.stem}-{_identity(task, options, written, space, score)[:16]}"
        study = open_study(
            name=name,
            storage=options.storage,
            folder=store.root / "searches",
            sampler=Drawing(kind=options.sampler, seed=options.seed, space=space),
            warm_up=recipe.train.epochs // 10,
            prune=options.pruner == "median",
        )
        trials = len(grid(space)) if options.sampler == "grid" else options.trials
        tried = _Tried(
            task=task,
            raw=written,
            name=recipe_path.name,
            space=space,
            score=score,
            store=store,
            dataset=dataset,
            progress=progress,
        )
        trained = _go_on(study, tried, min(trials, options.trials), progress)
    return _found(study, tried, options, trained)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tried:
    """One trial: draw a point, train there, score it."""

    task: Task
    raw: Mapping[str, Any]
    name: str
    space: Space
    score: Score
    store: Store
    dataset: Dataset
    progress: Progress

    def __call__(self, trial: optuna.Trial) -> float:
        trial.set_user_attr(OWNER, owner())
        point = suggest(trial, self.space)
        recipe = at(self.raw, point, self.name)
        task = self._task(recipe)

        def watch(epoch: Epoch) -> None:
            seen = epoch.validation.get("accuracy", -epoch.validation["loss"])
            trial.report(seen, epoch.epoch)
            if trial.should_prune():
                trial.set_user_attr("ending", f"pruned in epoch {epoch.epoch}")
                raise optuna.TrialPruned

        try:
            done = run(
                task, "main", recipe.seeds[0], store=self.store, progress=self.progress, watch=watch
            )
            trial.set_user_attr("parameters", done.parameters)
            trial.set_user_attr("unconverged", done.unconverged)
            trial.set_user_attr("accuracy", accuracy_of(task, done))
            return self.score.of(task, done)
        except (DivergedError, UnscoredError) as error:
            trial.set_user_attr("ending", str(error))
            raise optuna.TrialPruned from error

    def _task(self, recipe: Recipe) -> Task:
        """The task at a point; read anew only where a point changes what is read."""
        if _read(recipe) == _read(self.task.recipe):
            return replace(self.task, recipe=recipe)
        return prepare(recipe, self.task.base, self.store, self.progress, self.dataset)


def _read(recipe: Recipe) -> object:
    """What of a recipe `prepare` looks at: all but the size of the student, and training."""
    student = recipe.student.model_dump(exclude={"args"})
    objectives = recipe.objectives.model_dump()
    response = objectives.get("response")
    if response is not None:
        for name in ("temperature", "soft_weight", "hard_weight"):
            response[name] = response[name] > 0
    return student, objectives


def _go_on(study: optuna.Study, tried: _Tried, wanted: int, progress: Progress) -> int:
    before = count(study, *FINISHED)
    advance = progress("trials", wanted)
    advance(before)
    trained = 0
    # What others run now counts: together they are to try no more than asked for.
    while count(study, *FINISHED, TrialState.RUNNING) < wanted:
        study.optimize(tried, n_trials=1)
        trained += 1
        done = count(study, *FINISHED)
        advance(done - before, text=_said(study))
        before = done
    return trained


def _identity(
    task: Task,
    options: SearchTable,
    written: Mapping[str, Any],
    space: Space,
    score: Score,
) -> str:
    """Everything the score of a trial depends on, and how points are drawn; not how many."""
    kept = {key: value for key, value in written.items() if key not in ("out", "controls", "seeds")}
    return json_digest(
        {
            "format": FORMAT,
            "recipe": kept,
            "seed": task.recipe.seeds[0],
            "space": {path: shown(dimension) for path, dimension in space.items()},
            "search": options.model_dump(exclude={"trials", "storage", "space"}),
            "score": [score.name, dict(score.rests_on)],
            "transfer": tensor_digest(task.transfer.tensors()),
            "validation": tensor_digest(task.validation.tensors()),
            "teacher": None if task.teacher is None else dict(task.teacher),
            "factory": task.factory.digest,
            "torch": version("torch"),
        }
    )


def _found(study: optuna.Study, tried: _Tried, options: SearchTable, trained: int) -> Found:
    every = study.get_trials(deepcopy=False)
    finished = [trial for trial in every if trial.state in FINISHED]
    trials = tuple(
        sorted((_trial(trial, draw_of(trial, every)) for trial in finished), key=lambda t: t.draw)
    )
    complete = [trial for trial in trials if trial.value is not None]
    if not complete:
        last = f"; the last: {trials[-1].ending}" if trials else ""
        raise DataError(f"none of {len(trials)} trials has a score{last}")
    best = min(complete, key=lambda t: (-(t.value or 0.0), t.parameters or 0, t.draw))
    assert best.value is not None
    said = {path: shown(dimension) for path, dimension in tried.space.items()}
    return Found(
        recipe=tried.name,
        score=tried.score.name,
        study=study.study_name,
        space=said,
        trials=trials,
        best=best,
        trained=trained,
        elsewhere=count(study, TrialState.RUNNING),
        rows=len(tried.task.validation),
        raw=tried.raw,
        searched=SearchedTable(
            trials=len(trials),
            objective=tried.score.name,
            value=best.value,
            sampler=options.sampler,
            seed=options.seed,
            study=study.study_name,
            space=said,
        ),
    )


def _trial(trial: FrozenTrial, draw: int) -> Trial:
    kept = trial.user_attrs
    complete = trial.state is TrialState.COMPLETE
    return Trial(
        draw=draw,
        point={path: decoded(value) for path, value in trial.params.items()},
        ending="complete" if complete else str(kept.get("ending", "pruned")),
        value=trial.value if complete else None,
        accuracy=kept.get("accuracy"),
        parameters=kept.get("parameters"),
        unconverged=str(kept.get("unconverged", "")),
    )


def _said(study: optuna.Study) -> str:
    values = [trial.value for trial in study.get_trials(deepcopy=False, states=FINISHED[:1])]
    return f"best {max(v for v in values if v is not None):.4f}" if values else ""
