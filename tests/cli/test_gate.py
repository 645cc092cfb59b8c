"""Stored results are decided again from their basis alone, and no edit goes unseen."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Rewritten = Callable[..., Path]


@pytest.fixture
def audited(demo: Path, kdaudit: Run) -> Path:
    said = kdaudit("run", demo / "audit.toml")
    assert said.code == 0, said.out + said.err
    return demo / "kdaudit-out" / "demo"


def test_the_stored_contract_gives_the_stored_results(audited: Path, kdaudit: Run) -> None:
    for target in (audited, audited / "results.json"):
        said = kdaudit("gate", target, "--json")
        assert said.code == 0, said.err
        assert said.out == (audited / "results.json").read_text("utf-8")
        assert said.err.splitlines()[-1] == f"PASS card: {audited / 'results.json'}"
        assert "by the stored contract" in said.err
        assert "nothing was measured again" in said.err


def test_neither_rows_nor_models_nor_suites_are_needed(
    audited: Path, kdaudit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path / "elsewhere" / "results.json"
    alone.parent.mkdir()
    shutil.copy(audited / "results.json", alone)
    for name in ("data.csv", "teacher.csv", "good.csv"):
        (tmp_path / name).unlink()

    def nothing(*_: object) -> None:
        raise AssertionError("a suite was asked for")

    monkeypatch.setattr("kdaudit.registry.build_suite", nothing)
    said = kdaudit("gate", alone)
    assert (said.code, said.last) == (0, f"PASS card: {alone}")


def test_another_contract_gives_other_verdicts_and_says_which_decided(
    audited: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    before = (audited / "results.json").read_bytes()
    strict = rewritten("strict.toml", {"at_least = 0.8": "at_least = 0.99"})
    said = kdaudit("gate", audited, "--contract", strict)
    assert said.code == 1
    assert said.last == f"FAIL card: {audited / 'results.json'}"
    assert "by the contract of strict.toml (sha256 " in said.out
    assert (audited / "results.json").read_bytes() == before
    junit = audited.parent / "junit.xml"
    done = kdaudit("gate", audited, "--contract", strict, "--format", "junit", "-o", junit)
    assert done.code == 1
    assert 'failures="1"' in junit.read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('check = "ACC001"\nmargin', 'check = "ACC0O1"\nmargin', "it was not measured here"),
        ('each = ["channel"]', 'where = { channel = "fax" }', "no row of the audit split has"),
        ('each = ["channel"]', 'each = ["colour"]', "nothing was measured at SLC001[colour=*]"),
    ],
)
def test_what_was_not_measured_is_not_evaluable(
    audited: Path, kdaudit: Run, rewritten: Rewritten, old: str, new: str, reason: str
) -> None:
    said = kdaudit("gate", audited, "--contract", rewritten("new.toml", {old: new}), "--json")
    assert said.code == 3
    assert reason in json.loads(said.out)["verdicts"][0 if "ACC" in old else 1]["reason"]


def test_a_limit_that_asks_for_a_worse_student_is_refused(
    audited: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    wrong = rewritten("wrong.toml", {"at_least = 0.8": "at_most = 0.8"})
    said = kdaudit("gate", audited, "--contract", wrong)
    assert said.code == 2
    assert "use at_least" in said.err


def test_another_alpha_moves_what_has_a_basis_and_nothing_else(
    audited: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    stern = rewritten("stern.toml", {'name = "demo"': 'name = "demo"\nalpha = 0.005'})
    stored = json.loads((audited / "results.json").read_text())
    said = json.loads(kdaudit("gate", audited, "--contract", stern, "--json").out)
    before, after = stored["verdicts"][0]["measured"], said["verdicts"][0]["measured"]
    assert (before["level"], after["level"]) == (0.9, 0.99)
    assert after["high"] > before["high"]


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a verdict that blocks no longer": lambda raw: raw["verdicts"][0].update(blocks=False),
    "another outcome": lambda raw: raw["verdicts"][0].update(outcome="pass"),
    "the outcome of all": lambda raw: raw.update(outcome="pass"),
    "the exit code": lambda raw: raw.update(exit_code=0),
    "a wider limit": lambda raw: raw["contract"][0].update(value=0.5),
    "a policy nobody applied": lambda raw: raw.update(policy="lax", exit_code=0, outcome="pass"),
    "a finding": lambda raw: raw["suites"][0]["findings"][0]["basis"].update(n01=0),
    "a verdict less": lambda raw: raw["verdicts"].pop(),
    "a number that is only shown": lambda raw: _own(raw).update(value=0.99, high=1.0),
    "an interval that is only shown": lambda raw: _own(raw).update(low=_own(raw)["value"]),
    "a count below 0": lambda raw: raw["suites"][0]["findings"][0]["basis"].update(n11=-5),
    "an alpha out of range": lambda raw: raw.update(alpha=0.9),
    "a limitation less": lambda raw: raw["limitations"].pop(),
    "a limitation in other words": lambda raw: raw["limitations"][0].update(text="None."),
}


def _own(raw: dict[str, Any]) -> dict[str, Any]:
    found = [f for suite in raw["suites"] for f in suite["findings"] if f["code"] == "ACC001"]
    own: dict[str, Any] = found[0]["student"]
    return own


@pytest.mark.parametrize("name", EDITS)
def test_what_was_edited_by_hand_is_exit_4(demo: Path, kdaudit: Run, name: str) -> None:
    text = (demo / "audit.toml").read_text("utf-8").replace("good.csv", "bad.csv")
    (demo / "audit.toml").write_text(text, "utf-8")
    assert kdaudit("run", demo / "audit.toml").code == 1
    path = demo / "kdaudit-out" / "demo" / "results.json"
    raw = json.loads(path.read_text("utf-8"))
    EDITS[name](raw)
    path.write_text(json.dumps(raw, indent=1, sort_keys=True), "utf-8")
    said = kdaudit("gate", path.parent)
    assert (said.code, "do not follow from its" in said.err) == (4, True)


def test_results_of_another_version_are_held_to_their_numbers(audited: Path, kdaudit: Run) -> None:
    path = audited / "results.json"
    raw = json.loads(path.read_text("utf-8"))
    raw["versions"]["kdaudit"] = "0.0.1"
    raw["verdicts"][0]["reason"] = "in other words"
    path.write_text(json.dumps(raw), "utf-8")
    assert kdaudit("gate", audited).code == 0
    raw["verdicts"][0]["measured"]["high"] += 1e-6
    path.write_text(json.dumps(raw), "utf-8")
    assert kdaudit("gate", audited).code == 4


def test_results_of_an_earlier_format_are_decided_anew(tmp_path: Path, kdaudit: Run) -> None:
    """A calibration error far beyond its margin, of which format 1 could not say so."""
    old = Path(__file__).with_name("results-format-1.json")
    raw = json.loads(old.read_text("utf-8"))
    assert (raw["format"], raw["outcome"]) == (1, "inconclusive")
    path = tmp_path / "results.json"
    path.write_bytes(old.read_bytes())
    said = kdaudit("gate", path)
    assert (said.code, "FAIL            CAL004" in said.out) == (1, True)
    card = kdaudit("gate", path, "--format", "card").out
    assert "first decided by an earlier version of kdaudit" in card
    # Whoever writes another verdict into it changes nothing, and other numbers are found out.
    raw["verdicts"][0]["outcome"], raw["outcome"], raw["exit_code"] = "pass", "pass", 0
    path.write_text(json.dumps(raw), "utf-8")
    assert kdaudit("gate", path).code == 1
    for suite in raw["suites"]:
        for finding in suite["findings"]:
            if finding["code"] == "CAL001":
                finding["difference"]["high"] = 0.0
    path.write_text(json.dumps(raw), "utf-8")
    assert kdaudit("gate", path).code == 4


POLICY = '\n[policy.lax]\ninconclusive = "warn"\n'
UNDECIDED = {"margin = 0.05": "margin = 0.004", "at_least = 0.8": "at_least = 0.8" + POLICY}


def test_a_policy_is_applied_to_stored_results(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    path = rewritten("audit.toml", UNDECIDED)
    assert kdaudit("run", path).code == 3
    folder = demo / "kdaudit-out" / "demo"
    for words in (("--policy", "lax"), ("--policy", "lax", "--contract", path)):
        said = kdaudit("gate", folder, *words)
        assert said.code == 0
        assert said.last.startswith("WARN (1 undecided, which policy lax lets pass) card: ")
    assert kdaudit("gate", folder).code == 3
    unknown = kdaudit("gate", folder, "--policy", "lux")
    assert (unknown.code, "Did you mean 'lax'" in unknown.err) == (2, True)
    shutil.copy(folder / "results.json", demo / "r.json")
    (demo / "audit.toml").unlink()
    alone = kdaudit("gate", demo / "r.json", "--policy", "lax")
    assert (alone.code, "name the audit file" in alone.err) == (2, True)


def test_a_run_under_a_policy_is_gated_under_the_same(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    path = rewritten("audit.toml", UNDECIDED)
    first = kdaudit("run", path, "--policy", "lax")
    folder = demo / "kdaudit-out" / "demo"
    again = kdaudit("gate", folder)
    assert first.code == again.code == 0
    assert first.last.partition(" card")[0] == again.last.partition(" card")[0]
    card, junit = ((folder / name).read_text("utf-8") for name in ("card.html", "junit.xml"))
    assert "May ship with a warning" in card
    assert 'skipped="1"' in junit


def test_what_does_not_block_and_failed_is_in_the_last_line(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    warned = 'at_least = 0.99\nseverity = "warn"'
    path = rewritten("audit.toml", {"at_least = 0.8": warned})
    said = kdaudit("run", path)
    assert (said.code, said.last) == (
        0,
        f"PASS (1 check that does not block failed) card: {demo / 'kdaudit-out/demo/card.html'}",
    )


def test_no_results_is_exit_2(tmp_path: Path, kdaudit: Run) -> None:
    for target in (tmp_path, tmp_path / "results.json"):
        said = kdaudit("gate", target)
        assert (said.code, "`kdaudit run` makes" in said.err) == (2, True)
