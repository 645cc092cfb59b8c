"""``--only teacher``: what can be said before there is a student, and what that means for one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Rewritten = Callable[..., Path]
FLIPS = 'check = "ACC001"\nat_least = 0.8'


def test_fixed_limits_are_held_and_the_rest_waits_for_a_student(demo: Path, kdaudit: Run) -> None:
    said = kdaudit("audit", demo / "audit.toml", "--only", "teacher")
    folder = demo / "kdaudit-out" / "demo-teacher"
    assert (said.code, said.last) == (0, f"PASS card: {folder / 'card.html'}")
    assert "The teacher meets the fixed limits; no student was audited" in said.out
    results = json.loads((folder / "results.json").read_text("utf-8"))
    assert results["only"] == "teacher"
    assert [s["role"] for s in results["subjects"]] == ["teacher"]
    outcomes = {(v["address"], v["outcome"], v["blocks"]) for v in results["verdicts"]}
    assert ("ACC001", "not_evaluable", False) in outcomes
    assert ("SLC001[channel=*]", "not_evaluable", False) in outcomes
    assert ("ACC001", "pass", False) in outcomes
    assert kdaudit("gate", folder).code == 0


def test_no_student_is_needed_and_none_is_overwritten(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    assert kdaudit("run", demo / "audit.toml").code == 0
    before = (demo / "kdaudit-out/demo/results.json").read_bytes()
    alone = rewritten("audit.toml", {'\n[student]\npredictions = "good.csv"\n': "\n"})
    assert kdaudit("run", alone, "--only", "teacher").code == 0
    assert (demo / "kdaudit-out/demo/results.json").read_bytes() == before
    evidence = demo / "kdaudit-out/demo-teacher/evidence"
    assert [p.name for p in evidence.iterdir()] == ["teacher.predictions.parquet"]
    refused = kdaudit("run", alone)
    assert (refused.code, "names no [student]" in refused.err) == (2, True)


def test_values_are_those_of_the_full_audit(demo: Path, kdaudit: Run) -> None:
    kdaudit("run", demo / "audit.toml")
    kdaudit("run", demo / "audit.toml", "--only", "teacher")
    full, alone = (
        {
            (f["code"], str(f["where"])): f
            for suite in json.loads((demo / "kdaudit-out" / name / "results.json").read_text())[
                "suites"
            ]
            for f in suite["findings"]
        }
        for name in ("demo", "demo-teacher")
    )
    compared = 0
    for place, finding in alone.items():
        assert finding["student"] == finding["teacher"]
        assert finding["difference"]["kind"] == "not_measured"
        if finding["student"]["kind"] == "estimate" and place[0] != "ACC003":
            assert finding["student"]["value"] == pytest.approx(full[place]["teacher"]["value"])
            compared += 1
    assert compared >= 5


def test_a_limit_on_what_only_a_pair_has_is_never_met_by_the_teacher_alone(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    path = rewritten("audit.toml", {FLIPS: 'check = "ACC002"\nat_most = 0.5'})
    said = kdaudit("run", path, "--only", "teacher")
    assert said.code == 3, said.out
    results = json.loads((demo / "kdaudit-out/demo-teacher/results.json").read_text("utf-8"))
    (flips,) = [v for v in results["verdicts"] if v["address"] == "ACC002"]
    assert (flips["outcome"], flips["blocks"]) == ("not_evaluable", False)
    assert "needs a student" in flips["reason"]


def test_a_teacher_that_misses_a_limit_is_exit_1_and_a_limitation_of_its_student(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    path = rewritten("audit.toml", {"at_least = 0.8": "at_least = 0.97"})
    alone = kdaudit("run", path, "--only", "teacher")
    assert alone.code == 1
    assert "The teacher misses fixed limits: 1 of 2 blocking checks is not met" in alone.out
    kdaudit("run", path)
    results = json.loads((demo / "kdaudit-out/demo/results.json").read_text("utf-8"))
    (said,) = [one for one in results["limitations"] if "The teacher itself" in one["text"]]
    (accuracy,) = [f for s in results["suites"] for f in s["findings"] if f["code"] == "ACC001"]
    for who in ("teacher", "student"):
        assert f"{accuracy[who]['value']:.4g}" in said["text"]
    assert said["evidence"] == "ACC001"
    met = rewritten("audit.toml", {"at_least = 0.8": "at_least = 0.5"})
    kdaudit("run", met)
    assert "The teacher itself" not in (demo / "kdaudit-out/demo/results.json").read_text("utf-8")


def test_the_card_shows_one_subject(demo: Path, kdaudit: Run) -> None:
    kdaudit("run", demo / "audit.toml", "--only", "teacher")
    card = (demo / "kdaudit-out/demo-teacher/card.html").read_text("utf-8")
    assert '<th scope="col">teacher</th>' in card
    assert '<th scope="col">student − teacher</th>' not in card
    assert '<th scope="col">student</th>' not in card
    assert "May ship" not in card


def test_every_built_in_suite_speaks_of_the_teacher_alone(
    demo: Path, kdaudit: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    text = (demo / "audit.toml").read_text("utf-8")
    sized = '[[contract]]\ncheck = "LAT003"\nat_most = 1000\n'  # waits for a student as well
    (demo / "audit.toml").write_text(text + sized, "utf-8")
    said = kdaudit("run", demo / "audit.toml", "--only", "teacher")
    assert said.code == 0, said.out
    results = json.loads((demo / "kdaudit-out/demo-teacher/results.json").read_text("utf-8"))
    assert {suite["suite"] for suite in results["suites"]} > {"accuracy", "slices", "fairness"}
    for suite in results["suites"]:
        assert suite["error"] is None
        assert not suite["figures"]


def test_two_audits_never_share_a_folder(demo: Path, kdaudit: Run, rewritten: Rewritten) -> None:
    assert kdaudit("run", demo / "audit.toml", "--only", "teacher").code == 0
    folder = demo / "kdaudit-out" / "demo-teacher"
    before = (folder / "results.json").read_bytes()
    other = rewritten("other.toml", {'"demo"': '"demo-teacher"'})
    for said in (kdaudit("run", other), kdaudit("run", demo / "audit.toml", "-o", folder)):
        assert (said.code, "holds the run of the audit 'demo-teacher'" in said.err) == (2, True)
        assert "-o" in said.err
    assert (folder / "results.json").read_bytes() == before
    assert kdaudit("run", demo / "audit.toml", "--only", "teacher").code == 0
