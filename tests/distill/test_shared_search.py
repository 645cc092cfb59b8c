"""Several processes that share one search."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from kdaudit.distill.distill import distill
from kdaudit.distill.search.search import search
from kdaudit.distill.search.study import (
    DRAW,
    OWNER,
    Drawing,
    TakenError,
    begin,
    draws,
    open_study,
    owner,
    revive,
    running_here,
    unclaimed,
)
from kdaudit.evidence.store import Store
from kdaudit.progress import Advance

TOGETHER = """
import json, sys, time
from pathlib import Path
from kdaudit.distill.search.search import search
from kdaudit.evidence.store import Store

me, other, store = sys.argv[1:]
Path(me).touch()
while not Path(other).exists():
    time.sleep(0.01)
found = search(Path("student.toml"), store=Store(Path(store)))
trials = [[t.draw, dict(t.point), t.value] for t in found.trials]
told = {"trained": found.trained, "elsewhere": found.elsewhere, "trials": trials,
        "best": [found.best.draw, found.best.value], "searched": found.searched.model_dump()}
Path(f"{me}.json").write_text(json.dumps(told))
"""


def ask_for(project: Path, **options: object) -> Path:
    """Add a [search] of the learning rate to the student's recipe, which trains for an epoch."""
    told = "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())
    path = project / "student.toml"
    text = path.read_text("utf-8").replace("epochs = 6", "epochs = 1")
    space = '"train.learning_rate" = { low = 1e-3, high = 1e-2, log = true }'
    path.write_text(f"{text}\n[search]\n{told}[search.space]\n{space}\n", "utf-8")
    return path


@pytest.fixture
def ready(project: Path, store: Store) -> Path:
    """The project, with its teacher made."""
    distill(project / "teacher.toml", store=store)
    return project


@pytest.mark.parametrize("by", ["store", "url"])
def test_processes_share_the_trials_out_and_end_with_the_same_best(
    ready: Path, store: Store, by: str
) -> None:
    stores = [store.root, store.root]
    options: dict[str, object] = {"trials": 6, "sampler": "random", "pruner": "none"}
    if by == "url":
        stores[1] = Path(shutil.copytree(store.root, ready / "other"))
        options["storage"] = f"sqlite:///{ready / 'shared.db'}"
    recipe = ask_for(ready, **options)
    names = ("one", "two")
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, name, names[1 - i], str(stores[i])], cwd=ready
        )
        for i, name in enumerate(names)
    ]
    assert [process.wait(120) for process in begun] == [0, 0]
    one, two = (json.loads((ready / f"{name}.json").read_text("utf-8")) for name in names)
    assert one["trained"] + two["trained"] == 6
    assert min(one["trained"], two["trained"]) > 0
    assert [draw for draw, _, _ in one["trials"]] == list(range(6))
    assert len({point["train.learning_rate"] for _, point, _ in one["trials"]}) == 6
    for name in ("trials", "best", "searched", "elsewhere"):
        assert one[name] == two[name]
    assert one["elsewhere"] == 0
    # Random points come from seed and draw alone, so one process finds the same.
    assert search(recipe, store=store).trained == 0
    shutil.rmtree(store.root / "searches")
    (ready / "shared.db").unlink(missing_ok=True)
    alone = search(recipe, store=store)
    assert [[t.draw, dict(t.point), t.value] for t in alone.trials] == one["trials"]


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return open_study(
        name="shared",
        storage=None,
        folder=tmp_path,
        sampler=Drawing(kind="random", seed=0, space={}),
        warm_up=0,
        prune=False,
    )


def fail(study: optuna.Study, trial: optuna.Trial) -> None:
    study.tell(trial, state=optuna.trial.TrialState.FAIL)


def test_of_two_that_take_up_the_same_draw_one_gives_way(study: optuna.Study) -> None:
    fail(study, study.ask())
    for _ in range(2):  # as two processes would, each before it sees the other's
        study.enqueue_trial({}, user_attrs={DRAW: 0})
    first, second = study.ask(), study.ask()
    with pytest.raises(TakenError):
        begin(second, wanted=1)
    fail(study, second)
    begin(first, wanted=1)
    study.tell(first, 0.5)
    revive(study, wanted=1)
    assert not unclaimed(study, wanted=1)
    assert len(study.trials) == 3, "nothing was queued for what gave way"


def test_a_draw_beyond_what_is_asked_for_is_given_up_and_is_there_for_a_longer_search(
    study: optuna.Study,
) -> None:
    wanted, surplus = study.ask(), study.ask()
    begin(wanted, wanted=1)
    with pytest.raises(TakenError):
        begin(surplus, wanted=1)
    study.tell(wanted, 0.5)
    fail(study, surplus)
    revive(study, wanted=1)
    assert len(study.trials) == 2
    assert unclaimed(study, wanted=2)
    revive(study, wanted=2)
    again = study.ask()
    begin(again, wanted=2)
    fresh = study.ask()
    assert [draws(study)[one.number][0] for one in (again, fresh)] == [1, 2]


def test_what_a_process_that_is_waited_for_leaves_behind_is_taken_up(
    ready: Path, store: Store
) -> None:
    recipe = ask_for(ready, trials=2, sampler="random", pruner="none")
    expected = search(recipe, store=Store(shutil.copytree(store.root, ready / "other")))
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    study = open_study(
        name=expected.study,
        storage=None,
        folder=store.root / "searches",
        sampler=Drawing(kind="random", seed=0, space={}),
        warm_up=0,
        prune=False,
    )
    study.ask().set_user_attr(OWNER, owner(sleeper.pid))

    def progress(_stage: str, _total: int, /) -> Advance:
        def advance(_done: int, /, text: str = "") -> None:
            if text == "waiting for 1 of other processes":
                sleeper.kill()
                sleeper.wait()

        return advance

    try:
        found = search(recipe, store=store, progress=progress)
    finally:
        sleeper.kill()
    assert sleeper.returncode == -9, "it was waited for"
    assert found.trained == 2
    assert found.trials == expected.trials


def test_a_process_of_the_same_number_is_not_taken_for_the_one_that_died(
    study: optuna.Study,
) -> None:
    theirs = owner(os.getppid())
    host, process, began = theirs.rsplit(":", 2)
    if not began:
        pytest.skip("this system does not say when a process began")
    for who in (theirs, f"{host}:{process}:0", "elsewhere:1:0", owner(os.getpid())):
        study.ask().set_user_attr(OWNER, who)
    revive(study, wanted=4)
    states = [t.state.name for t in study.trials]
    assert states == ["RUNNING", "FAIL", "RUNNING", "FAIL", "WAITING", "WAITING"]
    assert [t.user_attrs for t in study.trials[4:]] == [{DRAW: 1}, {DRAW: 3}]
    assert running_here(study) == 1
