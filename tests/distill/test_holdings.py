"""What the store holds for a recipe, recording what it lacks, and never asking twice."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kdaudit.distill.distill import distill
from kdaudit.distill.search.search import search
from kdaudit.distill.targets.holdings import holdings
from kdaudit.errors import DataError
from kdaudit.evidence import record as recording
from kdaudit.evidence import record_truncated as truncating
from kdaudit.evidence.store import Store
from kdaudit.models.torch import TorchModel
from kdaudit.targets import as_text, targets_of

from .conftest import STUDENT
from .test_partial_targets import in_form

TRANSFER, VALIDATION = 179, 49
ALONE = "[controls]\nhard = false\nlabel_smoothing = 0.0\nshuffled = false\n"
TOP_K = '[targets]\nkind = "top_k"\nk = 2\ntemperatures = [1.0, 3.0]\n'
Columns = Mapping[str, npt.NDArray[np.generic]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows the teacher was run on, call by call."""
    rows, predict = list[int](), TorchModel.predict

    def counted(self: TorchModel, columns: Columns) -> Any:
        rows.append(len(next(iter(columns.values()))))
        return predict(self, columns)

    monkeypatch.setattr(TorchModel, "predict", counted)
    return rows


@pytest.fixture
def ready(project: Path, store: Store, asked: list[int]) -> Path:
    """The project with its teacher made, and nothing recorded."""
    distill(project / "teacher.toml", store=store)
    for entry in (store.root / "predictions").glob("*/*/*"):
        entry.unlink()
    asked.clear()
    return project


def student(project: Path, more: str = "") -> Path:
    (project / "student.toml").write_text(
        f"{STUDENT.replace('epochs = 6', 'epochs = 5')}{ALONE}{more}"
    )
    return project / "student.toml"


@pytest.mark.parametrize("more", ["", TOP_K])
def test_no_epoch_but_the_first_and_no_further_trial_asks_the_teacher(
    ready: Path, store: Store, asked: list[int], more: str
) -> None:
    recipe = student(ready, more)
    done = distill(recipe, store=store)
    assert done.trained_steps == 5 * 3  # five epochs
    assert sum(asked) == TRANSFER + VALIDATION  # each row once
    asked.clear()
    space = '[search]\ntrials = 3\n[search.space]\n"train.learning_rate" = [0.003, 0.01, 0.02]\n'
    space += '"objectives.response.temperature" = [1.0, 3.0]\n'
    recipe.write_text(recipe.read_text() + space)
    found = search(recipe, store=store)
    assert found.trained == 3
    assert asked == []


def test_recording_and_training_are_two_phases(ready: Path, store: Store, asked: list[int]) -> None:
    recipe = student(ready, "[targets]\nrecord = false\n")
    with pytest.raises(DataError, match="nothing is stored for it"):
        distill(recipe, store=store)
    before = holdings(recipe, store=store, record=False)
    assert [(one.rows, one.recorded, one.complete) for one in before] == [
        (TRANSFER, 0, False),
        (VALIDATION, 0, False),
    ]
    assert asked == []
    after = holdings(recipe, store=store, record=True)
    assert all(one.complete for one in after)
    assert sum(asked) == TRANSFER + VALIDATION
    asked.clear()
    assert distill(recipe, store=store).trained_steps > 0
    assert asked == []


def test_another_teacher_is_refused_by_what_differs(ready: Path, store: Store) -> None:
    recipe = student(ready, "[targets]\nrecord = false\n")
    holdings(recipe, store=store, record=True)
    teacher = ready / "teacher.toml"
    teacher.write_text(teacher.read_text().replace("epochs = 30", "epochs = 3"))
    distill(teacher, store=store)
    with pytest.raises(DataError, match=r"nearest stored differs in the model's folder .*weights"):
        distill(recipe, store=store)


def test_rows_that_changed_are_refused(ready: Path, store: Store) -> None:
    recipe = student(ready, "[targets]\nrecord = false\n")
    holdings(recipe, store=store, record=True)
    rows = ready / "rows.csv"
    lines = rows.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], "9.5", *cells[2:]])
    rows.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"nearest stored differs in the rows \(their inputs"):
        distill(recipe, store=store)


@pytest.mark.parametrize("more", ["", TOP_K])
def test_a_killed_recording_goes_on_where_it_stood(
    ready: Path, store: Store, asked: list[int], more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (recording, truncating):
        monkeypatch.setattr(module, "PART_ROWS", 50)
        monkeypatch.setattr(module, "BATCH_ROWS", 25)
    recipe, counted = student(ready, more), TorchModel.predict

    def dying(self: TorchModel, columns: Columns) -> Any:
        if sum(asked) >= 125:
            raise KeyboardInterrupt
        return counted(self, columns)

    monkeypatch.setattr(TorchModel, "predict", dying)
    with pytest.raises(KeyboardInterrupt):
        holdings(recipe, store=store, record=True)
    there = holdings(recipe, store=store, record=False)
    assert [one.recorded for one in there] == [100, 0]
    assert there[0].bytes
    monkeypatch.setattr(TorchModel, "predict", counted)
    asked.clear()
    after = holdings(recipe, store=store, record=True)
    assert sum(asked) == TRANSFER - 100 + VALIDATION
    assert all(one.complete for one in after)
    assert after[0].accuracy is not None
    assert after[0].accuracy > 0.8


def test_what_is_shown_of_a_truncated_store(ready: Path, store: Store) -> None:
    found = holdings(student(ready, TOP_K), store=store, record=True)
    one = found[0]
    assert (one.kind, one.k, one.classes, one.temperatures) == ("top_k", 2, 3, (1.0, 3.0))
    text = as_text(found)
    assert "transfer: 179 of 179 rows" in text
    assert "kind top_k, k = 2, 3 classes, float32, usable at T = 1, 3" in text
    assert text.endswith("complete: training runs no teacher for these\n")


def test_what_is_shown_of_a_file(project: Path, store: Store) -> None:
    in_form("counts").to_csv(project / "teacher.csv", index=False)
    audit = project / "audit.toml"
    audit.write_text(
        audit.read_text().replace('distill = "teacher.toml"', 'predictions = "teacher.csv"')
    )
    found = holdings(student(project), store=store, record=False)
    assert [(one.kind, one.bytes, one.complete) for one in found] == [("counts", None, True)] * 2
    assert "samples per row: 8 on average" in as_text(found)


def test_stored_views_are_counted_one_by_one(ready: Path, store: Store) -> None:
    augment = "def more(columns, generator):\n    return {k: v + 1 for k, v in columns.items()}\n"
    (ready / "aug.py").write_text(augment)
    text = STUDENT.replace("encode =", 'augment = "aug:more"\nencode =')
    (ready / "student.toml").write_text(f"{text}{ALONE}[targets]\nviews = 2\n")
    recipe = ready / "student.toml"
    found = holdings(recipe, store=store, record=True)
    assert [(one.split, one.variant) for one in found] == [
        ("transfer", "as-is"),
        ("validation", "as-is"),
        ("transfer", "view 0"),
        ("transfer", "view 1"),
    ]
    assert all(one.complete for one in found)


def test_the_command_shows_and_records(
    ready: Path, monkeypatch: pytest.MonkeyPatch, kdaudit: Callable[..., Any]
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(ready)
    student(ready)
    shown = kdaudit("targets", "student.toml")
    assert shown.code == 0, shown.err
    assert "228 rows are missing: the same command with --record asks for them" in shown.out
    told = json.loads(kdaudit("targets", "student.toml", "--record", "--json").out)
    assert [(one["rows"], one["complete"]) for one in told] == [(179, True), (49, True)]
    assert told[0]["accuracy"] > 0.8
    assert len(told[0]["model"]) == len(told[0]["evidence"]) == 64
    assert targets_of(Path("student.toml"))[0].complete
    refused = kdaudit("targets", "teacher.toml")
    assert (refused.code, "learns from labels alone" in refused.err) == (2, True)


def test_a_teacher_that_is_still_to_be_trained_is_named(
    project: Path, kdaudit: Callable[..., Any]
) -> None:
    said = kdaudit("targets", str(project / "student.toml"))
    assert said.code == 2
    assert "made by teacher.toml, which was not trained yet: run `kdaudit distill" in said.err
