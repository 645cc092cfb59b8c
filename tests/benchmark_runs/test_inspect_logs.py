"""Logs of Inspect, read without it."""

import json
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kdaudit.compared_runs import compare
from kdaudit.data.audit_file import DataTable
from kdaudit.data.inspect_logs import read_inspect
from kdaudit.data.readers import read
from kdaudit.errors import DataError
from kdaudit.models.benchmark_run import InspectRun
from kdaudit.models.open import Opened
from tests.benchmark_runs.runs import inspect_run

LETTERS: Sequence[Sequence[Any]] = [["C"], ["I"], ["P"], ["C"], ["C"], ["I"]]
DATA = DataTable(path="inspect:teacher.eval")


def opened(folder: Path, *names: str) -> dict[Any, Opened]:
    return {
        name: Opened(
            kind="inspect", name=name, adapter=InspectRun.open(f"{name}.eval", base=folder)
        )
        for name in names
    }


@pytest.mark.parametrize("zstd", [False, True])
def test_rows_and_aggregates_are_those_of_inspect(tmp_path: Path, zstd: bool) -> None:  # noqa: FBT001
    inspect_run(tmp_path / "teacher.eval", {"choice": LETTERS}, zstd=zstd)
    log = read_inspect("teacher.eval", tmp_path).tasks["quiz"]
    assert log.scores["choice"].tolist() == [1, 0, 0.5, 1, 1, 0]
    assert log.reported["choice"].value == log.scores["choice"].mean()
    assert log.reported["choice"].stderr == pytest.approx(
        log.scores["choice"].std(ddof=1) / math.sqrt(6), rel=1e-14
    )
    assert log.better == {"choice": "higher"}
    table = read("inspect:teacher.eval", tmp_path).table
    assert list(table.columns) == ["id", "task", "document", "repeat", "doc.topic"]


def test_epochs_are_repeats_of_one_document(tmp_path: Path) -> None:
    inspect_run(tmp_path / "teacher.eval", {"match": [["C", "I"], ["I", "I"], ["C", "C"]]})
    log = read_inspect("teacher.eval", tmp_path).tasks["quiz"]
    assert log.repeats == (0, 1) * 3
    assert len(set(log.documents)) == 3
    assert log.scores["match"].tolist() == [1, 0, 0, 0, 1, 1]


def test_a_sample_that_failed_has_no_score(tmp_path: Path) -> None:
    inspect_run(tmp_path / "teacher.eval", {"choice": [*LETTERS, [None]]})
    log = read_inspect("teacher.eval", tmp_path).tasks["quiz"]
    assert math.isnan(log.scores["choice"][-1])


def test_documents_pair_whatever_the_messages_are_called_and_prompts_are_noted(
    tmp_path: Path,
) -> None:
    inspect_run(tmp_path / "teacher.eval", {"choice": LETTERS})
    inspect_run(tmp_path / "student.eval", {"choice": LETTERS}, system="Be brief.")
    found = compare(opened(tmp_path, "teacher", "student"), DATA)
    assert found is not None
    assert found.measured == {"choice": frozenset({"quiz"})}
    (note,) = found.notes
    assert "other prompts than [teacher] teacher on 6 of 6 rows" in note


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"version": 2}, "version 0 in .* and 2 in"),
        ({"arguments": {"fewshot": 5}}, r'task arguments \{\} in .* and \{"fewshot": 5\} in'),
    ],
)
def test_another_setting_is_refused(tmp_path: Path, changed: dict[str, Any], sentence: str) -> None:
    inspect_run(tmp_path / "teacher.eval", {"choice": LETTERS})
    inspect_run(tmp_path / "student.eval", {"choice": LETTERS}, **changed)
    with pytest.raises(DataError, match=sentence):
        compare(opened(tmp_path, "teacher", "student"), DATA)


def test_another_scorer_is_refused(tmp_path: Path) -> None:
    inspect_run(tmp_path / "teacher.eval", {"choice": LETTERS})
    inspect_run(tmp_path / "student.eval", {"match": LETTERS})
    with pytest.raises(DataError, match=r"'choice' in .* and 'match' in"):
        compare(opened(tmp_path, "teacher", "student"), DATA)


def test_several_numbers_of_a_scorer_are_metrics_of_their_own(tmp_path: Path) -> None:
    several = [[{"safe": i % 2, "list": [i]}] for i in range(4)]
    file = inspect_run(tmp_path / "teacher.eval", {"choice": LETTERS[:4]})
    with zipfile.ZipFile(file) as archive:
        members = {name: json.loads(archive.read(name)) for name in archive.namelist()}
    for i, value in enumerate(several):
        members[f"samples/{i}_epoch_1.json"]["scores"]["both"] = {"value": value[0]}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, json.dumps(content))
    log = read_inspect("teacher.eval", tmp_path).tasks["quiz"]
    assert log.scores["both.safe"].tolist() == [0, 1, 0, 1]
    assert "no single number" in log.unscored["both.list"]


def test_damaged_and_unfinished_logs_are_refused(tmp_path: Path) -> None:
    file = inspect_run(tmp_path / "teacher.eval", {"choice": LETTERS}, status="cancelled")
    with pytest.raises(DataError, match="ended with status 'cancelled'"):
        read_inspect("teacher.eval", tmp_path)
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match="cut off"):
        read_inspect("teacher.eval", tmp_path)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("_journal/start.json", "{}")
    with pytest.raises(DataError, match="the run was not finished"):
        read_inspect("teacher.eval", tmp_path)
    whole = inspect_run(tmp_path / "packed.eval", {"choice": LETTERS}, zstd=True)
    broken = bytearray(whole.read_bytes())
    broken[200] ^= 0xFF
    whole.write_bytes(broken)
    with pytest.raises(DataError, match="cannot be read as a log of Inspect"):
        read_inspect("packed.eval", tmp_path)
