"""The ledger counts distinct decisions on the same rows, whoever writes beside it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdaudit.errors import DamagedError, DataError
from kdaudit.evidence.store import Store
from kdaudit.results import Results
from kdaudit.run import Wear
from kdaudit.wear import Ledger

NOW = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def results(world: Callable[..., Any]) -> Results:
    made: Results = world(1, n=60).audit([{"check": "ACC001", "margin": 0.1}], slices=[])
    return made


def with_student(results: Results, digest: str) -> Results:
    subjects = tuple(
        replace(one, digest=digest) if one.role == "student" else one for one in results.subjects
    )
    return replace(results, subjects=subjects)


def ledger(folder: Path) -> Ledger:
    return Ledger.of(Store(folder / ".kdaudit"))


def test_what_was_decided_before_is_not_counted_again(tmp_path: Path, results: Results) -> None:
    for _ in range(3):
        assert ledger(tmp_path).record(results, NOW) == Wear(decisions=1, students=1)
    assert len(ledger(tmp_path).path.read_text().splitlines()) == 1


def test_another_student_and_another_contract_count(tmp_path: Path, results: Results) -> None:
    book = ledger(tmp_path)
    book.record(results, NOW)
    assert book.record(with_student(results, "x"), NOW) == Wear(decisions=2, students=2)
    assert book.record(replace(results, alpha=0.01), NOW) == Wear(decisions=3, students=2)
    assert book.record(replace(results, contract=()), NOW) == Wear(decisions=4, students=2)


def test_a_policy_or_a_seed_is_no_other_look_at_the_rows(tmp_path: Path, results: Results) -> None:
    book = ledger(tmp_path)
    book.record(results, NOW)
    assert book.record(replace(results, policy="lax", seed=9), NOW) == Wear(decisions=1, students=1)


def test_other_rows_have_a_count_of_their_own(tmp_path: Path, results: Results) -> None:
    book = ledger(tmp_path)
    book.record(results, NOW)
    others = replace(results, data=replace(results.data, digest="other"))
    assert book.record(others, NOW) == Wear(decisions=1, students=1)
    assert book.wear("nothing") == Wear(decisions=0, students=0)


def test_the_same_rows_with_another_label_are_other_rows(world: Callable[..., Any]) -> None:
    made = world(1, n=60)
    digests = []
    for label in ("c0", "c1"):
        data = made.data.copy()
        data.loc[0, "label"] = label
        digests.append(made.audit(data=data, slices=[]).data.digest)
    assert digests[0] != digests[1]
    shuffled = made.data.sample(frac=1, random_state=0)
    assert made.audit(data=shuffled, slices=[]).data.digest == made.audit(slices=[]).data.digest


def test_the_teacher_alone_decides_no_student(tmp_path: Path, results: Results) -> None:
    alone = tuple(one for one in results.subjects if one.role != "student")
    assert ledger(tmp_path).record(replace(results, subjects=alone), NOW) is None
    assert not ledger(tmp_path).path.exists()


def test_writers_at_once_lose_nothing(tmp_path: Path, results: Results) -> None:
    book = ledger(tmp_path)
    students = [with_student(results, f"s{i}") for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: book.record(one, NOW), students * 2))
    assert book.wear(str(results.data.digest)) == Wear(decisions=40, students=40)
    assert all(json.loads(line) for line in book.path.read_text().splitlines())


@pytest.mark.parametrize("line", ["{", "[]", "{}", '"text"'])
def test_a_line_that_nobody_wrote_is_damage(tmp_path: Path, results: Results, line: str) -> None:
    book = ledger(tmp_path)
    book.record(results, NOW)
    with book.path.open("a") as handle:
        handle.write(line + "\n")
    with pytest.raises(DamagedError, match=r"line 2 of .*decisions\.jsonl is not what"):
        book.record(results, NOW)


def test_a_blank_line_is_no_damage_and_a_folder_is_no_ledger(
    tmp_path: Path, results: Results
) -> None:
    book = ledger(tmp_path)
    book.record(results, NOW)
    with book.path.open("a") as handle:
        handle.write("\n")
    assert book.record(results, NOW) == Wear(decisions=1, students=1)
    book.path.unlink()
    book.path.mkdir()
    with pytest.raises(DataError, match="is a folder"):
        book.record(results, NOW)
