"""Cells, labels and answers are what the files hold, whatever the format."""

import json
import tracemalloc
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kdaudit
from kdaudit.data.audit_file import DataTable
from kdaudit.data.dataset import from_table
from kdaudit.data.prompt_table import PromptTable, prompts
from kdaudit.data.readers import Source, read
from kdaudit.errors import DataError
from kdaudit.evidence.align import refuse_mixed_up_classes
from kdaudit.evidence.kinds import Predictions
from kdaudit.results import Results
from kdaudit.stats.chance_agreement import chance_agreement

Table = Mapping[str, list[Any]]
FORMATS = ("csv", "parquet", "jsonl")
BIG = 2**53 + 1


def written(folder: Path, table: Table, kind: str) -> Source:
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in table.items()})
    path = folder / f"d.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path, index=False)
    else:
        rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return read(path.name, folder)


TABLE: Table = {
    "code": ["0010", "0.50", "1.00", None],
    "whole": [BIG, BIG + 1, 5, None],
    "half": [0.5, 2.5, 1e-7, None],
    "member": [True, False, True, None],
    "word": ["NA", "true", " x ", None],
    "label": ["a", "b", "a", "b"],
}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_prompt_holds_the_cells_as_they_stand(tmp_path: Path, kind: str) -> None:
    source = written(tmp_path, TABLE, kind)
    data = DataTable(path="d", label="label", inputs=("code", "whole", "half", "member", "word"))
    frame = from_table(source, data, 0, tmp_path).frame("audit")
    asked = prompts(
        PromptTable(template="{code}|{whole}|{half}|{member}|{word}"), frame.inputs, len(frame)
    )
    assert [one.text for one in asked] == [
        f"0010|{BIG}|0.5|True|NA",
        f"0.50|{BIG + 1}|2.5|False|true",
        "1.00|5|1e-07|True| x ",
        "||||",
    ]


@pytest.mark.parametrize("column", ["whole", "half", "member", "word"])
def test_equal_content_has_equal_digests_in_every_format(tmp_path: Path, column: str) -> None:
    found = []
    for kind in FORMATS:
        data = DataTable(path="d", label="label", inputs=(column,))
        frame = from_table(written(tmp_path, TABLE, kind), data, 0, tmp_path).frame("audit")
        found.append([digest.hex() for digest in frame.rows()])
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) > 1 + (column != "member")


@pytest.mark.parametrize("kind", FORMATS)
def test_neighbouring_ids_beside_a_gap_stay_apart(tmp_path: Path, kind: str) -> None:
    """Two shops whose numbers a float cannot tell apart; the student loses in one of them."""
    n = 400
    shop = [None, *([BIG] * (n - 1)), *([BIG + 1] * n)]
    label = ["a", "b"] * n
    source = written(tmp_path, {"shop": shop, "label": label}, kind)
    lost = (np.arange(2 * n) >= n) & (np.arange(2 * n) % 3 == 0)
    results = kdaudit.audit(
        data=source.table,
        teacher=np.array(label, object),
        student=np.where(lost, "b", np.array(label, object)),
        slices=["shop"],
        label_source="human",
        contract=[{"check": "SLC001", "each": ["shop"], "margin": 0.1}],
    )
    assert {v.address: str(v.outcome) for v in results.verdicts}[
        f"SLC001[shop={BIG + 1}]"
    ] == "fail"


def audited(
    label: np.ndarray[Any, Any], teacher: np.ndarray[Any, Any], student: np.ndarray[Any, Any]
) -> Results:
    return kdaudit.audit(
        data=pd.DataFrame({"label": label}),
        teacher=teacher,
        student=student,
        contract=[{"check": "ACC001", "margin": 0.05}],
    )


def subjects() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng, n = np.random.default_rng(6), 2000
    names = np.array(["crédit", "débit", "autre"], object)
    label = rng.choice(names, n)

    def erring(share: float) -> np.ndarray[Any, Any]:
        return np.where(rng.random(n) < share, rng.choice(names, n), label).astype(object)

    return label, erring(0.07), erring(0.25)


@pytest.mark.parametrize("junk", ["ERROR", "None", "-"])
def test_what_is_no_class_is_no_wrong_answer_of_the_teacher(junk: str) -> None:
    label, teacher, student = subjects()
    assert audited(label, teacher, student).exit_code == 1
    spoilt = np.where(np.arange(len(label)) % 7 == 0, junk, teacher)
    results = audited(label, spoilt, student)
    assert results.exit_code == 1
    assert any(f"answers {junk!r} in 286 rows" in one.text for one in results.limitations)


@pytest.mark.parametrize(
    "spell", [lambda x: unicodedata.normalize("NFD", x), lambda x: f"{x} ", lambda x: x.title()]
)
def test_another_spelling_is_refused_by_name(spell: Callable[[str], str]) -> None:
    label, teacher, student = subjects()
    some = np.arange(len(label)) % 7 == 0
    spelled = np.array([spell(x) if k else x for x, k in zip(teacher, some, strict=True)], object)
    with pytest.raises(DataError, match=r"writes class .* classes are compared as text"):
        audited(label, spelled, student)


def test_labels_in_two_spellings_are_refused() -> None:
    label, teacher, student = subjects()
    label = label.copy()
    label[::7] = [unicodedata.normalize("NFD", x) for x in label[::7]]
    with pytest.raises(DataError, match="which look the same and would be two classes"):
        audited(label, teacher, student)


def test_numbers_are_no_classes() -> None:
    rng = np.random.default_rng(0)
    price = rng.normal(100, 20, 800).astype(str).astype(object)
    with pytest.raises(DataError, match=r"that is a regression.*score_<name>"):
        audited(price, price[::-1], price)


def test_thousands_of_classes_need_little_memory() -> None:
    rng, size, n = np.random.default_rng(0), 16_000, 32_000
    label = rng.integers(0, size, n)
    answer = np.where(rng.random(n) < 0.8, label, rng.integers(0, size, n))
    subject = Predictions(classes=tuple(map(str, range(size))), answer=answer, probabilities=None)
    tracemalloc.start()
    refuse_mixed_up_classes(subject, label, "s")
    chance_agreement(answer, label, label)
    moved = Predictions(classes=subject.classes, answer=(answer + 1) % size, probabilities=None)
    with pytest.raises(DataError, match="looks as if its classes were in another order"):
        refuse_mixed_up_classes(moved, label, "s")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * 2**20


def test_a_class_that_is_never_answered_needs_a_column() -> None:
    label, teacher, _ = subjects()
    names = sorted(set(label))
    full = {f"p_{name}": (teacher == name).astype(float) for name in names}
    fewer = {f"p_{name}": 0.5 for name in names[:2]}
    ids = [f"{k:012d}" for k in range(len(label))]
    with pytest.raises(DataError, match=r"needs a column too, p_débit = 0"):
        kdaudit.audit(
            data=pd.DataFrame({"id": ids, "label": label}),
            teacher=pd.DataFrame({"id": ids, **full}),
            student=pd.DataFrame({"id": ids, **fewer}),
        )


def test_names_of_rows_and_columns_of_a_table_in_memory() -> None:
    label, teacher, student = subjects()
    ids = [f"r{k}" for k in range(len(label))]
    named = pd.DataFrame({"label": label}, index=pd.Index(ids, name="id"))
    answers = pd.DataFrame({"prediction": teacher}, index=pd.Index(ids, name="id"))
    worse = pd.DataFrame({"prediction": student}, index=pd.Index(ids, name="id"))
    assert kdaudit.audit(data=named, teacher=answers, student=worse, id="id").data.rows == 2000
    with pytest.raises(DataError, match=r"rows of data are named in its index, e.g. 'r0'"):
        kdaudit.audit(data=named.rename_axis(None), teacher=answers, student=worse)
    numbered = pd.DataFrame({"label": label, 7: np.arange(2000) % 2})
    found = kdaudit.audit(data=numbered, teacher=teacher, student=student, slices=["7"])
    assert found.data.slices == ("7",)


def test_a_teacher_that_answers_one_thing_is_no_reference() -> None:
    label, _, student = subjects()
    with pytest.raises(DataError, match="answers 'autre' on every row"):
        audited(label, np.full(len(label), "autre", object), student)


def test_rows_to_learn_from_are_no_audited_rows(
    tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    rng, n = np.random.default_rng(0), 200
    table = pd.DataFrame(
        {
            "id": np.arange(n),
            "x": rng.normal(size=n),
            "label": rng.choice(["a", "b"], n),
            "split": ["test"] * n,
        }
    )
    table.to_csv(tmp_path / "d.csv", index=False)
    for name in ("t.csv", "s.csv"):
        table[["id"]].assign(prediction=rng.permutation(["a", "b"] * (n // 2))).to_csv(
            tmp_path / name, index=False
        )
    (tmp_path / "a.toml").write_text(
        """
[audit]
name = "a"
[data]
path = "d.csv"
id = "id"
label = "label"
inputs = ["x"]
[data.transfer]
path = "train.csv"
[teacher]
predictions = "t.csv"
[student]
predictions = "s.csv"
[[contract]]
check = "ACC003"
at_most = 0.1
[[contract]]
check = "ACC001"
margin = 0.5
"""
    )
    table[:20].to_csv(tmp_path / "train.csv", index=False)
    done = kdaudit("run", tmp_path / "a.toml")
    assert done.code == 2
    assert "20 transfer rows are audited rows, by id and content, e.g. '0'" in done.err
    # The same numbers for other rows say nothing; the same rows under other numbers are told.
    table.assign(x=table["x"] + 1).to_csv(tmp_path / "train.csv", index=False)
    assert kdaudit("run", tmp_path / "a.toml").code == 0
    table.assign(id=table["id"] + n)[:50].to_csv(tmp_path / "train.csv", index=False)
    assert kdaudit("run", tmp_path / "a.toml").code == 0
    card = (tmp_path / "kdaudit-out/a/card.html").read_text("utf-8")
    assert "50 of the audited rows have the very inputs of transfer or validation rows" in card
