import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import log_softmax

from kdaudit.distill.distill import Distilled, distill
from kdaudit.distill.training.checkpoint import Checkpoint
from kdaudit.errors import ConfigError, DataError, KdauditError, ModelError
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import file_digest
from kdaudit.lineage import Arm
from kdaudit.models.folder import ModelFolder, read_lineage
from kdaudit.models.torch import TorchModel


def both(project: Path, store: Store) -> Distilled:
    distill(project / "teacher.toml", store=store)
    return distill(project / "student.toml", store=store)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def edit(project: Path, name: str, *changes: tuple[str, str]) -> None:
    text = (project / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (project / name).write_text(text)


def edit_rows(project: Path, change: Callable[[pd.DataFrame], object]) -> None:
    rows = pd.read_csv(project / "rows.csv")
    change(rows)
    rows.to_csv(project / "rows.csv", index=False)


def arm(made: Distilled, kind: str) -> Arm:
    return next(arm for arm in made.lineage.arms if arm.kind == kind)


def test_a_student_and_its_controls_are_written_as_model_folders(
    project: Path, store: Store
) -> None:
    made = both(project, store)
    assert made.folder == project / "runs" / "student"
    kinds = ["main", "hard", "label_smoothing", "shuffled"]
    assert [arm.kind for arm in made.lineage.arms] == kinds
    columns = {"a": np.array([2.0, -1.0]), "b": np.array([0.0, 1.7])}
    answers = set()
    for folder in (made.folder, *(made.folder / "controls" / kind for kind in kinds[1:])):
        model = ModelFolder.open(folder.name, base=folder.parent)
        assert model.classes == ("blue", "green", "red")
        assert model.columns == ("a", "b")
        answers.add(model.predict(columns).values.tobytes())
        lineage = read_lineage(folder)
        assert lineage is not None
        assert lineage.arms[0].digest == file_digest(folder / "model.safetensors")
    assert len(answers) == 4
    assert len({arm.steps for arm in made.lineage.arms}) == 1
    assert {path.name for path in (project / "runs").iterdir()} == {"teacher", "student"}


def test_the_lineage_says_what_the_student_was_made_from(project: Path, store: Store) -> None:
    made = both(project, store)
    said = made.lineage
    assert said == read_lineage(made.folder)
    assert said.method == "response"
    assert said.formula.startswith("0.7·T²·mean_rows(")
    assert "+ 0.3·mean_rows(" in said.formula
    assert said.teacher is not None
    assert said.teacher["name"] == "runs/teacher"
    assert said.targets is not None
    assert said.targets["rows"] == "179"
    assert 0.7 < float(said.targets["teacher accuracy on them"]) < 1
    assert said.transfer["rows"] == 179
    assert said.transfer["out-of-scope rows left out"] == 1
    assert said.parameters == 2 * 8 + 8 + 8 * 3 + 3
    assert said.source["recipe"] == file_digest(project / "student.toml")
    assert said.training["seeds"] == [0]
    assert said.hardware["processor"]
    assert "torch" in said.versions
    text = (made.folder / "lineage.json").read_text()
    assert str(project) not in text
    point = arm(made, "main").curve[-1]
    assert point.epoch == 6
    assert point.train["total"] == pytest.approx(
        point.train["response.soft"] + point.train["response.hard"]
    )
    assert set(point.validation) == {"loss", "accuracy", "nll", "brier", "agreement"}


def test_a_teacher_has_no_teacher_and_no_controls(project: Path, store: Store) -> None:
    said = distill(project / "teacher.toml", store=store).lineage
    assert said.method == "hard"
    assert said.teacher is None
    assert said.targets is None
    assert [arm.kind for arm in said.arms] == ["main"]
    assert "agreement" not in said.arms[0].curve[0].validation


def test_a_second_run_trains_nothing_and_writes_the_same_bytes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(project / "new")
    first = both(project, store)
    before = contents(first.folder)
    # The teacher's answers are in the store, so nothing of it but its digests is read.
    monkeypatch.setattr(TorchModel, "predict", None)
    second = distill(project / "student.toml", store=store)
    assert (first.trained_steps, second.trained_steps) == (4 * 6 * 3, 0)
    assert contents(second.folder) == before
    shutil.rmtree(second.folder)
    distill(project / "student.toml", store=store)
    assert contents(second.folder) == before


def test_another_machine_would_give_the_same_weights(project: Path, store: Store) -> None:
    one, other = both(project, store), both(project, Store(project / "other"))
    assert other.trained_steps > 0
    digests = [[arm.digest for arm in made.lineage.arms] for made in (one, other)]
    assert digests[0] == digests[1]


def test_arms_of_one_seed_share_their_first_weights(project: Path, store: Store) -> None:
    made = both(project, store)
    keys = [json.loads(path.read_text()) for path in store.root.rglob("arms/*/*/key.json")]
    students = [key for key in keys if key["args"] == {"dropout": 0.1}]
    assert len(students) == 4
    assert len({key["first weights"] for key in students}) == 1
    assert len({a.digest for a in made.lineage.arms}) == 4


def test_the_seed_with_the_lowest_validation_loss_is_kept(project: Path, store: Store) -> None:
    edit(project, "student.toml", ('audit = "audit.toml"', 'audit = "audit.toml"\nseeds = 3'))
    made = both(project, store)
    mains = [a for a in made.lineage.arms if a.kind == "main"]
    assert [a.seed for a in mains] == [0, 1, 2]
    losses = {a.seed: min(e.validation["loss"] for e in a.curve) for a in mains}
    (kept,) = (a for a in mains if a.chosen)
    assert losses[kept.seed] == min(losses.values())
    assert kept.digest == file_digest(made.folder / "model.safetensors")
    assert sum(a.chosen for a in made.lineage.arms) == 4  # one of each kind


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.loc[rows.split == "test", "label"].mask(rows.label == "red", "green"),
        lambda rows: rows.__setitem__("a", rows.a.where(rows.split != "test", 7.5)),
        lambda rows: rows.__setitem__("label", rows.label.where(rows.split != "test", "red")),
    ],
)
def test_nothing_in_the_audit_split_changes_a_weight(
    project: Path, store: Store, change: Callable[[pd.DataFrame], object]
) -> None:
    before = [a.digest for a in both(project, store).lineage.arms]
    edit_rows(project, change)
    after = both(project, store)
    assert after.trained_steps == 0
    assert [a.digest for a in after.lineage.arms] == before


def test_audited_rows_among_the_transfer_rows_are_counted(project: Path, store: Store) -> None:
    def share() -> object:
        lineage = distill(project / "teacher.toml", store=store).lineage
        return lineage.transfer["share of audit rows in it"]

    assert share() == 0

    def leak(rows: pd.DataFrame) -> None:
        test, train = (rows.index[rows.split == split] for split in ("test", "train"))
        rows.loc[test[:25], ["a", "b"]] = rows.loc[train[10:35], ["a", "b"]].to_numpy()

    edit_rows(project, leak)
    assert share() == 0.25


def test_the_state_is_fitted_to_the_transfer_rows_in_scope(project: Path, store: Store) -> None:
    made = both(project, store)
    rows = pd.read_csv(project / "rows.csv")
    used = rows[(rows.split == "train") & (rows.label != "none of these")]
    state = json.loads((made.folder / "state.json").read_text())
    assert state["mean"]["a"] == pytest.approx(used.a.mean())


def test_shuffled_targets_teach_less_than_true_ones(project: Path, store: Store) -> None:
    edit(project, "student.toml", ("epochs = 6", "epochs = 20"))
    made = both(project, store)
    best = {
        a.kind: min(e.validation["loss"] for e in a.curve)
        for a in made.lineage.arms
        if a.kind in ("main", "shuffled")
    }
    assert best["main"] < best["shuffled"] / 2


def test_a_student_is_closer_to_its_teacher_than_the_control_on_labels(
    project: Path, store: Store
) -> None:
    edit(project, "student.toml", ("epochs = 6", "epochs = 30"))
    edit_rows(project, lambda rows: rows.__setitem__("label", noisy(rows.label)))
    made = both(project, store)
    rows = pd.read_csv(project / "rows.csv").query("split == 'test'")
    columns: Any = {"a": rows.a.to_numpy(), "b": rows.b.to_numpy()}

    def log_probabilities(folder: Path) -> Any:
        return log_softmax(ModelFolder.open(".", base=folder).predict(columns).values, axis=1)

    teacher = log_probabilities(project / "runs/teacher")

    def distance(folder: Path) -> float:
        other = log_probabilities(folder)
        return float((np.exp(teacher) * (teacher - other)).sum(axis=1).mean())

    assert distance(made.folder) < distance(made.folder / "controls/hard")


def noisy(labels: pd.Series) -> pd.Series:
    rng = np.random.default_rng(1)
    wrong = (rng.random(len(labels)) < 0.2) & (labels != "none of these")
    return labels.where(~wrong, rng.choice(["red", "green", "blue"], len(labels)))


def test_a_teacher_may_be_a_file_of_its_answers(project: Path, store: Store) -> None:
    distill(project / "teacher.toml", store=store)
    rows = pd.read_csv(project / "rows.csv").sample(frac=1, random_state=0)
    teacher = ModelFolder.open("runs/teacher", base=project)
    logits = teacher.predict({"a": rows.a.to_numpy(), "b": rows.b.to_numpy()}).values
    saved = pd.DataFrame(np.exp(log_softmax(logits.astype(float), axis=1)))
    saved.columns = pd.Index([f"p_{name}" for name in teacher.classes])
    saved.assign(id=rows.id.to_numpy()).to_csv(project / "teacher.csv", index=False)
    by_model = distill(project / "student.toml", store=store)
    edit(project, "audit.toml", ('distill = "teacher.toml"', 'predictions = "teacher.csv"'))
    by_file = distill(project / "student.toml", store=store)
    assert by_file.lineage.teacher is not None
    assert by_file.lineage.teacher["adapter"] == "predictions"
    losses = [arm(made, "main").curve[-1].train["total"] for made in (by_model, by_file)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_classes_of_the_teacher_can_be_renamed(project: Path, store: Store) -> None:
    edit_rows(project, lambda rows: rows.__setitem__("label", rows.label.replace("red", "LABEL_2")))
    distill(project / "teacher.toml", store=store)
    edit_rows(project, lambda rows: rows.__setitem__("label", rows.label.replace("LABEL_2", "red")))
    with pytest.raises(DataError, match=r"unknown label 'red'.*Known: LABEL_2, blue, green"):
        distill(project / "student.toml", store=store)
    rename = 'distill = "teacher.toml"\nrename = { LABEL_2 = "red" }'
    edit(project, "audit.toml", ('distill = "teacher.toml"', rename))
    made = distill(project / "student.toml", store=store)
    assert ModelFolder.open(".", base=made.folder).classes == ("red", "blue", "green")


def test_unlabelled_transfer_rows_teach_by_the_teacher_alone(project: Path, store: Store) -> None:
    distill(project / "teacher.toml", store=store)
    rows = pd.read_csv(project / "rows.csv").query("split == 'train'")
    rows[["id", "a", "b"]].assign(id="u" + rows.id).to_csv(project / "more.csv", index=False)
    edit(project, "audit.toml", ("[teacher]", '[data.transfer]\npath = "more.csv"\n[teacher]'))
    with pytest.raises(ConfigError, match=r"set hard_weight = 0 under \[objectives\.response\]"):
        distill(project / "student.toml", store=store)
    soft = "[objectives.response]\nhard_weight = 0"
    edit(project, "student.toml", ("[objectives.response]", soft))
    with pytest.raises(ConfigError, match=r"set hard = false and label_smoothing = 0"):
        distill(project / "student.toml", store=store)
    controls = "[controls]\nhard = false\nlabel_smoothing = 0\n[train]"
    edit(project, "student.toml", ("[train]", controls))
    made = distill(project / "student.toml", store=store)
    assert [a.kind for a in made.lineage.arms] == ["main", "shuffled"]
    assert set(arm(made, "main").curve[0].train) == {"response.soft", "total"}
    assert made.lineage.transfer["labelled"] is False


def test_a_student_of_nan_inputs_is_refused_by_row(project: Path, store: Store) -> None:
    edit_rows(project, lambda rows: rows.loc.__setitem__((5, "a"), np.nan))
    with pytest.raises(DataError, match=r"1 transfer rows are encoded as NaN.*'row-0005'"):
        distill(project / "teacher.toml", store=store)


MISTAKES: dict[str, tuple[str, str, str, type[KdauditError], str]] = {
    "no validation": ("audit.toml", ', validation = "val"', "", ConfigError, "no validation rows"),
    "no transfer": ("audit.toml", ', transfer = "train"', "", ConfigError, "no transfer rows"),
    "factory": ("student.toml", "nets:build", "nets:biuld", ModelError, "Did you mean 'build'?"),
    "argument": ("student.toml", "dropout = 0.1", "drop = 0.1", ModelError, "argument 'drop'"),
    "column": (
        "student.toml",
        'encode = "nets',
        'inputs = ["a", "c"]\nencode = "nets',
        ModelError,
        "unknown input column 'c'",
    ),
    "state": ("nets.py", "return {", "return 3, {", ModelError, "nets:fit must return a dict"),
    "json": ("nets.py", "float(column.mean())", "print", ModelError, "what JSON can hold"),
    "teacher": ("audit.toml", '"teacher.toml"', '"t.toml"', ConfigError, "there is no recipe"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_before_anything_is_trained(
    project: Path, store: Store, mistake: str
) -> None:
    distill(project / "teacher.toml", store=store)
    name, old, new, error, words = MISTAKES[mistake]
    edit(project, name, (old, new))
    with pytest.raises(error, match=re.escape(words)):
        distill(project / "student.toml", store=store)
    assert not (project / "runs/student").exists()


def test_a_teacher_that_was_not_trained_yet_is_asked_for(project: Path, store: Store) -> None:
    with pytest.raises(ModelError, match="there is no model folder runs/teacher"):
        distill(project / "student.toml", store=store)


def test_a_folder_with_foreign_files_is_refused_before_training(project: Path) -> None:
    store = Store(project / "new")
    (project / "runs/teacher").mkdir(parents=True)
    (project / "runs/teacher/notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds notes\.txt"):
        distill(project / "teacher.toml", store=store)
    assert not store.root.exists()


def test_stages_and_losses_are_shown(project: Path, store: Store) -> None:
    edit(project, "student.toml", ("0.01", "0.02"))
    shown: list[tuple[str, int]] = []
    texts: list[str] = []
    done: dict[str, int] = {}

    def progress(stage: str, total: int, /) -> Any:
        shown.append((stage, total))

        def advance(steps: int, /, text: str = "") -> None:
            done[stage] = done.get(stage, 0) + steps
            texts.append(text)

        return advance

    distill(project / "teacher.toml", store=store)
    distill(project / "student.toml", store=store, progress=progress)
    assert shown[:3] == [
        ("asking the teacher, transfer rows", 179),
        ("asking the teacher, validation rows", 49),
        ("main, seed 0", 18),
    ]
    assert all(done[stage] == total for stage, total in shown)
    assert any(re.fullmatch(r"epoch 6: loss \d.*, validation .*, best .*", text) for text in texts)


def test_a_process_killed_in_the_middle_of_training_ends_in_the_same_bytes(
    project: Path,
) -> None:
    store = Store(project / "new")
    edit(project, "teacher.toml", ("epochs = 30", "epochs = 80\npatience = 80"))
    script = (
        "from pathlib import Path; from kdaudit.distill.distill import distill\n"
        "from kdaudit.evidence.store import Store\n"
        f"distill(Path({str(project / 'teacher.toml')!r}), store=Store(Path({str(store.root)!r})))"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 60
    while not list(store.root.rglob("checkpoint.safetensors")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.001)
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (path,) = store.root.rglob("checkpoint.safetensors")
    found = Checkpoint(path).load()
    assert found is not None
    assert 0 < found[1]["epoch"] < 80
    assert not (project / "runs/teacher").exists()
    resumed = distill(project / "teacher.toml", store=store)
    assert 0 < resumed.trained_steps < 80 * 3
    whole = distill(project / "teacher.toml", store=Store(project / "other"))
    assert whole.trained_steps == 80 * 3
    assert resumed.lineage.digest == whole.lineage.digest
    assert resumed.lineage.arms == whole.lineage.arms


def test_torch_is_left_with_the_threads_it_had(project: Path, store: Store) -> None:
    torch.set_num_threads(2)
    distill(project / "teacher.toml", store=store)
    assert torch.get_num_threads() == 2
