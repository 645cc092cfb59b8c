"""Test wear in the commands: counted once, printed, and kept when nothing changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]
Rewritten = Callable[..., Path]
ONCE = "this audit split has decided once (1 student)"


def test_a_run_says_how_often_its_rows_have_decided(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    for _ in range(2):
        assert ONCE in kdaudit("run", demo / "audit.toml").out
    assert ONCE in (demo / "kdaudit-out/demo/card.html").read_text("utf-8")
    other = rewritten("bad.toml", {"good.csv": "bad.csv", '"demo"': '"other"'})
    twice = kdaudit("run", other)
    assert "this audit split has decided 2 times (2 students)" in twice.out
    run = json.loads((demo / "kdaudit-out/other/run.json").read_text("utf-8"))
    assert run["wear"] == {"decisions": 2, "students": 2}
    # The first run has not changed a byte, so it still says what was true then.
    assert ONCE in kdaudit("run", demo / "audit.toml").out


def test_every_threshold_that_was_tried_counts(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    kdaudit("run", demo / "audit.toml")
    tried = rewritten("tried.toml", {"[student]": "[student]\nrename = { a = 'a' }"})
    assert "decided 2 times (2 students)" in kdaudit("run", tried, "-o", demo / "two").out


def test_a_gate_with_another_contract_is_another_decision(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    kdaudit("run", demo / "audit.toml")
    folder = demo / "kdaudit-out" / "demo"
    assert ONCE in kdaudit("gate", folder).out
    lax = rewritten("lax.toml", {"margin = 0.05": "margin = 0.06"})
    for _ in range(2):
        said = kdaudit("gate", folder, "--contract", lax)
        assert "has decided 2 times (1 student)" in said.out


def test_many_students_on_the_same_rows_are_cautioned_against(demo: Path, kdaudit: Run) -> None:
    from kdaudit_reports.caveats import WORN

    book = demo / ".kdaudit" / "decisions.jsonl"
    assert kdaudit("run", demo / "audit.toml").code == 0
    (line,) = book.read_text("utf-8").splitlines()
    worn = [json.dumps(json.loads(line) | {"student": f"s{i}"}) for i in range(WORN - 1)]
    book.write_text("\n".join(worn) + "\n", "utf-8")
    kdaudit("run", demo / "audit.toml", "-o", demo / "again")
    assert f"These rows have now judged {WORN} students" in (demo / "again/card.html").read_text(
        "utf-8"
    )
    assert "These rows have now judged" not in (demo / "kdaudit-out/demo/card.html").read_text(
        "utf-8"
    )


def test_a_damaged_ledger_is_exit_4(demo: Path, kdaudit: Run) -> None:
    kdaudit("run", demo / "audit.toml")
    (demo / ".kdaudit" / "decisions.jsonl").write_text("{\n", "utf-8")
    said = kdaudit("run", demo / "audit.toml")
    assert (said.code, "restore the file" in said.err) == (4, True)
