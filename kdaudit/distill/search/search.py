"""Search the space of a recipe: train at many points, and keep the best on the validation split.

What is best here is the best of many, and its score is too good by that; the audit of the model
that is distilled from it is not.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from kdaudit.data.audit_file import parse, read_toml
from kdaudit.distill.search.kind import Kind, Score, UnscoredError
from kdaudit.distill.search.rows import ROWS
from kdaudit.distill.search.space import Space, at, grid, shown, space_of
from kdaudit.distill.search.study import (
    FINISHED,
    Drawing,
    TakenError,
    begin,
    count,
    decoded,
    draws,
    open_study,
    revive,
    running_here,
    suggest,
    unclaimed,
)
from kdaudit.distill.search.table import SearchedTable, SearchTable
from kdaudit.distill.search.turn import in_turn
from kdaudit.distill.training.train import DivergedError
from kdaudit.errors import DataError
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import json_digest
from kdaudit.lineage import Epoch
from kdaudit.models.torch import threads
from kdaudit.progress import Progress, silent

FORMAT = 2  # raised when the same trial would have another score, or be kept otherwise
LOOK = 0.5  # seconds between two looks at what other processes still run


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One point that was tried.

    Attributes:
        draw: which one, from 0.
        point: value by field.
        ending: ``complete``; ``pruned``, with an epoch; or why there is no score.
        value: the score, or None.
        measured: how well it does on validation, whatever the score is; or None.
        parameters: number of weights, or None.
        unconverged: why its training is not taken to have converged, or empty.
    """

    draw: int
    point: Mapping[str, Any]
    ending: str
    value: float | None
    measured: float | None
    parameters: int | None
    unconverged: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to.

    Attributes:
        recipe: its file's name.
        kind: what kind of recipe it is; says what is measured of every trial.
        score: what was maximised.
        study: its name in the storage.
        space: by field, for people.
        trials: all that are finished, in the order of their draws.
        best: of the highest score, then of the fewest weights, then the first.
        trained: trials run just now.
        elsewhere: trials that other machines are running.
        validation: rows or blocks of the validation split.
        raw: the recipe as written, before any point.
        searched: what the best recipe says of its origin.
    """

    recipe: str
    kind: Kind[Any, Any]
    score: str
    study: str
    space: Mapping[str, str]
    trials: tuple[Trial, ...]
    best: Trial
    trained: int
    elsewhere: int
    validation: int
    raw: Mapping[str, Any]
    searched: SearchedTable


def search(
    recipe_path: Path,
    *,
    store: Store,
    kind: Kind[Any, Any] = ROWS,
    score: Score[Any] | None = None,
    progress: Progress = silent,
) -> Found:
    """Try what is left to try, and say what was best of all that was ever tried.

    Each trial trains the recipe's first seed, without controls: the recipe that is written at the
    end trains them all, and finds this one in the store. Other processes may search with the same
    storage: what they run is left to them, and those of this machine are waited for.

    Args:
        recipe_path: the recipe; without ``[search]`` the usual ranges are searched by TPE.
        store: of the teacher's recordings, of checkpoints, and of the study.
        kind: what kind of recipe it is.
        score: what to maximise; None for the kind's own.
        progress: shows trials, and their training.

    Raises:
        KdauditError: for whatever the user can mend.
    """
    raw = read_toml(recipe_path, "recipe")
    recipe = parse(raw, kind.table, recipe_path.name)
    options = recipe.search or SearchTable()
    recipe = recipe.model_copy(update={"search": options})
    written = {key: value for key, value in raw.items() if key not in ("search", "searched")}
    space = space_of(kind, written, recipe, recipe_path.name)
    score = score or kind.own
    trials = len(grid(space)) if options.sampler == "grid" else options.trials
    wanted = min(trials, options.trials)
    with threads(recipe.train.threads):
        with in_turn(store, progress):
            prepared = kind.opened(recipe, recipe_path.parent, store, progress)
            task = prepared(recipe)
        name = f"{recipe_path.stem}-{_identity(kind, task, options, written, space, score)[:16]}"
        study = open_study(
            name=name,
            storage=options.storage,
            folder=store.root / "searches",
            sampler=Drawing(kind=options.sampler, seed=options.seed, space=space),
            warm_up=recipe.train.epochs // 10,
            prune=options.pruner == "median",
        )
        tried = _Tried(
            kind=kind,
            task=task,
            prepared=prepared,
            raw=written,
            name=recipe_path.name,
            space=space,
            score=score,
            wanted=wanted,
            store=store,
            progress=progress,
        )
        trained = _go_on(study, tried, progress)
    return _found(study, tried, options, trained)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tried:
    """One trial: draw a point, train there, score it."""

    kind: Kind[Any, Any]
    task: Any
    prepared: Callable[[Any], Any]
    raw: Mapping[str, Any]
    name: str
    space: Space
    score: Score[Any]
    wanted: int
    store: Store
    progress: Progress

    def __call__(self, trial: optuna.Trial) -> float:
        begin(trial, self.wanted)
        point = suggest(trial, self.space)
        recipe = at(self.kind, self.raw, point, self.name)
        task = self._task(recipe)

        def watch(epoch: Epoch) -> None:
            trial.report(self.kind.seen(epoch), epoch.epoch)
            if trial.should_prune():
                trial.set_user_attr("ending", f"pruned in epoch {epoch.epoch}")
                raise optuna.TrialPruned

        try:
            done = self.kind.run(
                task, "main", recipe.seeds[0], store=self.store, progress=self.progress, watch=watch
            )
            trial.set_user_attr("parameters", done.parameters)
            trial.set_user_attr("unconverged", done.unconverged)
            measured = _finite(self.kind.own.of(task, done))
            trial.set_user_attr("measured", measured)
            own = self.score is self.kind.own
            return measured if own else _finite(self.score.of(task, done))
        except (DivergedError, UnscoredError) as error:
            trial.set_user_attr("ending", str(error))
            raise optuna.TrialPruned from error

    def _task(self, recipe: Any) -> Any:
        """The task at a point; made anew only where a point changes what it is made of."""
        if self.kind.read(recipe) == self.kind.read(self.task.recipe):
            return replace(self.task, recipe=recipe)
        with in_turn(self.store, self.progress):
            return self.prepared(recipe)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise UnscoredError(f"its score is {value}")
    return value


def _go_on(study: optuna.Study, tried: _Tried, progress: Progress) -> int:
    """Until all that is wanted is done, by whomever; how many trials were run here."""
    advance = progress("trials", tried.wanted)
    before, ours = 0, list[int]()

    def ended(_study: optuna.Study, trial: FrozenTrial) -> None:
        if trial.state in FINISHED:
            ours.append(trial.number)

    while True:
        done = count(study, *FINISHED)
        advance(done - before, text=_said(study))
        before = done
        revive(study, tried.wanted)
        if unclaimed(study, tried.wanted):
            study.optimize(tried, n_trials=1, catch=(TakenError,), callbacks=[ended])
        elif others := running_here(study):
            advance(0, text=f"waiting for {others:,} of other processes")
            time.sleep(LOOK)
        else:
            return len(ours)


def _identity(
    kind: Kind[Any, Any],
    task: Any,
    options: SearchTable,
    written: Mapping[str, Any],
    space: Space,
    score: Score[Any],
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
            "torch": version("torch"),
            **kind.facts(task),
        }
    )


def _found(study: optuna.Study, tried: _Tried, options: SearchTable, trained: int) -> Found:
    finished = [_trial(t, draw) for draw, t in draws(study).values() if t.state in FINISHED]
    trials = tuple(sorted(finished, key=lambda t: t.draw))
    complete = [trial for trial in trials if trial.value is not None]
    if not complete:
        last = f"; the last: {trials[-1].ending}" if trials else ""
        raise DataError(f"none of {len(trials)} trials has a score{last}")
    best = min(complete, key=lambda t: (-(t.value or 0.0), t.parameters or 0, t.draw))
    assert best.value is not None
    said = {path: shown(dimension) for path, dimension in tried.space.items()}
    return Found(
        recipe=tried.name,
        kind=tried.kind,
        score=tried.score.name,
        study=study.study_name,
        space=said,
        trials=trials,
        best=best,
        trained=trained,
        elsewhere=count(study, TrialState.RUNNING),
        validation=len(tried.task.validation),
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
        measured=kept.get("measured"),
        parameters=kept.get("parameters"),
        unconverged=str(kept.get("unconverged", "")),
    )


def _said(study: optuna.Study) -> str:
    values = [trial.value for trial in study.get_trials(deepcopy=False, states=FINISHED[:1])]
    return f"best {max(v for v in values if v is not None):.4f}" if values else ""
