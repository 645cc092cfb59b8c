"""The generalized risk-coverage area and its interval."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdaudit.evidence.view import Evidence
from kdaudit.results import Means
from kdaudit.stats.levels import levels
from kdaudit.stats.selective import generalized_risk
from kdaudit_suites.calibration.answered import answered
from kdaudit_suites.calibration.answers import subjects_of
from kdaudit_suites.calibration.selective import selective_finding
from tests.suites.calibrating import run
from tests.suites.measured import estimate, finding

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]


def pair(seed: int, n: int, noise: float = 1.0) -> tuple[Array, Array, Array]:
    """Labels, a student whose confidence is blurred, and a calibrated teacher."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=n)
    label = (rng.random(n) > 1 / (1 + np.exp(-z))).astype(np.int64)
    student, teacher = (1 / (1 + np.exp(-x)) for x in (z + noise * rng.normal(size=n), z))
    return (
        label,
        np.stack([student, 1 - student], axis=1),
        np.stack([teacher, 1 - teacher], axis=1),
    )


def area(label: Array, probabilities: Array) -> float:
    return generalized_risk(
        levels(probabilities.max(axis=1), probabilities.argmax(axis=1) == label)
    )


def test_the_finding_is_the_area_of_each_and_their_difference(evidence: Make) -> None:
    label, student, teacher = pair(1, 300)
    found = finding(run(evidence(label=label, student=student, teacher=teacher)), "CAL007")
    assert estimate(found.student).value == pytest.approx(area(label, student))
    assert estimate(found.teacher).value == pytest.approx(area(label, teacher))
    assert isinstance(found.basis, Means)  # it can be checked at any level
    gap = area(label, student) - area(label, teacher)
    assert estimate(found.difference).value == pytest.approx(gap)
    assert estimate(found.difference).low > 0


def test_swapped_subjects_swap_the_signs(evidence: Make) -> None:
    label, student, teacher = pair(2, 200)
    one, two = (
        estimate(finding(run(evidence(label=label, student=a, teacher=b)), "CAL007").difference)
        for a, b in ((student, teacher), (teacher, student))
    )
    assert (one.value, one.low, one.high) == pytest.approx((-two.value, -two.high, -two.low))


def test_a_row_may_be_a_cluster_of_copies(evidence: Make) -> None:
    label, student, teacher = pair(3, 100)
    one = finding(run(evidence(label=label, student=student, teacher=teacher)), "CAL007")
    many = finding(
        run(
            evidence(
                label=np.repeat(label, 3),
                student=np.repeat(student, 3, axis=0),
                teacher=np.repeat(teacher, 3, axis=0),
                cluster=np.repeat(np.arange(100), 3).tolist(),
            )
        ),
        "CAL007",
    )
    for who in ("student", "difference"):
        a, b = estimate(getattr(one, who)), estimate(getattr(many, who))
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_the_same_answers_are_no_proof_of_equality(evidence: Make) -> None:
    label, student, _ = pair(4, 100)
    found = finding(run(evidence(label=label, student=student, teacher=student)), "CAL007")
    assert estimate(found.difference).low < 0 < estimate(found.difference).high


def test_a_missing_answer_is_wrong_and_surest_of_all(evidence: Make) -> None:
    label, student, teacher = pair(5, 100)
    sure = student.copy()
    sure[:2] = np.eye(student.shape[1])[(label[:2] + 1) % student.shape[1]]  # wrong, and certain
    student[:2] = np.nan
    left_out, wrong = (
        estimate(
            finding(run(evidence(label=label, student=one, teacher=teacher)), "CAL007").student
        )
        for one in (student, sure)
    )
    assert left_out.value == pytest.approx(wrong.value, abs=1e-9)
    assert left_out.high > wrong.high  # what it hides of the spread is allowed for


def test_the_area_ends_at_one_half(evidence: Make) -> None:
    label = [0, 1] * 10
    wrong = [[0.1, 0.9], [0.9, 0.1]] * 10
    found = finding(run(evidence(label=label, student=wrong, teacher=wrong)), "CAL007")
    assert estimate(found.student).value == 0.5
    assert estimate(found.student).high == 0.5


def covered(evidence: Make, n: int, times: int, quantum: int | None) -> int:
    """How many intervals of the difference hold the truth, from a very large draw."""

    def cut(probabilities: Array) -> Array:
        return probabilities if quantum is None else np.round(probabilities * quantum) / quantum

    label, student, teacher = pair(10**6, 1_000_000)
    truth = area(label, cut(student)) - area(label, cut(teacher))
    held = 0
    for seed in range(times):
        label, student, teacher = pair(seed, n)
        view = evidence(label=label, student=cut(student), teacher=cut(teacher))
        subjects = subjects_of(view)
        found = selective_finding(view, subjects, answered(subjects, view.rows))
        held += estimate(found.difference).low <= truth <= estimate(found.difference).high
    return held


def test_its_interval_covers_the_truth(evidence: Make) -> None:
    held = covered(evidence, 2000, 150, None)
    assert 125 <= held <= 148  # 135 expected at 90 %, 3.7 its standard error, and a little more


@pytest.mark.slow
@pytest.mark.parametrize("quantum", [None, 8])
@pytest.mark.parametrize("n", [50, 200, 1000, 5000])
def test_its_interval_covers_the_truth_at_any_size(
    evidence: Make, n: int, quantum: int | None
) -> None:
    share = covered(evidence, n, 1000, quantum) / 1000
    assert share >= 0.88
    # What no differing answer shows widens the interval where rows are few: it is conservative.
    assert share <= (1.0 if n <= 1000 else 0.95)
