import json
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kdaudit.distill.distill import distill
from kdaudit.distill.training.course import Course
from kdaudit.distill.training.metrics import Metrics, closing
from kdaudit.distill.training.trackers import trackers
from kdaudit.errors import ConfigError
from kdaudit.evidence.store import Store
from kdaudit.lineage import Epoch

tensorboard = pytest.mark.skipif(
    find_spec("tensorboard") is None, reason="tensorboard is not installed"
)


def course(epochs: int) -> Course:
    """Five steps and two seconds an epoch."""
    curve = tuple(
        Epoch(epoch=i, train={"hard": 1 / i, "total": 1 / i}, validation={"loss": 2 / i})
        for i in range(1, epochs + 1)
    )
    return Course(
        epoch=epochs, steps=5 * epochs, best_loss=1.0, curve=curve, wall_seconds=2.0 * epochs
    )


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_says_what_an_epoch_was(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    metrics(course(0))
    metrics(course(1))
    assert lines(tmp_path) == [
        {
            "epoch": 1,
            "steps": 5,
            "seconds": 2.0,
            "steps_per_second": 2.5,
            "train": {"hard": 1.0, "total": 1.0},
            "validation": {"loss": 2.0},
        }
    ]


@pytest.mark.parametrize("torn", ["", '{"epoch": 3, "st'])
def test_a_run_taken_up_again_repeats_no_epoch_and_leaves_none_out(
    tmp_path: Path, torn: str
) -> None:
    """Killed after the checkpoint of epoch 3, before or while its line was written."""
    first = Metrics(tmp_path)
    for epochs in (0, 1, 2):
        first(course(epochs))
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    again = Metrics(tmp_path)
    for epochs in (3, 4, 5):
        again(course(epochs))
    found = lines(tmp_path)
    assert [line["epoch"] for line in found] == [1, 2, 3, 4, 5]
    assert [line["seconds"] for line in found] == [2.0, 2.0, None, 2.0, 2.0]
    assert [line["steps"] for line in found] == [5, 10, 15, 20, 25]


def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdaudit.distill.training.trackers.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r'trackers = \["mlflow"\] .* pip install mlflow'):
        trackers(["mlflow"], "a run", tmp_path, {})


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The numbers in TensorBoard's files."""
    event_accumulator = import_module("tensorboard.backend.event_processing.event_accumulator")
    found: dict[str, list[tuple[int, float]]] = {}
    for file in folder.rglob("events.out.tfevents.*"):
        events = event_accumulator.EventAccumulator(str(file)).Reload()
        for tag in events.Tags()["scalars"]:
            points = [(one.step, one.value) for one in events.Scalars(tag)]
            found[tag] = sorted([*found.get(tag, []), *points])
    return found


@tensorboard
def test_tensorboard_is_told_every_epoch_once(tmp_path: Path) -> None:
    for epochs in ((0, 1, 2), (2, 3)):
        with closing(trackers(["tensorboard"], "arm", tmp_path, {"epochs": 3})) as told:
            metrics = Metrics(tmp_path, told)
            for epoch in epochs:
                metrics(course(epoch))
    found = read(tmp_path / "tensorboard")
    assert found["train/hard"] == [(5, 1.0), (10, 0.5), (15, pytest.approx(1 / 3))]
    assert [step for step, _ in found["validation/loss"]] == [5, 10, 15]


@tensorboard
def test_a_recipe_writes_a_line_per_epoch_and_tells_its_trackers(
    project: Path, store: Store
) -> None:
    distill(project / "teacher.toml", store=store)
    recipe = project / "student.toml"
    shorter = recipe.read_text().replace("epochs = 6", "epochs = 2")
    recipe.write_text(f'{shorter}\ntrackers = ["tensorboard"]')
    done = distill(recipe, store=store)
    written = [path.parent for path in store.root.rglob("metrics.jsonl")]
    own = [folder for folder in written if len(lines(folder)) == 2]
    assert len(own) == len(done.lineage.arms) == 4
    for folder in own:
        assert [step for step, _ in read(folder)["train/total"]] == [
            line["steps"] for line in lines(folder)
        ]
    recipe.write_text(shorter)
    again = distill(recipe, store=store)
    assert again.trained_steps == 0
    assert replace(again.lineage, source={}) == replace(done.lineage, source={})
