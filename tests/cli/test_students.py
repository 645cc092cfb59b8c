"""Several students of one teacher: each a run of its own, one table, one exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.students import figure

Run = Callable[..., Any]
Rewritten = Callable[..., Path]
STUDENTS = """
[students.good]
predictions = "good.csv"
[students.bad]
predictions = "bad.csv"
"""
SEVERAL = {'\n[student]\npredictions = "good.csv"\n': STUDENTS}


def test_each_student_is_a_whole_run_and_the_worst_gives_the_exit_code(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    said = kdaudit("run", rewritten("audit.toml", SEVERAL))
    root = demo / "kdaudit-out" / "demo"
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0] == f"good: PASS card: {root / 'good' / 'card.html'}"
    assert lines[1] == f"bad: FAIL card: {root / 'bad' / 'card.html'}"
    assert said.last == f"FAIL (1 of 2 students met the contract) card: {root / 'students.md'}"
    for name in ("good", "bad"):
        results = json.loads((root / name / "results.json").read_text("utf-8"))
        assert results["name"] == f"demo/{name}"
        assert {s["role"] for s in results["subjects"]} == {"teacher", "student"}
        assert kdaudit("gate", root / name).code == results["exit_code"]
    table = (root / "students.md").read_text("utf-8")
    assert table in said.out
    head, _, whole, first, *_ = table.splitlines()
    assert head == "| check | limit | good | bad |"
    assert whole == "| **all** |  | **PASS** | **FAIL** |"
    measured = results["verdicts"][0]["measured"]
    assert f"FAIL {measured['value']:.3g} [" in first
    assert first.startswith("| ACC001 | margin 0.05 against teacher | PASS ")


def test_running_again_changes_no_byte(demo: Path, kdaudit: Run, rewritten: Rewritten) -> None:
    path = rewritten("audit.toml", SEVERAL)

    def files() -> dict[Path, bytes]:
        root = demo / "kdaudit-out"
        return {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}

    kdaudit("run", path)
    before = files()
    kdaudit("run", path)
    assert files() == before


def test_one_student_can_be_picked(demo: Path, kdaudit: Run, rewritten: Rewritten) -> None:
    path = rewritten("audit.toml", SEVERAL)
    said = kdaudit("run", path, "--student", "good")
    root = demo / "kdaudit-out" / "demo"
    assert (said.code, said.last) == (0, f"PASS card: {root / 'good' / 'card.html'}")
    assert {p.name for p in root.iterdir()} == {"good"}
    unknown = kdaudit("run", path, "--student", "goood")
    assert (unknown.code, "Did you mean 'good'" in unknown.err) == (2, True)


def test_what_is_wrong_with_one_student_keeps_no_other_from_being_audited(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    path = rewritten("audit.toml", SEVERAL)
    (demo / "bad.csv").unlink()
    said = kdaudit("run", path)
    assert said.code == 2
    assert said.out.splitlines()[1].startswith("bad: BAD INPUT: there is no file bad.csv")
    assert "BAD INPUT (1 of 2 students met the contract)" in said.last
    assert (demo / "kdaudit-out/demo/good/card.html").exists()


def test_json_holds_every_student(demo: Path, kdaudit: Run, rewritten: Rewritten) -> None:
    said = kdaudit("run", rewritten("audit.toml", SEVERAL), "--json")
    root = demo / "kdaudit-out" / "demo"
    found = json.loads(said.out)
    for name in ("good", "bad"):
        assert found[name] == json.loads((root / name / "results.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"[student]": STUDENTS + "[student]"}, "[student] names one student and [students.NAME]"),
        ({'\n[student]\npredictions = "good.csv"\n': "\n"}, "`--only teacher` audits the teacher"),
        ({"[student]": '[students."../up"]'}, "it names the run folder"),
        ({"[student]": '[students."results.json"]'}, "ends like a file that kdaudit writes"),
        ({"[student]": '[students.x]\ncontrol = "hard"'}, "a control can only be the [baseline]"),
    ],
)
def test_students_that_cannot_be_meant_are_refused(
    kdaudit: Run, rewritten: Rewritten, changed: dict[str, str], words: str
) -> None:
    said = kdaudit("run", rewritten("audit.toml", changed))
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert words in said.err


def test_the_run_of_one_student_is_not_mixed_with_those_of_several(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    assert kdaudit("run", demo / "audit.toml").code == 0
    path = rewritten("audit.toml", SEVERAL)
    said = kdaudit("run", path)
    assert (said.code, "holds the run of one student" in said.err) == (2, True)
    assert kdaudit("run", path, "-o", demo / "other").code == 1
    for foreign in (demo, demo / "data.csv"):
        said = kdaudit("run", path, "-o", foreign)
        assert (said.code, "holds no runs of students" in said.err) == (2, True)
    alone = kdaudit("run", demo / "audit.toml", "--student", "nobody")
    assert (alone.code, "unknown student 'nobody'" in alone.err) == (2, True)


def test_a_figure_never_crosses_its_limit_by_rounding() -> None:
    assert figure(0.049999, 0.05) == "0.049999"
    assert figure(0.05, 0.05) == "0.05"
    assert figure(1 / 3, 0.05) == "0.333"


def test_what_only_a_policy_lets_pass_is_a_warning_for_several_too(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    lenient = '[policy.lenient]\ninconclusive = "warn"\n[audit]'
    narrow = SEVERAL | {"margin = 0.05": "margin = 0.001", "[audit]": lenient}
    narrow['\n[student]\npredictions = "good.csv"\n'] = STUDENTS.replace("bad.csv", "good.csv")
    said = kdaudit("run", rewritten("audit.toml", narrow), "--policy", "lenient")
    assert said.code == 0
    assert said.last.startswith(
        "WARN (2 of 2 students met the contract, 2 of them by policy only) card: "
    )
    assert "| **WARN** | **WARN** |" in said.out
