"""Results survive the disk bit for bit, and what is not a results file is called damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.errors import DamagedError, ExitCode
from kdaudit.results import Results
from kdaudit.results_file import dump, load
from kdaudit.run import Run


@pytest.fixture(scope="module")
def results(world: Callable[..., Any]) -> Results:
    made: Results = world(3, n=80, classes=3, outside=10, baseline=True).audit(
        [{"check": "ACC001", "margin": 0.1}, {"check": "FAI001", "each": ["sex"], "margin": 0.1}]
    )
    return made


def stored(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "results.json"
    path.write_text(text, "utf-8")
    return path


def test_results_survive_the_disk(tmp_path: Path, results: Results) -> None:
    again = load(Results, stored(tmp_path, dump(results)))
    assert again == results
    assert dump(again) == dump(results)


def test_the_file_is_sorted_json_with_a_newline_at_the_end(results: Results) -> None:
    text = dump(results)
    assert text.endswith("}\n")
    raw = json.loads(text)
    assert list(raw) == sorted(raw)
    assert "NaN" not in text
    assert "Infinity" not in text


def test_findings_are_found_by_their_address(results: Results) -> None:
    assert results.finding("FAI001[sex=f]").where == (("sex", "f"),)
    with pytest.raises(KeyError, match="FAI001"):
        results.finding("FAI001[sex=x]")


def edited(results: Results, change: Callable[[dict[str, Any]], object]) -> str:
    raw = json.loads(dump(results))
    change(raw)
    return json.dumps(raw)


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a key that no version knows": lambda raw: raw.update(surprise=1),
    "a key within a finding": lambda raw: raw["suites"][0]["findings"][0].update(surprise=1),
    "a missing key": lambda raw: raw.pop("verdicts"),
    "another format": lambda raw: raw.update(format=3),
    "an outcome that does not exist": lambda raw: raw.update(outcome="passed"),
    "an interval upside down": lambda raw: raw["suites"][0]["findings"][0]["student"].update(
        low=2.0, high=1.0
    ),
    "a number that is text": lambda raw: raw["suites"][0]["findings"][0]["student"].update(
        value="high"
    ),
    "where out of order": lambda raw: raw["suites"][0]["findings"][0].update(
        where=[["b", "1"], ["a", "1"]]
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_was_edited_into_nonsense_is_damaged(
    tmp_path: Path, results: Results, name: str
) -> None:
    path = stored(tmp_path, edited(results, DAMAGE[name]))
    with pytest.raises(DamagedError, match=r"results\.json is not a results file") as caught:
        load(Results, path)
    assert caught.value.exit_code is ExitCode.DAMAGED


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}'])
def test_what_is_no_results_file_is_damaged(tmp_path: Path, text: str) -> None:
    with pytest.raises(DamagedError, match="not a results file"):
        load(Results, stored(tmp_path, text))


def test_a_missing_file_is_damaged_evidence(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"run\.json is not a run file"):
        load(Run, tmp_path / "run.json")


def test_bytes_that_are_no_text_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(DamagedError, match="not a results file"):
        load(Results, path)
