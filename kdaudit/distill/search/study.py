"""The study of a search: Optuna's record of trials, in a database that survives and is shared.

Every trial has a *draw*: 0, 1, 2 …; what is drawn depends on the seed, the draw and the trials
before it. A trial whose process died is taken up again under its own draw, so a search that was
killed and continued ends where one that was not would have.
"""

import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from kdaudit.distill.search.space import Point, Space, grid
from kdaudit.distill.search.table import RangeTable, Sampler
from kdaudit.errors import ConfigError
from kdaudit.stats.random import stream

DRAW, OWNER = "draw", "owner"
SIGNED = timedelta(minutes=1)
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(slots=True, kw_only=True, eq=False)
class Drawing(BaseSampler):
    """One of Optuna's samplers, seeded anew for every draw.

    Optuna seeds a sampler once per process: a search that was stopped and continued would draw its
    first points again, and so would every machine that joins.

    Attributes:
        kind: which sampler.
        seed: of all draws.
        space: for a grid.
        now: the sampler of the trial that is being drawn.
        point: the point of a grid that is being drawn.
    """

    kind: Sampler
    seed: int
    space: Space
    now: BaseSampler = field(default_factory=RandomSampler)
    point: Point = field(default_factory=dict)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed by the draw."""
        number = draw_of(trial, study.get_trials(deepcopy=False))
        seed = int(stream(self.seed, "search", str(number)).integers(2**31))
        if self.kind == "grid":
            # The order of a grid is drawn, so that one that is cut short has looked everywhere.
            whole = grid(self.space)
            order = stream(self.seed, "grid").permutation(len(whole))
            self.point = whole[int(order[number % len(whole)])]
        elif self.kind == "tpe":
            self.now = TPESampler(seed=seed, constant_liar=True)
        else:
            self.now = RandomSampler(seed=seed)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As the sampler does."""
        return self.now.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler does."""
        return self.now.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """As the sampler does, or the point of the grid."""
        if self.kind == "grid":
            value = self.point[param_name]
            dimension = self.space[param_name]
            return value if isinstance(dimension, RangeTable) else coded(value)
        return self.now.sample_independent(study, trial, param_name, param_distribution)


def draw_of(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int:
    """The draw of a trial: its number, not counting trials that repeated an earlier draw."""
    again = trial.user_attrs.get(DRAW)
    if again is not None:
        return int(again)
    return sum(one.number < trial.number and DRAW not in one.user_attrs for one in trials)


def coded(value: object) -> str | int | float | bool | None:
    """A value as Optuna's categories take it: plain ones as they are, others as JSON.

    >>> coded([16, 8]), coded("relu")
    ('json:[16, 8]', 'relu')
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return f"json:{json.dumps(value)}"


def decoded(value: Any) -> Any:
    """The value again.

    >>> decoded(coded([16, 8]))
    [16, 8]
    """
    if isinstance(value, str) and value.startswith("json:"):
        return json.loads(value.removeprefix("json:"))
    return value


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Any]:
    """The point of one trial."""
    point: dict[str, Any] = {}
    for path, dimension in space.items():
        if not isinstance(dimension, RangeTable):
            found = trial.suggest_categorical(path, [coded(one) for one in dimension])
            point[path] = decoded(found)
        elif dimension.whole:
            low, high = int(dimension.low), int(dimension.high)
            point[path] = trial.suggest_int(path, low, high, log=dimension.log)
        else:
            low_, high_ = float(dimension.low), float(dimension.high)
            point[path] = trial.suggest_float(path, low_, high_, log=dimension.log)
    return point


def open_study(
    *,
    name: str,
    storage: str | None,
    folder: Path,
    sampler: Drawing,
    warm_up: int,
    prune: bool,
) -> optuna.Study:
    """The study of that name, new or as it was left, with dead trials waiting to be run again.

    Args:
        name: says by its digest what is searched; another search is another study.
        storage: URL, or None for a file in ``folder``.
        folder: made if it is needed.
        sampler: draws points.
        warm_up: epochs before the pruner looks.
        prune: whether it looks at all.

    Raises:
        ConfigError: if there is no such database.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if storage is None:
        folder.mkdir(parents=True, exist_ok=True)
    url = storage or f"sqlite:///{(folder / f'{name}.db').resolve()}"
    pruner = (
        optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=warm_up)
        if prune
        else optuna.pruners.NopPruner()
    )
    try:
        study = optuna.create_study(
            storage=url,
            study_name=name,
            sampler=sampler,
            pruner=pruner,
            direction="maximize",
            load_if_exists=True,
        )
    except Exception as error:
        where = "the file in the store" if storage is None else storage.partition(":")[0]
        raise ConfigError(
            f"the storage of the search ({where}) cannot be used: {type(error).__name__}; give a "
            "URL as SQLAlchemy takes it, whose driver is installed, e.g. "
            'storage = "postgresql://host/studies"'
        ) from error
    revive(study)
    return study


def owner() -> str:
    """Who runs a trial: this host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def revive(study: optuna.Study) -> None:
    """Queue what failed or was left by a process of this host that is no more."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _dead(trial):
            # Another process may have said so meanwhile.
            with suppress(ValueError, RuntimeError):
                study.tell(trial.number, state=TrialState.FAIL)
    trials = study.get_trials(deepcopy=False)
    going = {draw_of(t, trials) for t in trials if t.state is not TrialState.FAIL}
    for trial in trials:
        number = draw_of(trial, trials)
        if trial.state is TrialState.FAIL and number not in going:
            going.add(number)
            study.enqueue_trial(trial.params, user_attrs={DRAW: number})


def _dead(trial: FrozenTrial) -> bool:
    """Whether its process, if of this host, is gone; nothing is known of other hosts."""
    who = trial.user_attrs.get(OWNER)
    if who is None:  # its process signs it at once, or died before it could
        begun = trial.datetime_start
        return begun is not None and datetime.now() - begun > SIGNED  # noqa: DTZ005  # as Optuna's
    host, _, process = who.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def count(study: optuna.Study, *states: TrialState) -> int:
    """How many trials are in one of these states."""
    return len(study.get_trials(deepcopy=False, states=states))
