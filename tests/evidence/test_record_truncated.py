"""Truncated answers are asked for once, found by content, and refused where anything differs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from kdaudit.data.row_digests import row_digests
from kdaudit.errors import DamagedError, DataError, ModelError
from kdaudit.evidence import record_truncated as module
from kdaudit.evidence.record_truncated import Ask, Kept, record_truncated, rows_left, stored
from kdaudit.evidence.store import Store
from kdaudit.evidence.truncated import TopK, Truncated, truncate

TOP = TopK(k=4, temperatures=(1.0, 2.0))
VOCABULARY = 50
WHO = {"weights": "aa", "tokenizer": "bb"}


@dataclass
class Teacher:
    """Answers a sequence at 1 + (its first number mod 3) positions; counts what it is asked."""

    fails_after: float = np.inf
    asked: list[float] = field(default_factory=list)

    def answer(self, x: float) -> Truncated:
        rng = np.random.default_rng(int(x))
        return truncate(3 * rng.normal(size=(1 + int(x) % 3, VOCABULARY)), TOP)

    def of(self, values: Sequence[float], span: slice) -> list[Truncated]:
        if len(self.asked) + span.stop - span.start > self.fails_after:
            raise KeyboardInterrupt
        self.asked += values[span]
        return [self.answer(x) for x in values[span]]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_ROWS", 8)
    monkeypatch.setattr(module, "BATCH_ROWS", 3)


def question(values: Sequence[float]) -> Ask:
    rows = row_digests({"x": np.asarray(values, dtype=np.float64)}, len(values))
    return Ask(who=WHO, rows=rows, split="transfer", vocabulary=VOCABULARY, top=TOP)


def record(store: Store, values: Sequence[float], teacher: Teacher) -> Kept:
    return record_truncated(question(values), lambda span: teacher.of(values, span), store=store)


def same(one: Truncated, other: Truncated) -> bool:
    return np.array_equal(one.ids, other.ids) and np.array_equal(one.logits, other.logits)


VALUES = [float(x) for x in range(20)]


def test_answers_are_found_by_content_in_any_order_with_their_positions(tmp_path: Path) -> None:
    kept = record(Store(tmp_path), VALUES, Teacher())
    wanted = [7.0, 2.0, 19.0]
    found, lengths = kept.of(question(wanted).rows.tolist())
    assert lengths.tolist() == [2, 3, 2]
    start = 0
    for x, length in zip(wanted, lengths.tolist(), strict=True):
        span = slice(start, start + length)
        part = replace(found, ids=found.ids[span], logits=found.logits[span])
        assert same(part, Teacher().answer(x))
        start += length


def test_nothing_is_asked_twice_and_a_killed_recording_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        record(store, VALUES, Teacher(fails_after=13))
    assert rows_left(question(VALUES), store) == 12  # a shard of 8 was kept
    second, third = Teacher(), Teacher()
    resumed = record(store, VALUES, second)
    assert (len(second.asked), resumed.computed) == (12, 12)
    again = record(store, VALUES, third)
    assert (third.asked, again.computed, rows_left(question(VALUES), store)) == ([], 0, 0)
    assert np.array_equal(again.packed, record(Store(tmp_path / "new"), VALUES, Teacher()).packed)


def test_the_manifest_says_what_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = record_truncated(
        question(VALUES),
        lambda span: Teacher().of(VALUES, span),
        store=store,
        facts=lambda found: {"accuracy": float(len(found.packed))},
    )
    (path,) = tmp_path.rglob("manifest.json")
    manifest = json.loads(path.read_bytes())
    assert manifest["about"] == kept.about
    assert len(manifest["parts"]) == 3
    expected: Mapping[str, object] = {
        "kind": "top_k",
        "k": 4,
        "vocabulary": VOCABULARY,
        "dtype": "float32",
        "temperatures": [1.0, 2.0],
        "tail": "one bucket",
        "rows": 20,
        "positions": 39,
        "accuracy": 39.0,
        "model": WHO,
        "split": "transfer",
    }
    assert {name: manifest["about"][name] for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"who": WHO | {"weights": "ac"}}, r"model's weights \('aa' stored, 'ac' asked for\)"),
        ({"who": WHO | {"tokenizer": "x"}}, r"model's tokenizer"),
        ({"top": replace(TOP, temperatures=(1.0, 3.0))}, r"the temperatures \(\[1.0, 2.0\] stored"),
        ({"top": replace(TOP, k=5)}, r"differs in k \(4 stored, 5 asked for\)"),
        ({"vocabulary": 51}, "size of the vocabulary"),
        ({"rows": question([*VALUES[1:], 99.0]).rows}, r"the rows \(their inputs"),
        ({"classes": ("a", "b")}, "the classes"),
        ({"variant": "view 1"}, "how the rows are changed"),
        ({"split": "validation"}, "nothing is stored"),
    ],
    ids=str,
)
def test_whatever_differs_is_refused_by_name(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    store = Store(tmp_path)
    record(store, VALUES, Teacher())
    assert stored(question(VALUES), store).computed == 0
    with pytest.raises(DataError, match=named):
        stored(replace(question(VALUES), **change), store)  # type: ignore[arg-type]


def test_an_interrupted_recording_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        record(Store(tmp_path), VALUES, Teacher(fails_after=13))
    with pytest.raises(DataError, match="its recording was interrupted"):
        stored(question(VALUES), Store(tmp_path))


def test_a_row_that_was_never_recorded_is_refused(tmp_path: Path) -> None:
    kept = record(Store(tmp_path), VALUES, Teacher())
    with pytest.raises(DataError, match="1 of 2 rows were never recorded"):
        kept.of(question([3.0, 3.5]).rows.tolist())


def test_damaged_shards_are_not_used(tmp_path: Path) -> None:
    record(Store(tmp_path), VALUES, Teacher())
    part = sorted(tmp_path.rglob("part-*.parquet"))[1]
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(DamagedError, match="part-00001"):
        stored(question(VALUES), Store(tmp_path))


def test_an_answer_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="answered 2 rows of 3"):
        record_truncated(
            question(VALUES),
            lambda span: Teacher().of(VALUES, span)[:2],
            store=Store(tmp_path),
        )
    with pytest.raises(ModelError, match="over 7 outcomes"):
        record_truncated(
            question(VALUES),
            lambda span: truncate(np.zeros((span.stop - span.start, 7)), TOP).each(),
            store=Store(tmp_path),
        )


def test_the_same_content_twice_is_one_answer(tmp_path: Path) -> None:
    kept = record(Store(tmp_path), [4.0, 5.0, 4.0], Teacher())
    found, lengths = kept.of(question([4.0, 4.0]).rows.tolist())
    assert lengths.tolist() == [2, 2]
    assert np.array_equal(found.ids[:2], found.ids[2:])
