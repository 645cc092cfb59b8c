from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch

from kdaudit.data.frame import Frame
from kdaudit.distill.targets.forms import Targets
from kdaudit.distill.targets.targets import Teacher, by_content
from kdaudit.errors import DataError
from kdaudit.evidence.store import Store
from kdaudit.models.adapter import Answers, Columns, Outputs
from kdaudit.progress import silent


@dataclass
class Sums:
    """A model whose answer can be computed by hand: logits (x, -x)."""

    scale: float = 1.0
    asked: int = 0
    classes: tuple[str, ...] = ("no", "yes")
    columns: tuple[str, ...] = ()

    @classmethod
    def open(cls, source: str, *, base: Path) -> Self:
        raise NotImplementedError

    def identity(self) -> Mapping[str, str]:
        return {"scale": str(self.scale)}

    def predict(self, columns: Columns) -> Outputs:
        x = self.scale * np.asarray(columns["x"], np.float64)
        self.asked += len(x)
        return Outputs(values=np.stack([x, -x], axis=1), space="logits")

    def parameters(self) -> None: ...

    def size(self) -> int:
        return 0


@dataclass
class Saved:
    """A file of answers."""

    ids: list[str]
    probabilities: Any

    @classmethod
    def open(cls, source: str, *, base: Path) -> Self:
        raise NotImplementedError

    def identity(self) -> Mapping[str, str]:
        return {"sha256": "of the file"}

    def answers(self, id_column: str, classes: Sequence[str]) -> Answers:
        assert id_column == "id"
        values = self.probabilities
        return Answers(
            ids=np.array(self.ids, dtype=object),
            classes=tuple(classes) or ("no", "yes"),
            probabilities=None if values is None else np.array(values, dtype=np.float64),
            labels=None,
        )


def frame(values: Sequence[float], ids: Sequence[str] = ()) -> Frame:
    names = list(ids) or [f"r{i}" for i in range(len(values))]
    return Frame(
        ids=np.array(names, dtype=object),
        labels=None,
        inputs={"x": np.array(values, dtype=np.float64)},
        out_of_scope=np.zeros(len(values), dtype=np.bool_),
    )


def asked(adapter: Any, rows: Frame, store: Store, *, split: str = "transfer") -> Targets:
    teacher = Teacher(name="t", adapter=adapter, id_column="id", two_classes=())
    return teacher.answers(rows, split, store, silent("", 0))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_targets_are_the_teachers_log_probabilities_by_hand(store: Store) -> None:
    values = asked(Sums(), frame([0.0, 1.5]), store).values
    expected = torch.tensor([[0.0, 0.0], [1.5, -1.5]]).log_softmax(dim=1)
    torch.testing.assert_close(values, expected)


def test_the_teacher_is_asked_once(store: Store) -> None:
    model = Sums()
    first = asked(model, frame([0.0, 1.0]), store)
    second = asked(model, frame([0.0, 1.0]), store)
    assert model.asked == 2
    assert torch.equal(first.values, second.values)
    assert first.evidence == second.evidence


def test_rows_in_another_order_keep_their_own_targets(store: Store) -> None:
    one = asked(Sums(), frame([0.0, 1.0, 2.0]), store).values
    other = asked(Sums(), frame([2.0, 0.0, 1.0]), store).values
    assert torch.equal(other, one[[2, 0, 1]])


def test_an_answer_is_found_by_what_was_shown_not_by_where_it_stands() -> None:
    recorded = frame([0.0, 1.0, 2.0]).rows()
    values = np.array([[0.0], [1.0], [2.0]])
    found = by_content(recorded[::-1], values[::-1], recorded)
    np.testing.assert_array_equal(found, values)


def test_changed_inputs_another_teacher_and_another_split_are_asked_anew(store: Store) -> None:
    model = Sums()
    digests = {
        asked(model, frame([0.0, 1.0]), store).evidence,
        asked(model, frame([0.0, 1.5]), store).evidence,
        asked(model, frame([0.0, 1.0]), store, split="validation").evidence,
        asked(Sums(scale=2.0), frame([0.0, 1.0]), store).evidence,
    }
    assert len(digests) == 4
    assert model.asked == 6


def test_rows_without_a_valid_answer_are_refused_by_id(store: Store) -> None:
    with pytest.raises(
        DataError, match=r"no valid answer to 1 of the 3 transfer rows, e\.g\. 'r1'"
    ):
        asked(Sums(), frame([0.0, np.nan, 1.0]), store)


def test_answers_of_a_file_are_found_by_id(store: Store) -> None:
    saved = Saved(["c", "a", "b"], [[0.1, 0.9], [0.2, 0.8], [0.0, 1.0]])
    found = asked(saved, frame([0, 0], ids=["a", "b"]), store)
    np.testing.assert_allclose(found.values.exp(), [[0.2, 0.8], [0.0, 1.0]], atol=1e-6)
    assert found.evidence == "of the file"
    with pytest.raises(DataError, match=r"no valid answer to 1 of the 2 transfer rows, e\.g\. 'd'"):
        asked(saved, frame([0, 0], ids=["a", "d"]), store)


def test_a_file_of_scores_alone_has_no_targets(store: Store) -> None:
    with pytest.raises(DataError, match="holds scores and no answers"):
        asked(Saved(["a"], None), frame([0], ids=["a"]), store)
