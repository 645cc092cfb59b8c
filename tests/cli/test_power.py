"""What the checks can show, before and after; and what a run would do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Rewritten = Callable[..., Path]


def tables(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["tables"]
    return found


def test_before_needs_no_models_and_matches_the_exact_power_of_the_test(
    demo: Path, kdaudit: Run
) -> None:
    from kdaudit.stats.exact_power import exact_power

    for name in ("teacher.csv", "good.csv", "bad.csv"):
        (demo / name).unlink()
    said = kdaudit("power", demo / "audit.toml", "--discordance", "0.06", "--json")
    assert said.code == 0, said.err
    (table,) = tables(said.out)
    assert table["assumed_discordance"] == 0.06
    first = table["checks"][0]
    assert (first["address"], first["n"], first["discordance"]) == ("ACC001", 400, 0.06)
    assert first["passes"] == pytest.approx(exact_power(400, 0.06, 0.0, -0.05, alpha=0.05))
    members = [c for c in table["checks"] if c["address"].startswith("SLC001")]
    data = (demo / "data.csv").read_text("utf-8")
    assert {c["n"] for c in members} == {data.count(",app"), data.count(",web")}


def test_more_rows_show_more(demo: Path, kdaudit: Run) -> None:
    text = (demo / "data.csv").read_text("utf-8").splitlines()
    passes, smallest, harm = [], [], []
    for rows in (100, 400):
        (demo / "data.csv").write_text("\n".join(text[: rows + 1]) + "\n", "utf-8")
        said = kdaudit("power", demo / "audit.toml", "--discordance", "0.1", "--json")
        first = tables(said.out)[0]["checks"][0]
        passes.append(first["passes"])
        smallest.append(first["smallest"])
        harm.append(first["harm"])
        assert 248 < first["needed_n"] < 290  # 248 by the formula, which promises too much
    assert passes[0] < passes[1]
    assert smallest[0] > smallest[1] > 0
    assert harm[0] > harm[1] > 0.05


def test_after_says_what_was_seen(demo: Path, kdaudit: Run) -> None:
    kdaudit("run", demo / "audit.toml")
    folder = demo / "kdaudit-out" / "demo"
    (table,) = tables(kdaudit("power", folder, "--json").out)
    assert table["assumed_discordance"] is None
    first = table["checks"][0]
    basis = json.loads((folder / "results.json").read_text("utf-8"))
    (accuracy,) = [f for s in basis["suites"] for f in s["findings"] if f["code"] == "ACC001"]
    counts = accuracy["basis"]
    assert first["discordance"] == (counts["n10"] + counts["n01"]) / 400
    text = kdaudit("power", folder).out
    assert "If as many rows differ as were seen to" in text
    assert "it is counted, not estimated" in text


def test_small_groups_are_said_to_be_too_small(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    path = rewritten("audit.toml", {'each = ["channel"]': 'each = ["channel"]\nmin_n = 200'})
    said = kdaudit("power", path)
    assert "fewer than min_n = 200 rows: it will not be evaluable" in said.out


def test_what_cannot_be_asked_is_refused(demo: Path, kdaudit: Run) -> None:
    share = kdaudit("power", demo / "audit.toml", "--discordance", "5")
    assert (share.code, "between 0 and 1" in share.err) == (2, True)
    kdaudit("run", demo / "audit.toml")
    seen = kdaudit("power", demo / "kdaudit-out/demo", "--discordance", "0.1")
    assert (seen.code, "has seen its share" in seen.err) == (2, True)


def test_a_dry_run_writes_nothing(demo: Path, kdaudit: Run) -> None:
    before = set(demo.rglob("*"))
    said = kdaudit("run", demo / "audit.toml", "--dry-run")
    assert said.code == 0, said.err
    assert set(demo.rglob("*")) == before
    assert "student (good.csv): 400 audit rows, read from a file" in said.out
    assert "rows needed" in said.out
    assert json.loads(kdaudit("audit", demo / "audit.toml", "--dry-run", "--json").out)["power"]


def test_a_dry_run_refuses_what_a_run_refuses(
    demo: Path, kdaudit: Run, rewritten: Rewritten
) -> None:
    assert kdaudit("run", demo / "audit.toml", "--dry-run", "--policy", "x").code == 2
    kdaudit("lock", demo / "audit.toml")
    changed = rewritten("audit.toml", {"margin = 0.05": "margin = 0.06"})
    said = kdaudit("run", changed, "--dry-run", "--lock", demo / "lock.json")
    assert (said.code, "no longer holds" in said.err) == (2, True)


def test_no_seed_changes_what_can_be_shown(demo: Path, kdaudit: Run, rewritten: Rewritten) -> None:
    from kdaudit.stats.exact_power import share_power

    said = [
        kdaudit(
            "power", rewritten("audit.toml", {'"demo"': f'"demo"\nseed = {seed}'}), "--json"
        ).out
        for seed in (1, 2)
    ]
    assert said[0] == said[1]
    (fixed,) = [c for c in tables(said[0])[0]["checks"] if c["limit"] == "at_least 0.8"]
    assert fixed["passes"] == pytest.approx(share_power(400, 0.9, 0.8, alpha=0.05))


def test_a_group_cannot_write_to_the_terminal(demo: Path, kdaudit: Run) -> None:
    data = demo / "data.csv"
    data.write_text(data.read_text("utf-8").replace(",app", ",a\x1b[2Jpp"), "utf-8")
    said = kdaudit("power", demo / "audit.toml")
    assert "\x1b" not in said.out
    assert r"channel=a\u001b[2Jpp" in said.out
