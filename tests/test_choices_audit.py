"""An audit of files of likelihoods, from the audit file to the card, and decided again by gate."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

AUDIT = """
[audit]
name = "choices"
[data]
path = "data.jsonl"
inputs = ["question"]
choices = "choices"
answers = "answers"
stereotyped = "stereotyped"
[teacher]
likelihoods = "teacher.jsonl"
[student]
likelihoods = "student.jsonl"
[[contract]]
check = "HAL012"
margin = 0.05
[[contract]]
check = "PRE001"
margin = 0.1
"""
ROWS = 400


def write(folder: Path, *, student: float, prefers: float = 0.5, leave_out: int = 0) -> Path:
    """Half of the rows ask for the truth, half are pairs; a teacher that is right on nine in ten.

    Args:
        folder: where.
        student: how often the student is right.
        prefers: how often it prefers the stereotyped text.
        leave_out: rows of which the student's file holds nothing.
    """
    rng = np.random.default_rng(6)
    rows, files = [], {"teacher": [], "student": []}  # type: ignore[var-annotated]
    for number in range(ROWS):
        one: dict[str, Any] = {"id": f"r{number:03d}", "question": f"Question {number}?"}
        pair = number % 2 == 1
        one["choices"] = ["this", "that"] if pair else ["true", "false", "untrue"]
        one |= {"answers": [], "stereotyped": "this"} if pair else {"answers": ["true"]}
        rows.append(one)
        draw = rng.random()
        for who, right, likes in (("teacher", 0.9, 0.5), ("student", student, prefers)):
            first = draw < (likes if pair else right)
            if who == "student" and number < leave_out:
                continue
            for place, text in enumerate(one["choices"]):
                likely = -1.0 if (place == 0) == first else -3.0
                files[who].append({"id": one["id"], "choice": text, "logprob": likely})
    for name, lines in {"data": rows, **files}.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    audit = folder / "audit.toml"
    audit.write_text(AUDIT, "utf-8")
    return audit


@pytest.mark.parametrize(
    ("case", "code", "failing"),
    [
        ({"student": 0.9}, 0, set()),
        ({"student": 0.6}, 1, {"HAL012"}),
        ({"student": 0.9, "prefers": 0.9}, 1, {"PRE001"}),
        ({"student": 0.9, "leave_out": 40}, 1, {"ACC003", "HAL012"}),
    ],
)
def test_harm_is_found_and_gate_says_the_same(
    tmp_path: Path,
    kdaudit: Callable[..., Any],
    case: dict[str, Any],
    code: int,
    failing: set[str],
) -> None:
    said = kdaudit("run", write(tmp_path, **case))
    assert said.code == code, said.out + said.err
    folder = tmp_path / "kdaudit-out" / "choices"
    results = json.loads((folder / "results.json").read_text("utf-8"))
    failed = {v["address"] for v in results["verdicts"] if v["outcome"] == "fail"}
    assert failed == failing
    assert {one["name"] for one in results["inputs"]} == {
        "data.jsonl",
        "teacher.jsonl",
        "student.jsonl",
    }
    again = kdaudit("gate", folder / "results.json", "--contract", tmp_path / "audit.toml")
    assert again.code == code, again.out + again.err


def test_what_a_run_kept_is_evidence_elsewhere(tmp_path: Path, kdaudit: Callable[..., Any]) -> None:
    audit = write(tmp_path, student=0.6, leave_out=3)
    findings = []
    for ending in (".jsonl", ".likelihoods.parquet"):
        text = AUDIT.replace('er.jsonl"', f'er{ending}"').replace('nt.jsonl"', f'nt{ending}"')
        audit.write_text(text, "utf-8")
        assert kdaudit("run", audit).code == 1
        folder = tmp_path / "kdaudit-out" / "choices"
        suites = json.loads((folder / "results.json").read_text("utf-8"))["suites"]
        named = {suite["suite"]: suite["findings"] for suite in suites}
        findings.append((named["preferences"], named["hallucination"][-2:]))
        for path in (folder / "evidence").glob("*.likelihoods.parquet"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert findings[0] == findings[1]


def test_fewer_than_half_is_no_evidence(tmp_path: Path, kdaudit: Callable[..., Any]) -> None:
    said = kdaudit("run", write(tmp_path, student=0.9, leave_out=ROWS // 2 + 1))
    assert said.code == 2
    assert "[student]" in said.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('choices = "choices"\n', "stereotyped names one of a row's choices"),
        ('stereotyped = "stereotyped"', "names stereotyped choices"),
        ('stereotyped = "stereotyped"\n', "names the choice 'this' as stereotyped and as unknown"),
    ],
)
def test_a_role_that_does_not_fit_is_refused(
    tmp_path: Path, kdaudit: Callable[..., Any], line: str, said: str
) -> None:
    audit = write(tmp_path, student=0.9)
    other = line.replace('"stereotyped"', '"question"') if "stereotyped" in line else ""
    if "as unknown" in said:
        other = f'{line}unknown = "stereotyped"\n'
    audit.write_text(AUDIT.replace(line, other, 1), "utf-8")
    printed = kdaudit("run", audit)
    assert printed.code == 2
    assert said in printed.err
