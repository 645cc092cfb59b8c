import gc
import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch

from kdaudit.evidence.kinds import Footprint, Timings
from kdaudit.evidence.store import Store
from kdaudit.evidence.timings import record_timings
from kdaudit.models.adapter import Columns, Outputs


@dataclass
class Sleeper:
    """A model that takes a known time and writes down how it was asked."""

    name: str
    seconds: float = 0.0
    diary: list[tuple[str, float, int]] = field(default_factory=list)
    seen: set[tuple[int, bool]] = field(default_factory=set)
    classes: tuple[str, ...] = ("no", "yes")
    columns: tuple[str, ...] = ()

    @classmethod
    def open(cls, source: str, *, base: Path) -> Self:
        raise NotImplementedError

    def identity(self) -> Mapping[str, str]:
        return {"name": self.name, "seconds": str(self.seconds)}

    def predict(self, columns: Columns) -> Outputs:
        self.diary.append((self.name, float(columns["x"][0]), len(columns["x"])))
        self.seen.add((torch.get_num_threads(), gc.isenabled()))
        time.sleep(self.seconds)
        return Outputs(values=np.zeros((1, 2)), space="logits")

    def parameters(self) -> int:
        return 12

    def size(self) -> int:
        return 34


def timed(
    folder: Path, student: Sleeper, teacher: Sleeper, rows: int = 50, **options: Any
) -> tuple[Timings, int]:
    columns = {"x": np.arange(rows, dtype=np.float64)}
    return record_timings(
        teacher, student, columns, seed=3, store=Store(folder), **{"seconds": 0.0, **options}
    )


def test_the_pair_is_timed_on_the_same_requests(tmp_path: Path) -> None:
    student, teacher = Sleeper("student", 0.001), Sleeper("teacher", 0.003)
    timings, computed = timed(tmp_path, student, teacher, requests=40, block=8)
    assert computed == 40
    assert np.median(timings.student) == pytest.approx(0.001, rel=0.5)
    assert np.median(timings.teacher) == pytest.approx(0.003, rel=0.5)
    assert np.bincount(timings.block).tolist() == [8, 8, 8, 8, 8]
    assert timings.footprints["student"] == Footprint(
        parameters=12, bytes=34, peak_memory=None, base_memory=None
    )
    assert dict(timings.machine)["threads"] == "1"


def test_requests_are_single_rows_to_both_models_in_abba_order(tmp_path: Path) -> None:
    diary: list[tuple[str, float, int]] = []
    student, teacher = Sleeper("student", diary=diary), Sleeper("teacher", diary=diary)
    timed(tmp_path, student, teacher, requests=120, block=12)
    measured = diary[2 + 2 * 10 :]  # after loading and a warm-up of ten
    assert len(measured) == 240
    assert {size for _, _, size in measured} == {1}
    pairs = [measured[i : i + 2] for i in range(0, 240, 2)]
    assert all(one[1] == other[1] for one, other in pairs)
    first = [one[0] for one, _ in pairs]
    blocks = [first[i : i + 12] for i in range(0, 120, 12)]
    for names in blocks:
        assert all(a != b for a, b in itertools.pairwise(names))
    assert {names[0] for names in blocks} == {"student", "teacher"}
    counts = np.bincount([int(one[1]) for one, _ in pairs])
    assert set(counts) == {2, 3}  # 120 requests of 50 rows: each twice before any thrice


def test_it_runs_on_one_thread_without_collection_and_puts_both_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    student = Sleeper("student")
    timed(tmp_path, student, Sleeper("teacher"), requests=10, block=5)
    assert torch.get_num_threads() == 2
    assert gc.isenabled()
    assert (1, False) in student.seen
    assert student.seen <= {(2, True), (1, True), (1, False)}
    torch.set_num_threads(before)


def test_timings_of_the_same_pair_are_read_back(tmp_path: Path) -> None:
    student, teacher = Sleeper("student"), Sleeper("teacher")
    weighed = Footprint(parameters=None, bytes=5, peak_memory=7, base_memory=6)
    first, _ = timed(tmp_path, student, teacher, requests=10, weigh=lambda: {"student": weighed})
    asked = len(student.diary)
    second, computed = timed(
        tmp_path, student, teacher, requests=10, weigh=lambda: pytest.fail("was weighed already")
    )
    assert computed == 0
    assert len(student.diary) == asked
    np.testing.assert_array_equal(second.student, first.student)
    np.testing.assert_array_equal(second.teacher, first.teacher)
    np.testing.assert_array_equal(second.block, first.block)
    assert second.footprints == {"student": weighed}
    assert (second.noisy, second.machine) == (first.noisy, first.machine)


@pytest.mark.parametrize("change", ["model", "rows", "requests", "anew"])
def test_another_pair_other_inputs_or_a_wish_time_again(tmp_path: Path, change: str) -> None:
    timed(tmp_path, Sleeper("student"), Sleeper("teacher"), requests=10)
    student = Sleeper("student", seconds=1e-6 if change == "model" else 0.0)
    options: dict[str, Any] = {"requests": 11 if change == "requests" else 10}
    rows = 49 if change == "rows" else 50
    options["anew"] = change == "anew"
    assert timed(tmp_path, student, Sleeper("teacher"), rows, **options)[1] > 0


def test_the_key_names_the_machine(tmp_path: Path) -> None:
    timed(tmp_path, Sleeper("student"), Sleeper("teacher"), requests=10)
    (path,) = tmp_path.rglob("key.json")
    assert {"processor", "cores"} <= set(json.loads(path.read_text())["machine"])
