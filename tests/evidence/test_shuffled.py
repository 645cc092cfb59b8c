"""Shuffled answers are refused; weak ones, constant ones and few ones are not."""

import numpy as np
import numpy.typing as npt
import pytest

from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.shuffled import refuse_shuffled

Codes = npt.NDArray[np.int64]


def predictions(answer: Codes) -> Predictions:
    return Predictions(classes=("a", "b", "c"), answer=answer.copy(), probabilities=None)


def noisy(label: Codes, right: float, rng: np.random.Generator) -> Codes:
    return np.where(rng.random(len(label)) < right, label, rng.integers(0, 3, len(label)))


def check(label: Codes, **answers: Codes) -> None:
    refuse_shuffled({who: predictions(codes) for who, codes in answers.items()}, label)


@pytest.mark.parametrize("who", ["teacher", "student"])
@pytest.mark.parametrize("seed", range(20))
def test_a_shuffled_subject_is_named(who: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, 200)
    answers = {name: noisy(label, 0.8, rng) for name in ("teacher", "student")}
    check(label, **answers)
    answers[who] = rng.permutation(answers[who])
    with pytest.raises(DataError, match=f"{who} looks shuffled"):
        check(label, **answers)


def test_a_weak_teacher_agrees_with_its_student() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 400)
    weak = rng.integers(0, 3, 400)
    check(label, teacher=weak, student=np.where(rng.random(400) < 0.5, weak, label))


@pytest.mark.parametrize("rows", [20, 99])
def test_few_rows_say_nothing(rows: int) -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, rows)
    check(label, teacher=label, student=rng.permutation(label))


def test_one_answer_everywhere_is_no_order() -> None:
    label = np.arange(300) % 3
    check(label, teacher=label, student=np.zeros(300, np.int64))


def test_rows_out_of_scope_and_without_answers_do_not_count() -> None:
    rng = np.random.default_rng(2)
    label = rng.integers(0, 3, 300)
    teacher = noisy(label, 0.9, rng)
    student = noisy(label, 0.9, rng)
    label[:100], student[100:140] = -1, -1
    check(label, teacher=teacher, student=student)


def test_honest_pairs_are_never_refused() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        label = rng.integers(0, 3, int(rng.integers(100, 400)))
        check(label, teacher=noisy(label, 0.5, rng), student=noisy(label, 0.5, rng))
