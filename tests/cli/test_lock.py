"""A lock holds an audit to what was promised, and names whatever changed since."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Rewritten = Callable[..., Path]


def test_an_audit_under_a_lock_says_so(demo: Path, kdaudit: Run) -> None:
    said = kdaudit("lock", demo / "audit.toml")
    lock = demo / "lock.json"
    assert (said.code, said.last, said.err) == (0, f"lock: {lock}", "")
    done = kdaudit("run", demo / "audit.toml", "--lock", lock)
    assert done.code == 0
    results = json.loads((demo / "kdaudit-out/demo/results.json").read_text("utf-8"))
    made = json.loads(lock.read_text("utf-8"))["made"]
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    assert results["lock"] == {"digest": digest, "made": made}
    assert f"decided under a lock made at {made}" in done.out
    kdaudit("run", demo / "audit.toml")
    assert "no lock: nothing shows" in (demo / "kdaudit-out/demo/card.html").read_text("utf-8")


def test_the_contract_digest_of_a_lock_is_that_of_its_decisions(demo: Path, kdaudit: Run) -> None:
    kdaudit("lock", demo / "audit.toml")
    kdaudit("run", demo / "audit.toml")
    (decided,) = (demo / ".kdaudit/decisions.jsonl").read_text("utf-8").splitlines()
    lock = json.loads((demo / "lock.json").read_text("utf-8"))
    assert json.loads(decided)["contract"] == lock["contract_digest"]
    assert json.loads(decided)["split"] == lock["split"]


def test_another_teacher_is_another_promise(demo: Path, kdaudit: Run) -> None:
    kdaudit("lock", demo / "audit.toml")
    named = (demo / "audit.toml").read_text("utf-8").partition("[teacher]")[2]
    teacher = demo / named.partition('predictions = "')[2].partition('"')[0]
    teacher.write_text(teacher.read_text("utf-8") + "\n", "utf-8")
    said = kdaudit("run", demo / "audit.toml", "--lock", demo / "lock.json")
    assert said.code == 2
    assert "teacher" in said.err
    assert "no longer holds" in said.err


CHANGES = [
    ("margin = 0.05", "margin = 0.06", "check 1 was (ACC001 margin 0.05"),
    ('check = "ACC001"\nat_least = 0.8', 'check = "ACC003"\nat_most = 0.1', "check 3 was"),
    ('name = "demo"', 'name = "demo"\nseed = 9', "seed was 0 and is 9"),
    ('name = "demo"', 'name = "demo"\nalpha = 0.1', "alpha was 0.05 and is 0.1"),
    ('sensitive = ["channel"]', "", "[data] sensitive was ['channel'] and is []"),
    ("[teacher]", '[policy.lax]\ninconclusive = "warn"\n[teacher]', "[policy.lax] was added"),
]


@pytest.mark.parametrize(("old", "new", "words"), CHANGES)
def test_what_changed_in_the_audit_file_is_named(
    demo: Path, kdaudit: Run, rewritten: Rewritten, old: str, new: str, words: str
) -> None:
    kdaudit("lock", demo / "audit.toml")
    said = kdaudit("run", rewritten("audit.toml", {old: new}), "--lock", demo / "lock.json")
    assert said.code == 2
    assert words in said.err.replace("('channel',)", "['channel']").replace("()", "[]")
    assert "no longer holds" in said.err
    assert not (demo / "kdaudit-out").exists()


def test_what_changed_in_the_data_is_named(demo: Path, kdaudit: Run) -> None:
    kdaudit("lock", demo / "audit.toml")
    text = (demo / "data.csv").read_text("utf-8")
    (demo / "data.csv").write_text(text.replace(",yes,", ",no,", 1), "utf-8")
    said = kdaudit("audit", demo / "audit.toml", "--lock", demo / "lock.json")
    assert said.code == 2
    assert "the file of data was data.csv with sha256" in said.err
    assert "the ids or labels of the audited rows changed" in said.err


def test_another_student_is_no_change(demo: Path, kdaudit: Run, rewritten: Rewritten) -> None:
    kdaudit("lock", demo / "audit.toml")
    path = rewritten("audit.toml", {"good.csv": "bad.csv"})
    assert kdaudit("run", path, "--lock", demo / "lock.json").code == 1


def test_a_lock_is_never_written_over(demo: Path, kdaudit: Run) -> None:
    kdaudit("lock", demo / "audit.toml")
    before = (demo / "lock.json").read_bytes()
    again = kdaudit("lock", demo / "audit.toml")
    assert (again.code, "exists already" in again.err) == (2, True)
    assert (demo / "lock.json").read_bytes() == before
    assert kdaudit("lock", demo / "audit.toml", "-o", demo / "two.json").code == 0


def test_a_lock_after_the_results_says_so(demo: Path, kdaudit: Run) -> None:
    kdaudit("run", demo / "audit.toml")
    said = kdaudit("lock", demo / "audit.toml")
    assert "these rows have decided once already" in said.err
    assert json.loads((demo / "lock.json").read_text("utf-8"))["decisions"] == 1


def test_a_lock_that_is_none_is_named(demo: Path, kdaudit: Run) -> None:
    absent = kdaudit("run", demo / "audit.toml", "--lock", demo / "no.json")
    assert (absent.code, "`kdaudit lock` writes one" in absent.err) == (2, True)
    (demo / "no.json").write_text("{}", "utf-8")
    damaged = kdaudit("run", demo / "audit.toml", "--lock", demo / "no.json")
    assert (damaged.code, "no.json is not a lock file" in damaged.err) == (4, True)


def test_another_contract_at_the_gate_is_not_under_the_lock(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    kdaudit("lock", demo / "audit.toml")
    kdaudit("run", demo / "audit.toml", "--lock", demo / "lock.json")
    folder = demo / "kdaudit-out" / "demo"
    assert json.loads(kdaudit("gate", folder, "--json").out)["lock"]
    lax = rewritten("lax.toml", {"margin = 0.05": "margin = 0.06"})
    assert json.loads(kdaudit("gate", folder, "--contract", lax, "--json").out)["lock"] is None


def test_what_models_are_asked_is_part_of_the_promise(demo: Path, kdaudit: Run) -> None:
    """Another prompt, or other prices, is another audit; earlier locks did not say."""
    kdaudit("lock", demo / "audit.toml")
    lock = demo / "lock.json"
    promised = json.loads(lock.read_text("utf-8"))
    assert promised["asked"] == {}
    lock.write_text(json.dumps({**promised, "asked": {"prompt": {"max_tokens": 8}}}), "utf-8")
    said = kdaudit("run", demo / "audit.toml", "--lock", lock)
    assert said.code == 2
    assert "[prompt] max_tokens was 8 and is not set" in said.err
    lock.write_text(json.dumps({k: v for k, v in promised.items() if k != "asked"}), "utf-8")
    assert kdaudit("run", demo / "audit.toml", "--lock", lock).code == 0
