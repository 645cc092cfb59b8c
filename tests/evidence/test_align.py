"""Answers join by id with one set of classes, and what is no answer is one for nobody."""

from typing import Any

import numpy as np
import pytest

from kdaudit.errors import DataError
from kdaudit.evidence import align
from kdaudit.models.adapter import Answers

IDS = np.array(["a", "b", "c", "d"], dtype=object)
ALL = np.array([*"abcdefg"], dtype=object)


def answers(
    ids: str, probabilities: list[list[float]] | None = None, labels: list[str | None] | None = None
) -> Answers:
    return Answers(
        ids=np.array(list(ids), dtype=object),
        classes=("no", "yes"),
        probabilities=None if probabilities is None else np.array(probabilities),
        labels=None if labels is None else np.array(labels, dtype=object),
    )


def test_answers_are_joined_by_id() -> None:
    placed = align.from_answers(
        answers("dbca", [[0.4, 0.6], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]), IDS, ALL, "w"
    )
    assert placed.probabilities is not None
    assert placed.probabilities[:, 0].tolist() == [0.1, 0.2, 0.3, 0.4]
    named = align.from_answers(answers("dbca", labels=["d", "b", "c", "a"]), IDS, ALL, "w")
    assert named.labels is not None
    assert named.labels.tolist() == ["a", "b", "c", "d"]


def test_rows_of_other_splits_are_left_aside_and_missing_ones_are_no_answers() -> None:
    placed = align.from_answers(answers("gac", labels=["g", "a", "c"]), IDS, ALL, "w")
    assert placed.labels is not None
    assert placed.labels.tolist() == ["a", None, "c", None]
    numbers = align.from_answers(answers("ac", [[0.1, 0.9], [0.3, 0.7]]), IDS, ALL, "w")
    assert numbers.probabilities is not None
    assert np.isnan(numbers.probabilities).any(axis=1).tolist() == [False, True, False, True]


def test_ids_of_other_data_are_refused() -> None:
    with pytest.raises(DataError, match=r"w: 2 ids .* e.g. 'x', 'y'; those of .* like 'a'"):
        align.from_answers(answers("axyb", labels=["1"] * 4), IDS, ALL, "w")


def test_fewer_than_half_of_the_ids_are_refused() -> None:
    with pytest.raises(DataError, match=r"only 1 of 4 .*first without: 'b'"):
        align.from_answers(answers("a", labels=["1"]), IDS, ALL, "w")


def rows(*values: list[float]) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.float64)


def test_logits_become_probabilities_however_large() -> None:
    made, valid = align.probabilities_of(rows([1000.0, 1000.0], [0.0, np.log(3)]), "logits", "w")
    assert made == pytest.approx(rows([0.5, 0.5], [0.25, 0.75]))
    assert valid.all()


@pytest.mark.parametrize("bad", [[np.nan, 0.0], [np.inf, 0.0], [-np.inf, np.inf]])
def test_logits_that_are_no_numbers_are_no_answer(bad: list[float]) -> None:
    made, valid = align.probabilities_of(rows([0.0, 0.0], bad), "logits", "w")
    assert valid.tolist() == [True, False]
    assert np.isnan(made[1]).all()


@pytest.mark.parametrize(
    "bad", [[np.nan, 1.0], [np.nan, np.nan], [-0.1, 1.1], [0.6, 0.6], [0.0, 0.0], [np.inf, 0.0]]
)
def test_a_row_that_is_no_probability_is_no_answer(bad: list[float]) -> None:
    made, valid = align.probabilities_of(rows([0.2, 0.8], [0.3, 0.7], bad), "probabilities", "w")
    assert valid.tolist() == [True, True, False]
    assert np.isnan(made[2]).all()
    assert made[:2].sum(axis=1) == pytest.approx(1, abs=1e-15)


def test_rounded_probabilities_are_made_exact() -> None:
    made, valid = align.probabilities_of(rows([0.333, 0.666]), "probabilities", "w")
    assert valid.all()
    assert made.sum() == 1.0


def test_mostly_no_probabilities_are_taken_for_logits_and_refused() -> None:
    with pytest.raises(DataError, match=r"2 of 3 rows .*\[3, -1\].*Are these logits\? Apply"):
        align.probabilities_of(rows([0.5, 0.5], [3.0, -1.0], [2.0, 0.0]), "probabilities", "w")


GIVEN: dict[str, Any] = {
    "labels": None,
    "given": ("b", "a"),
    "classes": ("a", "b"),
    "rename": {},
    "threshold": None,
    "positive": ("a",),
    "who": "[student] s.csv",
}


def predict(**changed: Any) -> Any:
    values = rows([0.6, 0.4], [0.1, 0.9], [np.nan, np.nan], [0.5, 0.5])
    return align.predictions(**({"probabilities": values} | GIVEN | changed))


def test_columns_are_read_by_name_and_never_by_position() -> None:
    made = predict()
    assert made.answer.tolist() == [1, 0, -1, 0]  # the tie goes to the first class by name
    assert made.probabilities[0].tolist() == [0.4, 0.6]
    assert made.confidence[:2].tolist() == [0.6, 0.9]
    assert np.isnan(made.confidence[2])


def test_a_renamed_class_is_the_class_it_is_renamed_to() -> None:
    made = predict(given=("LABEL_1", "LABEL_0"), rename={"LABEL_0": "a", "LABEL_1": "b"})
    assert made.answer.tolist() == [1, 0, -1, 0]


def test_a_threshold_moves_the_answer_and_its_confidence() -> None:
    made = predict(threshold=0.3)  # "a" from 0.3 on
    assert made.answer.tolist() == [0, 0, -1, 0]
    assert made.confidence[0] == 0.4
    assert predict(threshold=0.95).answer.tolist() == [1, 1, -1, 1]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"given": ("b", "x")}, r"lacks 'a' and has 'x' .*rename = \{ \"x\" = \"a\" \}"),
        ({"classes": ("a", "b", "c")}, "lacks 'c'"),
        ({"rename": {"b": "a"}}, "after rename the class 'a' stands twice"),
        ({"threshold": 0.5, "positive": ()}, "a threshold needs two classes and one `positive`"),
    ],
)
def test_classes_that_do_not_fit_are_named(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        predict(**changed)


def test_a_label_that_no_one_knows_is_named() -> None:
    labels = np.array(["a", "q", None, "b"], dtype=object)
    with pytest.raises(DataError, match="answers 'q', which no other subject and no label knows"):
        predict(probabilities=None, labels=labels)
    made = predict(probabilities=None, labels=labels, rename={"q": "b"})
    assert made.answer.tolist() == [0, 1, -1, 1]
    assert made.probabilities is None


def test_a_threshold_for_labels_is_refused_and_not_ignored() -> None:
    labels = np.array(["a", "b", None, "b"], dtype=object)
    with pytest.raises(DataError, match="gives labels only; a threshold needs probabilities"):
        predict(probabilities=None, labels=labels, threshold=0.4)


def test_predictions_cannot_be_written_to() -> None:
    made = predict()
    with pytest.raises(ValueError, match="read-only"):
        made.answer[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        made.probabilities[0] = 0


def labelled(answer: list[int], size: int = 3) -> Any:
    return align.predictions(
        probabilities=None,
        labels=np.array([None if a < 0 else "abc"[a] for a in answer], dtype=object),
        given=(),
        classes=tuple("abc"[:size]),
        rename={},
        threshold=None,
        positive=(),
        who="w",
    )


def test_classes_in_another_order_are_found_and_named() -> None:
    label = np.array([0, 1, 2] * 20)
    turned = (label + 1) % 3
    with pytest.raises(DataError, match=r"reading 'a' for 'c', 'b' for 'a', 'c' for 'b'.*1\.000"):
        align.refuse_mixed_up_classes(labelled(turned.tolist()), label, "w")


def test_a_model_that_merely_errs_is_not_suspected() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 300)
    poor = np.where(rng.random(300) < 0.4, label, rng.integers(0, 3, 300))
    align.refuse_mixed_up_classes(labelled(poor.tolist()), label, "w")
    constant = labelled([0] * 300)
    align.refuse_mixed_up_classes(constant, label, "w")
    few = labelled([1, 0] * 9, size=2)  # 18 rows are too few to accuse anyone
    align.refuse_mixed_up_classes(few, np.array([0, 1] * 9), "w")
    nobody = labelled([-1] * 5)
    align.refuse_mixed_up_classes(nobody, np.zeros(5, dtype=np.int64), "w")
