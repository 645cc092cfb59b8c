"""A third party's suite, installed as its own package, behaves as ours do."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit import registry
from kdaudit.errors import ConfigError
from kdaudit.results import Outcome

PLUGIN = Path(__file__).parent / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), str(PLUGIN)]
    subprocess.run(command, check=True, cwd=target)
    return target


@pytest.fixture
def plugin(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(installed))


def test_the_plugin_is_found_and_signs_the_same_contract(
    plugin: None, signs_the_contract: Callable[[str], None]
) -> None:
    assert "agreement" in registry.available(registry.GROUPS.suites)
    signs_the_contract("agreement")


def test_the_plugin_runs_only_where_it_is_named(plugin: None, world: Callable[..., Any]) -> None:
    tables = world(n=200)
    check = {"check": "AGR001", "at_least": 0.5}
    assert "agreement" not in [suite.suite for suite in tables.audit().suites]
    with pytest.raises(ConfigError, match="unknown check 'AGR001'"):
        tables.audit([check])
    results = tables.audit([check], suites={"agreement": {}})
    (verdict,) = [v for v in results.verdicts if v.address == "AGR001"]
    assert verdict.outcome is Outcome.PASS
    same = (
        tables.teacher.set_index("id").idxmax(axis=1)
        == tables.student.set_index("id").idxmax(axis=1)
    ).mean()
    assert results.finding("AGR001").student.value == pytest.approx(same)


def test_a_plugin_that_crashes_is_an_error_and_exit_70(
    plugin: None, world: Callable[..., Any]
) -> None:
    check = {"check": "AGR001", "at_least": 0.5}
    results = world().audit([check], suites={"agreement": {"break_down": True}})
    assert results.outcome is Outcome.ERROR
    assert results.exit_code == 70
    (verdict,) = [v for v in results.verdicts if v.address == "AGR001"]
    assert verdict.outcome is Outcome.ERROR
    assert "RuntimeError: as it was asked to" in verdict.reason
    assert any("crashed" in limitation.text for limitation in results.limitations)


def test_an_unknown_option_of_a_plugin_is_named(plugin: None, world: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'break_down'"):
        world().audit(suites={"agreement": {"breakdown": True}})


AUDIT = """
[audit]
name = "a"
[data]
path = "d.csv"
label = "label"
[teacher]
predictions = "t.csv"
[student]
predictions = "s.csv"
[suites.agreement]
[[contract]]
check = "AGR001"
at_least = 0.99
"""


def test_a_check_of_a_plugin_gates_a_process_that_finds_it_on_its_path(
    installed: Path, tmp_path: Path, world: Callable[..., Any]
) -> None:
    tables = world(n=200)
    for name, table in (("d", tables.data), ("t", tables.teacher), ("s", tables.student)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "audit.toml").write_text(AUDIT, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "kdaudit", "run", "audit.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAIL            AGR001" in done.stdout
