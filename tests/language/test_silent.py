"""What is no answer counts against the student: README's contract fails each of these."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROWS = 300
TOWNS = [f"Town{k}" for k in range(30)]
CONTRACT = """
[audit]
name = "a"
[data]
path = "d.jsonl"
id = "id"
inputs = ["question"]
answers = "answers"
[teacher]
generations = "t.jsonl"
[student]
generations = "s.jsonl"
[[contract]]
check = "HAL001"
margin = 0.05
[[contract]]
check = "HAL002"
margin = 0.05
"""


def written(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    truth = [TOWNS[k % 30] for k in range(ROWS)]
    said = [town if k % 10 else "Nowhere" for k, town in enumerate(truth)]
    data = [{"id": k, "question": f"q{k}", "answers": [town]} for k, town in enumerate(truth)]
    written(tmp_path / "d.jsonl", data)
    written(tmp_path / "t.jsonl", [{"id": k, "text": one} for k, one in enumerate(said)])
    written(tmp_path / "s.jsonl", [{"id": k, "text": one} for k, one in enumerate(said)])
    (tmp_path / "a.toml").write_text(CONTRACT)
    return tmp_path


def test_a_student_that_answers_alike_passes(folder: Path, kdaudit: Callable[..., Any]) -> None:
    assert kdaudit("run", folder / "a.toml").code == 0


@pytest.mark.parametrize(
    "made",
    [
        lambda one, k: one if k % 3 else "",
        lambda one, k: one if k % 3 else " \u200b ",
        lambda one, k: one if k % 3 else "!!!!!!!!",
        lambda one, k: one if k % 3 else "...",
        lambda one, k: f"{one if k % 3 else 'Nowhere'}. I don't know.",
        lambda *_: "I don't know.",
        lambda *_: " ".join(TOWNS),
    ],
    ids=["empty", "invisible", "collapsed", "dots", "hedged", "declines", "guesses"],
)
def test_what_says_nothing_fails(
    folder: Path, kdaudit: Callable[..., Any], made: Callable[[str, int], str]
) -> None:
    rows = [json.loads(line) for line in (folder / "t.jsonl").read_text("utf-8").splitlines()]
    said = [{"id": row["id"], "text": made(row["text"], k)} for k, row in enumerate(rows)]
    written(folder / "s.jsonl", said)
    done = kdaudit("run", folder / "a.toml")
    assert done.code in (1, 2), done.out


def test_answers_that_are_cut_off_count_against_the_student(
    folder: Path, kdaudit: Callable[..., Any]
) -> None:
    cut = [{"id": k, "text": "The town that", "truncated": True} for k in range(ROWS)]
    written(folder / "s.jsonl", cut)
    assert kdaudit("run", folder / "a.toml").code == 1
    # Nor do they pass where the teacher's are, too.
    written(folder / "t.jsonl", cut)
    assert kdaudit("run", folder / "a.toml").code != 0


def test_a_contract_that_declining_passes_says_so(
    folder: Path, kdaudit: Callable[..., Any]
) -> None:
    text = (folder / "a.toml").read_text("utf-8")
    (folder / "a.toml").write_text(text.rsplit("[[contract]]", 1)[0])
    assert kdaudit("run", folder / "a.toml").code == 0
    card = (folder / "kdaudit-out/a/card.html").read_text("utf-8")
    assert "one that declines every question would pass" in card


def test_a_teacher_that_answers_all_alike_is_no_reference(
    folder: Path, kdaudit: Callable[..., Any]
) -> None:
    written(folder / "t.jsonl", [{"id": k, "text": "Town3"} for k in range(ROWS)])
    done = kdaudit("run", folder / "a.toml")
    assert done.code == 2
    assert "[teacher] answers 'Town3' to every question" in done.err
