"""Several looks at the same rows share one alpha; the store remembers which look is which."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdaudit.contract import decide
from kdaudit.results import Check, Finding, Limit, Outcome, Table
from kdaudit.stats.spending import Spending, spent

CHECK = Check(code="ACC001", limit=Limit.MARGIN, value=0.05)
Run = Callable[..., Any]
Rewritten = Callable[..., Path]


@pytest.fixture
def looking(demo: Path) -> Path:
    """The demo with three looks promised, and a third student."""
    file = demo / "audit.toml"
    file.write_text(file.read_text("utf-8").replace('name = "demo"', 'name = "demo"\nlooks = 3'))
    (demo / "third.csv").write_text((demo / "bad.csv").read_text("utf-8"))
    return demo


@pytest.fixture
def other(looking: Path) -> Rewritten:
    """Write the audit file again with pieces of text replaced."""

    def write(name: str, pieces: dict[str, str]) -> Path:
        text = (looking / "audit.toml").read_text("utf-8")
        for old, new in pieces.items():
            assert old in text
            text = text.replace(old, new)
        (looking / name).write_text(text, "utf-8")
        return looking / name

    return write


def results(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "results.json").read_text("utf-8"))
    return read


def test_every_student_spends_its_share(looking: Path, kdaudit: Run, other: Rewritten) -> None:
    shares = [spent(0.05, k / 3, "pocock") - spent(0.05, (k - 1) / 3, "pocock") for k in (1, 2, 3)]
    first = kdaudit("run", looking / "audit.toml")
    assert first.code == 0
    assert "look 1 of 3 (pocock): it had 0.0226 of alpha = 0.05, and 0.0274 is left" in first.out
    one = results(looking / "kdaudit-out/demo")
    assert one["alpha"] == pytest.approx(shares[0], rel=1e-12)
    assert one["look"]["number"] == 1
    card = (looking / "kdaudit-out/demo/card.html").read_text("utf-8")
    assert "It is look 1 of 3 at these rows" in card
    assert "this one could spend 2.26%, and 2.74% is left" in card
    bad = other("bad.toml", {"good.csv": "bad.csv"})
    assert "look 2 of 3" in kdaudit("run", bad, "-o", looking / "two").out
    # The first student is no new look, whoever looked since.
    again = kdaudit("run", looking / "audit.toml", "-o", looking / "again")
    assert "look 1 of 3" in again.out
    assert results(looking / "again")["alpha"] == one["alpha"]
    lax = other("lax.toml", {"margin = 0.05": "margin = 0.06"})
    assert "look 3 of 3" in kdaudit("run", lax, "-o", looking / "three").out
    assert results(looking / "three")["look"]["left"] == pytest.approx(0, abs=1e-12)
    tried = other("tried.toml", {"[student]": "[student]\nrename = { a = 'a' }"})
    refused = kdaudit("run", tried, "-o", looking / "four")
    assert refused.code == 2
    assert "these rows have decided 3 times, and no look is left" in refused.err
    assert not (looking / "four").exists()
    assert kdaudit("run", looking / "audit.toml", "-o", looking / "again").code == 0


def test_what_was_decided_before_the_promise_is_spent(demo: Path, kdaudit: Run) -> None:
    assert kdaudit("run", demo / "audit.toml").code == 0
    file = demo / "audit.toml"
    file.write_text(file.read_text("utf-8").replace('name = "demo"', 'name = "demo"\nlooks = 3'))
    text = file.read_text("utf-8").replace("good.csv", "bad.csv")
    (demo / "bad.toml").write_text(text)
    said = kdaudit("run", demo / "bad.toml", "-o", demo / "two")
    assert said.code == 2
    assert "decided once outside of the promise, which spent 0.05 of alpha = 0.05" in said.err


def test_a_line_of_an_earlier_version_spent_all(looking: Path, kdaudit: Run) -> None:
    kdaudit("run", looking / "audit.toml")
    book = looking / ".kdaudit" / "decisions.jsonl"
    line = json.loads(book.read_text("utf-8"))
    line = {key: line[key] for key in ("format", "split", "contract", "against", "time")}
    book.write_text(json.dumps(line | {"student": "another", "outcome": "pass"}) + "\n")
    assert "outside of the promise" in kdaudit("run", looking / "audit.toml").err


def test_a_line_with_strange_terms_is_damage(looking: Path, kdaudit: Run) -> None:
    kdaudit("run", looking / "audit.toml")
    book = looking / ".kdaudit" / "decisions.jsonl"
    book.write_text(book.read_text("utf-8").replace('"looks": 3', '"looks": -3'))
    assert kdaudit("run", looking / "audit.toml").code == 4


def test_a_gate_decides_the_same_look_and_no_other(
    looking: Path, kdaudit: Run, other: Rewritten
) -> None:
    kdaudit("run", looking / "audit.toml")
    folder = looking / "kdaudit-out/demo"
    assert "look 1 of 3" in kdaudit("gate", folder).out
    same = kdaudit("gate", folder, "--contract", looking / "audit.toml")
    assert (same.code, "look 1 of 3" in same.out) == (0, True)
    lax = other("lax.toml", {"margin = 0.05": "margin = 0.06"})
    assert "would be another look of 3" in kdaudit("gate", folder, "--contract", lax).err
    free = other("free.toml", {"looks = 3\n": ""})
    assert "promises no looks" in kdaudit("gate", folder, "--contract", free).err
    more = other("more.toml", {"looks = 3": "looks = 9"})
    assert "look 1 of 3" in kdaudit("gate", folder, "--contract", more).err


def test_a_lock_promises_looks(looking: Path, kdaudit: Run) -> None:
    assert kdaudit("lock", looking / "audit.toml", "-o", looking / "lock.json").code == 0
    file = looking / "audit.toml"
    file.write_text(file.read_text("utf-8").replace("looks = 3", "looks = 4"))
    said = kdaudit("run", file, "--lock", looking / "lock.json")
    assert (said.code, "looks was 3 and is 4" in said.err) == (2, True)


def test_power_speaks_of_the_next_look(looking: Path, kdaudit: Run) -> None:
    def alpha() -> float:
        return float(json.loads(kdaudit("power", looking / "audit.toml", "--json").out)["alpha"])

    first = alpha()
    kdaudit("run", looking / "audit.toml")
    assert first == pytest.approx(spent(0.05, 1 / 3, "pocock"))
    assert alpha() == pytest.approx(spent(0.05, 2 / 3, "pocock") - first)


def test_spending_needs_looks_and_looks_need_a_store(demo: Path, kdaudit: Run) -> None:
    file = demo / "audit.toml"
    text = file.read_text("utf-8")
    file.write_text(text.replace('name = "demo"', 'name = "demo"\nspending = "pocock"'))
    assert "say how many, e.g. looks = 10" in kdaudit("run", file).err
    file.write_text(text.replace('name = "demo"', 'name = "demo"\nlooks = 2\nspending = "x"'))
    assert "pocock" in kdaudit("run", file).err


def test_nearly_nothing_is_left_to_an_early_look(looking: Path, kdaudit: Run) -> None:
    file = looking / "audit.toml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("looks = 3", 'looks = 10\nspending = "obrien-fleming"'))
    said = kdaudit("run", file)
    assert "look 1 of 10 (obrien-fleming): it had 5.72e-10 of alpha = 0.05" in said.out
    assert said.code == 3


@pytest.mark.parametrize("spending", ["pocock", "obrien-fleming"])
def test_the_best_of_nine_students_at_the_margin(
    finding: Callable[..., Finding], spending: Spending
) -> None:
    """Nine students at the margin, each judged at alpha: one of them passes in 37% of cases."""
    rng, n, audits = np.random.default_rng(3), 1000, 300
    gone = [spent(0.05, look / 9, spending) for look in range(10)]
    shares = np.diff(gone)

    def passes(table: Table, alpha: float) -> bool:
        return decide(CHECK, finding(table), alpha).outcome is Outcome.PASS

    one_passes = {"shared": 0, "each": 0}
    for _ in range(audits):
        drawn = rng.multinomial(n, [0.85, 0.075, 0.025, 0.05], size=9)  # 5 points worse
        tables = [Table(n11=a, n10=b, n01=c, n00=d) for a, c, b, d in drawn.tolist()]
        one_passes["each"] += any(passes(table, 0.05) for table in tables)
        one_passes["shared"] += any(map(passes, tables, shares))
    assert one_passes["each"] / audits > 0.25
    assert one_passes["shared"] / audits < 0.05 + 3 * (0.05 * 0.95 / audits) ** 0.5


def test_another_promise_for_the_same_student_is_another_look(
    looking: Path, kdaudit: Run, other: Rewritten
) -> None:
    """Without looks, or with fewer, the same student would else be decided again for nothing."""
    assert kdaudit("run", looking / "audit.toml").code == 0
    two = kdaudit("run", other("two.toml", {"looks = 3": "looks = 2"}))
    assert "look 2 of 2" in two.out
    third = kdaudit("run", other("third.toml", {"looks = 3": "looks = 2", "good.csv": "bad.csv"}))
    assert third.code == 2
    assert "no look is left" in third.err


def test_a_promise_of_looks_is_kept(looking: Path, kdaudit: Run, other: Rewritten) -> None:
    assert kdaudit("run", looking / "audit.toml").code == 0
    plain = kdaudit("run", other("plain.toml", {"looks = 3\n": "\n"}))
    assert plain.code == 2
    assert "keep looks in the audit file" in plain.err


def test_other_clusters_are_another_look(looking: Path, kdaudit: Run, other: Rewritten) -> None:
    assert kdaudit("run", looking / "audit.toml").code == 0
    again = kdaudit("run", other("wide.toml", {'id = "id"': 'id = "id"\ncluster = "id"'}))
    assert "look 2 of 3" in again.out
