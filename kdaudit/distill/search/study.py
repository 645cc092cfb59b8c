"""The study of a search: Optuna's record of trials, in a database that survives and is shared.

Every trial has a *draw*: 0, 1, 2 …; what is drawn depends on the seed, the draw and the trials
before it. A trial whose process died is taken up again under its own draw, so a search that was
killed and continued ends where one that was not would have.

Several processes may share a study. Nobody locks it: a trial is begun, and given up at once if its
draw is already another's, or more than was asked for.
"""

import json
import os
import random
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError

from kdaudit.distill.search.space import Point, Space, grid
from kdaudit.distill.search.table import RangeTable, Sampler
from kdaudit.errors import ConfigError
from kdaudit.stats.random import stream

DRAW, OWNER = "draw", "owner"
SIGNED = timedelta(minutes=1)
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
CLAIMED = (*FINISHED, TrialState.RUNNING)
TRIES = 5
BUSY = 60  # seconds to wait for SQLite, which others write to


class TakenError(Exception):
    """The draw of a trial is another trial's, or more than was asked for."""


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
        number, _ = draws(study)[trial.number]
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


def draws(study: optuna.Study) -> dict[int, tuple[int, FrozenTrial]]:
    """Draw and trial by number: a draw is the number, not counting trials that repeat another."""
    found, fresh = {}, 0
    for trial in sorted(study.get_trials(deepcopy=False), key=lambda t: t.number):
        again = trial.user_attrs.get(DRAW)
        found[trial.number] = (fresh if again is None else int(again), trial)
        fresh += again is None
    return found


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
    """The study of that name, new or as it was left.

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
    pruner = MedianPruner(n_startup_trials=5, n_warmup_steps=warm_up) if prune else NopPruner()
    try:
        return _opened(url, name, sampler, pruner)
    except Exception as error:
        where = "the file in the store" if storage is None else storage.partition(":")[0]
        raise ConfigError(
            f"the storage of the search ({where}) cannot be used: {type(error).__name__}; give a "
            "URL as SQLAlchemy takes it, whose driver is installed, e.g. "
            'storage = "postgresql://host/studies"'
        ) from error


def _opened(url: str, name: str, sampler: BaseSampler, pruner: BasePruner) -> optuna.Study:
    """The study; of several processes that make the same tables at once all but one fail, once."""
    waits = {"connect_args": {"timeout": BUSY}} if url.startswith("sqlite") else None
    for left in reversed(range(TRIES)):
        try:
            return optuna.create_study(
                storage=RDBStorage(url, engine_kwargs=waits),
                study_name=name,
                sampler=sampler,
                pruner=pruner,
                direction="maximize",
                load_if_exists=True,
            )
        except (DBAPIError, StorageInternalError):
            if not left:
                raise
            time.sleep(random.random())  # noqa: S311  # so that they do not meet again
    raise AssertionError


def begin(trial: optuna.Trial, wanted: int) -> None:
    """Sign a trial, unless it is not to be run: two processes may begin the same draw.

    Args:
        trial: just begun.
        wanted: draws that are asked for.

    Raises:
        TakenError: if it is not; of several trials of a draw the first is run.
    """
    trial.set_user_attr(OWNER, owner(os.getpid()))
    found = draws(trial.study)
    own, _ = found.pop(trial.number)
    earlier = [(draw, t) for number, (draw, t) in found.items() if number < trial.number]
    if own >= wanted or any(draw == own and t.state is not TrialState.FAIL for draw, t in earlier):
        raise TakenError


def unclaimed(study: optuna.Study, wanted: int) -> bool:
    """Whether a draw that is asked for is neither done nor being run."""
    claimed = {draw for draw, trial in draws(study).values() if trial.state in CLAIMED}
    return not claimed.issuperset(range(wanted))


def running_here(study: optuna.Study) -> int:
    """How many trials other processes of this host are running; of other hosts nothing is known."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    who = [trial.user_attrs.get(OWNER) for trial in running]
    return sum(one is None or _host(one) == socket.gethostname() for one in who)


def revive(study: optuna.Study, wanted: int) -> None:
    """Queue what failed or was left by a process of this host that is no more, or by this one.

    Args:
        study: the study.
        wanted: draws that are asked for.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _dead(trial):
            # Another process may have said so meanwhile.
            with suppress(ValueError, RuntimeError):
                study.tell(trial.number, state=TrialState.FAIL)
    found = draws(study).values()
    going = {draw for draw, trial in found if trial.state is not TrialState.FAIL}
    for draw, trial in found:
        if draw < wanted and draw not in going:
            going.add(draw)
            study.enqueue_trial(trial.params, user_attrs={DRAW: draw})


def owner(process: int) -> str:
    """Who runs a trial: a process of this host, and when it began, as numbers are given anew."""
    return f"{socket.gethostname()}:{process}:{_began(process)}"


def _host(who: str) -> str:
    return who.rsplit(":", 2)[0]


def _began(process: int) -> str:
    """When a process began, in clock ticks since the machine did; empty where nobody tells."""
    try:
        said = Path(f"/proc/{process}/stat").read_text("utf-8")
    except OSError:
        return ""
    return said.rpartition(")")[2].split()[19]


def _dead(trial: FrozenTrial) -> bool:
    """Whether its process, if of this host, is gone; nothing is known of other hosts."""
    who = trial.user_attrs.get(OWNER)
    if who is None:  # its process signs it at once, or died before it could
        begun = trial.datetime_start
        return begun is not None and datetime.now() - begun > SIGNED  # noqa: DTZ005  # as Optuna's
    if who == owner(os.getpid()):  # which is between two trials
        return True
    host, process, began = who.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is there, and another user's
    return bool(began != _began(int(process)))


def count(study: optuna.Study, *states: TrialState) -> int:
    """How many trials are in one of these states."""
    return len(study.get_trials(deepcopy=False, states=states))
