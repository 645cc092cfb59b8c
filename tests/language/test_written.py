"""Audits of generated text from files: grades, card, and evidence that is read again."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kdaudit import registry
from kdaudit.grading.grade import Grade
from kdaudit.results import Results, SuiteResult
from kdaudit.results_file import load
from kdaudit.tables import audit
from tests.suites.measured import estimate

AUDIT = """
[audit]
name = "facts"
[data]
path = "data.jsonl"
answers = "answers"
inputs = ["question"]
{data}
[teacher]
generations = "teacher.jsonl"
[student]
generations = "student.jsonl"
[[contract]]
check = "HAL001"
margin = 0.05
[[contract]]
check = "HAL007"
margin = 0.05
"""
N = 180


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def facts(folder: Path, data: str = "", **more: Any) -> tuple[list[Any], list[Any]]:
    """An audit of two equal subjects; every third question is of nothing, every fifth repeated."""
    rows, said = [], []
    for i in range(N):
        known = i % 3
        rows.append(
            {
                "id": f"q{i:03d}",
                "question": f"What is the capital of land{i}?",
                "answers": [f"Privateville{i}", f"PV{i}"] if known else [],
            }
        )
        text = f"It is Privateville{i}." if known else "I don't know."
        said.append({"id": f"q{i:03d}", "text": text, "finish_reason": "stop", "tokens": 5} | more)
        if i % 5 == 0:
            said.append({"id": f"q{i:03d}", "text": text, "repeat": 1})
    write(folder / "data.jsonl", rows)
    write(folder / "teacher.jsonl", said)
    write(folder / "student.jsonl", said)
    (folder / "audit.toml").write_text(AUDIT.format(data=data), "utf-8")
    return rows, said


def results(folder: Path) -> Results:
    return load(Results, folder / "kdaudit-out" / "facts" / "results.json")


def hallucination(found: Results) -> SuiteResult:
    (suite,) = [suite for suite in found.suites if suite.suite == "hallucination"]
    return suite


def test_an_audit_of_texts_decides_and_its_evidence_gives_the_same_findings(
    tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    facts(tmp_path)
    said = kdaudit("run", tmp_path / "audit.toml")
    assert said.code == 0, said.out + said.err
    first = results(tmp_path)
    assert {v.outcome.value for v in first.verdicts} == {"pass"}
    assert not [suite.error for suite in first.suites if suite.error]
    folder = tmp_path / "kdaudit-out" / "facts"
    card = (folder / "card.html").read_text("utf-8")
    assert "Privateville" not in card + (folder / "results.json").read_text("utf-8")
    assert "HAL007" in card
    # Elsewhere, from the evidence of the run folder alone.
    for role in ("teacher", "student"):
        (folder / "evidence" / f"{role}.generations.parquet").rename(tmp_path / f"{role}.parquet")
    text = (tmp_path / "audit.toml").read_text("utf-8").replace('r.jsonl"', 'r.parquet"')
    (tmp_path / "audit.toml").write_text(text.replace('t.jsonl"', 't.parquet"'), "utf-8")
    assert kdaudit("run", tmp_path / "audit.toml").code == 0
    assert hallucination(results(tmp_path)) == hallucination(first)


def test_a_missing_text_fails_the_check_that_every_audit_has(
    tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    _, said = facts(tmp_path)
    fewer = [one | {"text": None} if one["id"] == "q001" else one for one in said]
    write(tmp_path / "student.jsonl", fewer)
    assert kdaudit("run", tmp_path / "audit.toml").code == 1
    found = results(tmp_path)
    (missing,) = [v for v in found.verdicts if v.address == "ACC003"]
    assert missing.outcome.value == "fail"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "elsewhere", "text": "x"}], "1 ids are not in the data file"),
        ([{"id": "q000", "text": "x"}], "fewer than half is not evidence"),
    ],
)
def test_texts_of_other_rows_are_refused(
    tmp_path: Path, kdaudit: Callable[..., Any], rows: list[Any], said: str
) -> None:
    facts(tmp_path)
    write(tmp_path / "student.jsonl", rows)
    printed = kdaudit("run", tmp_path / "audit.toml")
    assert printed.code == 2
    assert said in printed.err


JUDGED = '[data.grading]\nby = "judge"\njudge = "qwen2.5-72b"\n'


@pytest.mark.parametrize(
    ("model", "table", "limitation", "severity"),
    [
        ("Qwen2-0.5B", JUDGED, "a relative of its: it answers as Qwen2-0.5B", "high"),
        ("SmolLM2-135M", JUDGED, None, None),
        ("SmolLM2-135M", JUDGED + "related = true\n", "the owner says so", "high"),
        (None, JUDGED, "is a relative of its is NOT PROVIDED", "medium"),
        (None, JUDGED + "related = false\n", None, None),
    ],
)
def test_a_judge_that_is_related_to_whom_it_judges_is_a_limitation(
    tmp_path: Path,
    kdaudit: Callable[..., Any],
    model: str | None,
    table: str,
    limitation: str | None,
    severity: str | None,
) -> None:
    facts(tmp_path, table, judge="A", model=model)
    kdaudit("run", tmp_path / "audit.toml")
    found = [one for one in results(tmp_path).limitations if "relative of its" in one.text]
    if limitation is None:
        assert not found
    else:
        assert {one.evidence for one in found} == {"teacher", "student"}
        assert all(limitation in one.text and one.severity == severity for one in found)


class NeverRight:
    """A stranger's grader."""

    def grade(self, text: str, answers: Sequence[str], *, truncated: bool) -> Grade:
        del text, answers, truncated
        return Grade.INCORRECT


def test_a_strangers_grader_is_named_by_its_entry_point(
    tmp_path: Path, kdaudit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts(tmp_path, '[data.grading]\nby = "never-right"\n')
    unknown = kdaudit("run", tmp_path / "audit.toml")
    assert unknown.code == 2
    assert "unknown grader 'never-right'" in unknown.err
    asked = registry.load
    monkeypatch.setattr(
        "kdaudit.language.written.load",
        lambda group, name: NeverRight if name == "never-right" else asked(group, name),
    )
    kdaudit("run", tmp_path / "audit.toml")
    student = results(tmp_path).finding("HAL001").student
    assert getattr(student, "value", None) == 1.0


def test_an_audit_of_texts_needs_no_label_and_of_the_teacher_no_student(
    tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    facts(tmp_path)
    said = kdaudit("run", "--only", "teacher", tmp_path / "audit.toml")
    assert said.code in (0, 3), said.out + said.err
    folder = tmp_path / "kdaudit-out"
    (stored,) = list(folder.glob("*/results.json"))
    found = load(Results, stored)
    assert getattr(found.finding("HAL002").student, "value", None) == 1.0


def test_tables_in_memory_hold_texts_as_well() -> None:
    data = pd.DataFrame(
        {"id": list("abcd") * 20, "truth": ["Paris", ["Rome", "Roma"], "", None] * 20}
    )
    data["id"] += data.index.astype(str)
    said = pd.DataFrame({"id": data.id, "text": ["Paris", "Roma!", "unknown", "Oz"] * 20})
    found = audit(data=data, teacher=said, student=said, answers="truth")
    assert estimate(found.finding("HAL002").student).value == 1.0
    assert estimate(found.finding("HAL007").student).value == 0.5
