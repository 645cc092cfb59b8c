"""A model is asked every row once; what was interrupted resumes; what changed is asked anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from kdaudit.data.row_digests import row_digests
from kdaudit.errors import DamagedError, ModelError
from kdaudit.evidence import record as module
from kdaudit.evidence.record import Question, Recording, record
from kdaudit.evidence.store import Store
from kdaudit.models.adapter import Columns, Outputs, Runnable, Space


@dataclass
class Counting:
    """A model of x that counts the rows it was asked, and can fail after some."""

    name: str = "one"
    classes: tuple[str, ...] = ("a", "b")
    space: Space = "logits"
    fails_after: float = np.inf
    wide: int = 2
    asked: list[int] = field(default_factory=list)
    columns: tuple[str, ...] = ()

    @classmethod
    def open(cls, source: str, *, base: Path) -> Self:
        del base
        return cls(name=source)

    def identity(self) -> Mapping[str, str]:
        return {"name": self.name}

    def predict(self, columns: Columns) -> Outputs:
        x = np.asarray(columns["x"], dtype=np.float64)
        if sum(self.asked) + len(x) > self.fails_after:
            raise KeyboardInterrupt
        self.asked.append(len(x))
        values = np.stack([x, -x, np.zeros_like(x)][: self.wide], axis=1)
        return Outputs(values=values, space=self.space)

    def parameters(self) -> None:
        return None

    def size(self) -> int:
        return 1


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_ROWS", 20)
    monkeypatch.setattr(module, "BATCH_ROWS", 8)


def ask(
    model: Counting, store: Path, x: Sequence[float] | None = None, split: str = "audit"
) -> Recording:
    columns = {"x": np.arange(50.0) if x is None else np.asarray(x, dtype=np.float64)}
    rows = row_digests(columns, len(columns["x"]))
    question = Question(model=model, columns=columns, rows=rows, split=split)
    return record(question, store=Store(store))


def test_the_fake_is_a_model() -> None:
    assert isinstance(Counting(), Runnable)


def test_every_row_is_asked_once_in_batches(tmp_path: Path) -> None:
    model = Counting()
    found = ask(model, tmp_path)
    assert model.asked == [8, 8, 4, 8, 8, 4, 8, 2]
    assert found.computed == 50
    assert found.values[:, 0].tolist() == list(range(50))
    assert (found.space, found.classes) == ("logits", ("a", "b"))


def test_asking_again_asks_nothing(tmp_path: Path) -> None:
    first = ask(Counting(), tmp_path)
    model = Counting()
    again = ask(model, tmp_path)
    assert model.asked == []
    assert again.computed == 0
    assert again.digest == first.digest
    assert np.array_equal(again.values, first.values)


def test_an_interrupted_run_resumes_at_the_missing_part(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(Counting(fails_after=30), tmp_path)
    model = Counting()
    found = ask(model, tmp_path)
    assert sum(model.asked) == found.computed == 30  # the first part of 20 rows was kept
    assert found.values[:, 0].tolist() == list(range(50))


@pytest.mark.parametrize(
    "changed",
    [
        {"model": Counting(name="two")},
        {"model": Counting(classes=("a", "c"))},
        {"x": [*range(49), 50.5]},
        {"x": list(range(49))},
        {"x": list(reversed(range(50)))},
        {"split": "transfer"},
    ],
    ids=str,
)
def test_another_model_input_or_split_is_asked_anew(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    first = ask(Counting(), tmp_path)
    given = {"model": Counting()} | changed
    other = ask(store=tmp_path, **given)  # type: ignore[arg-type]
    assert other.computed == len(other.rows)
    assert other.digest != first.digest


def test_the_space_survives_the_store(tmp_path: Path) -> None:
    ask(Counting(space="probabilities"), tmp_path)
    assert ask(Counting(), tmp_path).space == "probabilities"


def test_nothing_answered_is_kept_as_it_was_not_as_null(tmp_path: Path) -> None:
    ask(Counting(), tmp_path, x=[0.5, np.nan, np.inf])
    found = ask(Counting(), tmp_path, x=[0.5, np.nan, np.inf])
    assert found.computed == 0
    assert np.isnan(found.values[1]).all()
    assert np.isinf(found.values[2]).all()


def test_an_answer_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"answered \(8, 3\) to 8 rows with 2 classes"):
        ask(Counting(wide=3), tmp_path)
    assert ask(Counting(), tmp_path).computed == 50  # nothing wrong was kept


def test_no_rows_are_no_question(tmp_path: Path) -> None:
    model = Counting()
    found = ask(model, tmp_path, x=[])
    assert (found.values.shape, found.computed, model.asked) == ((0, 2), 0, [])


def test_damaged_evidence_is_not_used(tmp_path: Path) -> None:
    ask(Counting(), tmp_path)
    part = sorted(tmp_path.rglob("part-*.parquet"))[1]
    part.write_bytes(part.read_bytes()[:-20])
    model = Counting()
    with pytest.raises(DamagedError, match="part-00001"):
        ask(model, tmp_path)
    assert model.asked == []


def test_evidence_of_other_rows_is_damage(tmp_path: Path) -> None:
    one, two = ask(Counting(), tmp_path), ask(Counting(), tmp_path, x=range(50, 100))
    folders = {path.parent.name: path.parent for path in tmp_path.rglob("manifest.json")}
    for path in folders[two.digest].iterdir():
        if path.name != "key.json":
            path.replace(folders[one.digest] / path.name)
    with pytest.raises(DamagedError, match="holds other rows than its key says"):
        ask(Counting(), tmp_path)


def test_rows_are_known_by_content_and_not_by_position() -> None:
    numbers = {"x": np.array([1.0, 2.0, 1.0]), "y": np.array([0.0, 0.0, 0.0])}
    a, b, c = row_digests(numbers, 3)
    assert a == c != b
    text = {"x": np.array(["1.0", "2.0"], dtype=object), "y": np.array([0.0, 0.0])}
    assert row_digests(text, 2)[0] != a  # the text "1.0" is not the number
    renamed = {"z": numbers["x"], "y": numbers["y"]}
    assert row_digests(renamed, 3)[0] != a
    joined = {"x": np.array(["ab"], dtype=object), "y": np.array(["c"], dtype=object)}
    parted = {"x": np.array(["a"], dtype=object), "y": np.array(["bc"], dtype=object)}
    assert row_digests(joined, 1)[0] != row_digests(parted, 1)[0]
