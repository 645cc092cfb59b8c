"""The small commands: what can be measured, schemas, a file to start from, the card again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit import registry
from kdaudit.data.audit_file import read_audit_file
from kdaudit.schemas import NAMES, schema_of
from tests.cli import tiny

Run = Callable[..., Any]


def test_suites_are_listed_with_their_codes(kdaudit: Run) -> None:
    said = kdaudit("suites")
    assert said.code == 0
    for name in registry.available(registry.GROUPS.suites):
        assert name in said.out
    for code in ("ACC001", "CAL004", "FAI005", "HAL003", "LAT001", "SLC003"):
        assert code in said.out


def test_a_suites_manual_is_its_docstring(kdaudit: Run) -> None:
    from kdaudit_suites import calibration

    said = kdaudit("suites", "show", "calibration")
    assert said.code == 0
    assert said.out.strip() == (calibration.__doc__ or "").replace("``", "`").strip()
    unknown = kdaudit("suites", "show", "calibraton")
    assert unknown.code == 2
    assert "Did you mean 'calibration'" in unknown.err


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_printed_as_json(kdaudit: Run, name: str) -> None:
    said = kdaudit("schema", name)
    assert said.code == 0
    assert json.loads(said.out) == json.loads(json.dumps(schema_of(name)))


def test_a_file_to_start_from_is_a_valid_one_and_is_never_written_over(
    tmp_path: Path, kdaudit: Run
) -> None:
    path = tmp_path / "audit.toml"
    assert kdaudit("init", path).code == 0
    assert read_audit_file(path).contract
    path.write_text("mine", "utf-8")
    for target in (path, tmp_path):
        again = kdaudit("init", target)
        assert (again.code, "exists already" in again.err) == (2, True)
    assert path.read_text("utf-8") == "mine"
    nowhere = kdaudit("init", tmp_path / "no" / "folder.toml")
    assert (nowhere.code, "cannot be written" in nowhere.err) == (2, True)


@pytest.fixture
def audited(tmp_path: Path, kdaudit: Run) -> Path:
    assert kdaudit("run", tiny.write(tmp_path, "margin = 0.1", wrong=3)).code == 0
    return tmp_path / "kdaudit-out" / "a"


def test_the_card_can_be_rendered_again(audited: Path, kdaudit: Run, tmp_path: Path) -> None:
    said = kdaudit("card", audited)
    assert said.code == 0
    assert said.out == (audited / "card.html").read_text("utf-8")
    other = tmp_path / "card.md"
    assert kdaudit("card", audited, "--format", "markdown", "-o", other).code == 0
    assert other.read_text("utf-8") == (audited / "summary.md").read_text("utf-8")


@pytest.mark.parametrize("kind", sorted(registry.available(registry.GROUPS.reports)))
def test_every_report_renders_stored_results(audited: Path, kdaudit: Run, kind: str) -> None:
    said = kdaudit("card", audited, "--format", kind)
    assert said.code == 0, said.err
    assert said.out.strip()


def test_an_unknown_report_suggests_the_nearest(audited: Path, kdaudit: Run) -> None:
    said = kdaudit("card", audited, "--format", "crad")
    assert said.code == 2
    assert "Did you mean 'card'" in said.err


def test_a_folder_without_a_run_is_named(tmp_path: Path, kdaudit: Run) -> None:
    said = kdaudit("card", tmp_path)
    assert said.code == 2
    assert "holds no results.json; `kdaudit run` makes one" in said.err


@pytest.mark.parametrize("name", ["results.json", "run.json"])
@pytest.mark.parametrize("content", ["", "{}", "{", '{"format": 2}'])
def test_damaged_results_are_exit_4(audited: Path, kdaudit: Run, name: str, content: str) -> None:
    (audited / name).write_text(content, "utf-8")
    said = kdaudit("card", audited)
    assert said.code == 4
    assert said.err.startswith(f"kdaudit: {name} is not a ")


@pytest.mark.parametrize("name", ["results.json", "run.json"])
def test_running_again_mends_a_damaged_run_folder(
    audited: Path, kdaudit: Run, tmp_path: Path, name: str
) -> None:
    (audited / name).write_text("{}", "utf-8")
    assert kdaudit("run", tmp_path / "audit.toml").code == 0
    assert kdaudit("card", audited).code == 0


def test_the_policy_of_a_run_is_kept_when_it_is_rendered_again(audited: Path, kdaudit: Run) -> None:
    for kind in ("terminal", "markdown"):
        assert "PASS" in kdaudit("card", audited, "--format", kind).out.upper()


@pytest.mark.parametrize(
    "words",
    [("runn",), ("run", "--polcy", "x"), ("schema", "resluts"), ("card",), ("run", "a", "b")],
)
def test_a_word_that_is_no_command_is_exit_2(kdaudit: Run, words: tuple[str, ...]) -> None:
    said = kdaudit(*words)
    assert said.code == 2
    assert "Traceback" not in said.err
    assert "Usage" in said.err or "Try" in said.err


def test_an_error_of_ours_is_exit_70_with_a_way_to_see_where(
    kdaudit: Run, monkeypatch: pytest.MonkeyPatch, audited: Path
) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("kdaudit.run_folder.RunFolder.results", crash)
    monkeypatch.delenv("KDAUDIT_DEBUG", raising=False)
    said = kdaudit("card", audited)
    assert said.code == 70
    assert said.err == (
        "kdaudit: internal error, ZeroDivisionError: division by zero. KDAUDIT_DEBUG=1 shows "
        "where; please report it\n"
    )


def test_the_version_is_that_of_the_package(kdaudit: Run) -> None:
    from importlib.metadata import version

    said = kdaudit("--version")
    assert (said.code, said.out) == (0, f"kdaudit {version('kdaudit')}\n")
