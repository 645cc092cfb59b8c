"""Whole audits through the command line: models run once, the same bytes, and damage is exit 4."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io import dump

Run = Callable[..., Any]
COLUMNS = ["mean_radius", "mean_texture", "mean_area", "mean_concavity"]
AUDIT = f"""
[audit]
name = "tumours"
seed = 1
[data]
path = "sklearn:breast_cancer"
id = "id"
label = "label"
positive = "benign"
inputs = {json.dumps(COLUMNS)}
split = {{ by = "hash", audit = 0.5 }}
[teacher]
sklearn = "teacher.skops"
[student]
sklearn = "student.skops"
[[contract]]
check = "ACC001"
margin = 0.15
[[contract]]
check = "CAL003"
margin = 0.09
[policy.pull_request]
inconclusive = "warn"
[policy.strict]
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    bunch = load_breast_cancer()
    table = pd.DataFrame(bunch.data, columns=[c.replace(" ", "_") for c in bunch.feature_names])
    label = np.array([bunch.target_names[i] for i in bunch.target])
    for name, model in (
        ("teacher", make_pipeline(StandardScaler(), LogisticRegression())),
        ("student", make_pipeline(StandardScaler(), LogisticRegression(C=0.1))),
    ):
        dump(model.fit(table[COLUMNS][::3], label[::3]), folder / f"{name}.skops")
    return folder


@pytest.fixture
def folder(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An audit of two models that run here; timing them is left out."""
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.setattr("kdaudit_suites.latency.Latency.needs", lambda _self: ())
    for path in models.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "audit.toml").write_text(AUDIT, "utf-8")
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_second_run_asks_no_model_and_writes_the_same_bytes(folder: Path, kdaudit: Run) -> None:
    first = kdaudit("run", folder / "audit.toml")
    assert first.code == 3, first.out + first.err
    out = folder / "kdaudit-out" / "tumours"
    assert first.last == f"INCONCLUSIVE card: {out / 'card.html'}"
    rows = json.loads((out / "results.json").read_text())["data"]["rows"]
    assert f"teacher: {rows} rows run, 0 from the store" in first.err
    before = files(out)
    assert {"audit.toml", "results.json", "run.json", "card.html"} <= set(before)

    second = kdaudit("run", folder / "audit.toml")
    assert second.code == 3
    assert second.out == first.out
    for who in ("teacher", "student"):
        assert f"{who}: 0 rows run, {rows} from the store" in second.err
    assert files(out) == before
    assert not [path for path in out.parent.iterdir() if path != out]


def test_another_student_is_asked_and_the_teacher_is_not(folder: Path, kdaudit: Run) -> None:
    kdaudit("run", folder / "audit.toml")
    (folder / "student.skops").write_bytes((folder / "teacher.skops").read_bytes())
    again = kdaudit("run", folder / "audit.toml")
    assert again.code == 0
    assert "teacher: 0 rows run" in again.err
    # The same file answers the same: its evidence is the teacher's.
    assert "student: 0 rows run" in again.err


def test_a_dry_run_says_what_is_left_to_run_and_leaves_it(folder: Path, kdaudit: Run) -> None:
    before = files(folder)
    said = kdaudit("run", folder / "audit.toml", "--dry-run")
    assert (said.code, files(folder)) == (0, before)
    (line,) = [x for x in said.out.splitlines() if x.startswith("student (student.skops)")]
    rows = int(line.partition("0 in the store, ")[2].partition(" to run")[0])
    assert line == f"student (student.skops): {rows} audit rows, 0 in the store, {rows} to run"
    kdaudit("run", folder / "audit.toml")
    before = files(folder)
    again = kdaudit("run", folder / "audit.toml", "--dry-run")
    assert f"student (student.skops): {rows} audit rows, {rows} in the store, 0 to run" in again.out
    assert files(folder) == before


def test_damaged_evidence_is_exit_4_and_leaves_the_run_alone(folder: Path, kdaudit: Run) -> None:
    kdaudit("run", folder / "audit.toml")
    before = files(folder / "kdaudit-out")
    part = next((folder / ".kdaudit").rglob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    said = kdaudit("run", folder / "audit.toml")
    assert said.code == 4
    assert said.err.startswith("kdaudit: stored evidence ")
    assert "run again to record it anew" in said.err
    assert files(folder / "kdaudit-out") == before


def test_a_model_that_fails_is_exit_2_and_resumes(
    folder: Path, kdaudit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kdaudit.errors import ModelError
    from kdaudit.models.sklearn import SklearnModel

    asked = []
    real = SklearnModel.predict

    def fail(self: SklearnModel, columns: Any) -> Any:
        asked.append(len(next(iter(columns.values()))))
        if len(asked) > 2:
            raise ModelError("out of memory")
        return real(self, columns)

    with monkeypatch.context() as patch:
        patch.setattr(SklearnModel, "predict", fail)
        patch.setattr("kdaudit.evidence.record.PART_ROWS", 100)
        patch.setattr("kdaudit.evidence.record.BATCH_ROWS", 100)
        said = kdaudit("run", folder / "audit.toml")
        assert (said.code, said.err) == (2, "kdaudit: out of memory\n")
        assert not (folder / "kdaudit-out").exists()
        patch.setattr(SklearnModel, "predict", real)
        again = kdaudit("run", folder / "audit.toml")
    assert again.code == 3
    parts = len(list((folder / ".kdaudit").rglob("part-*.parquet")))
    assert parts == 2 * 3  # of 100 rows, for both subjects
    assert "-200 rows run" not in again.err


@pytest.mark.parametrize("code", [0, 1, None, "bye"])
def test_audited_code_that_exits_is_a_crash_and_never_a_pass(
    folder: Path, kdaudit: Run, monkeypatch: pytest.MonkeyPatch, code: object
) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(code)

    with monkeypatch.context() as patch:
        patch.setattr("kdaudit_suites.slices.Slices.run", leave)
        said = kdaudit("run", folder / "audit.toml")
        assert said.code == 70
        assert said.last.startswith("ERROR card: ")
    monkeypatch.setattr("kdaudit.models.sklearn.SklearnModel.predict", leave)
    (folder / "student.skops").touch()
    (folder / "audit.toml").write_text(AUDIT.replace("audit = 0.5", "audit = 0.4"), "utf-8")
    said = kdaudit("run", folder / "audit.toml")
    assert said.code == 70
    assert "audited code called exit" in said.err


def test_a_crashed_suite_is_on_the_card_and_exit_70(
    folder: Path, kdaudit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyError("<script>")

    monkeypatch.setattr("kdaudit_suites.fairness.Fairness.run", crash)
    said = kdaudit("run", folder / "audit.toml")
    assert said.code == 70
    assert "Traceback" not in said.out + said.err
    card = (folder / "kdaudit-out/tumours/card.html").read_text("utf-8")
    assert "KeyError" in card
    assert "<script>" not in card


def test_a_policy_is_named_in_the_last_line_it_changed(folder: Path, kdaudit: Run) -> None:
    said = kdaudit("run", folder / "audit.toml", "--policy", "pull_request")
    assert said.code == 0
    assert said.last.startswith("WARN (1 undecided, which policy pull_request lets pass) card: ")
    assert kdaudit("run", folder / "audit.toml", "--policy", "strict").code == 3
    unknown = kdaudit("run", folder / "audit.toml", "--policy", "pull-request")
    assert unknown.code == 2
    assert "unknown policy 'pull-request'. Did you mean 'pull_request'" in unknown.err


def test_json_is_the_stored_results_and_nothing_else(folder: Path, kdaudit: Run) -> None:
    said = kdaudit("run", folder / "audit.toml", "--json", "-o", folder / "here")
    assert said.out == (folder / "here" / "results.json").read_text("utf-8")
    assert said.err.splitlines()[-1] == f"INCONCLUSIVE card: {folder / 'here' / 'card.html'}"


def test_auditing_never_trains_and_gives_the_same(folder: Path, kdaudit: Run) -> None:
    one = kdaudit("run", folder / "audit.toml")
    two = kdaudit("audit", folder / "audit.toml")
    assert (one.code, one.last) == (two.code, two.last)


def test_a_store_that_is_a_file_is_refused(
    folder: Path, kdaudit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KDAUDIT_STORE", str(folder / "audit.toml"))
    said = kdaudit("run", folder / "audit.toml")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "is a file; the store of evidence is a folder" in said.err


def test_a_process_of_its_own_ends_the_same_way(folder: Path) -> None:
    for name in ("teacher", "student"):
        (folder / f"{name}.csv").write_text("id,prediction\nbreast_cancer-00000,benign\n", "utf-8")
    text = AUDIT.replace("sklearn = ", "predictions = ").replace(".skops", ".csv")
    (folder / "audit.toml").write_text(text, "utf-8")
    before = files(folder)
    done = subprocess.run(
        [sys.executable, "-m", "kdaudit", "run", "audit.toml"],
        cwd=folder,
        env={**os.environ, "KDAUDIT_STORE": str(folder / "store")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("kdaudit: [student] student.csv: only ")
    assert "fewer than half is not evidence" in done.stderr
    assert "Traceback" not in done.stderr
    left = {name for name in files(folder) if not name.startswith("store/")}
    assert left == set(before)
