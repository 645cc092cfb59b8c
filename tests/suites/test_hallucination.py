"""Hallucination: three outcomes a row, counted by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import SuiteResult, Table
from kdaudit_suites.hallucination import Hallucination
from tests.suites.measured import finding

Make = Callable[..., Evidence]


def run(evidence: Evidence, **options: Any) -> SuiteResult:
    return Hallucination(**options).run(evidence, Streams(0))


def value(measured: object) -> float:
    assert isinstance(measured, Estimate), measured
    return measured.value


def sure(*answers: tuple[int, float]) -> np.ndarray[Any, Any]:
    """(N, 3) probabilities: each answer with its confidence, the rest shared."""
    rows = np.full((len(answers), 3), 0.0)
    for i, (answer, confidence) in enumerate(answers):
        rows[i] = (1 - confidence) / 2
        rows[i, answer] = confidence
    return rows


STUDENT = sure((0, 0.9), (1, 0.9), (0, 0.45), (1, 0.45), (2, 0.5))
TEACHER = sure((0, 0.9), (0, 0.4), (0, 0.4), (0, 0.9), (1, 0.4))


def test_correct_incorrect_and_not_attempted_by_hand(evidence: Make) -> None:
    # Student: correct, incorrect, not attempted (twice), correct: 0.5 is enough.
    # Teacher: correct, not attempted, not attempted, correct, not attempted.
    result = run(evidence(label=[0, 0, 0, 0, 2], student=STUDENT, teacher=TEACHER, classes="abc"))
    incorrect, correct = finding(result, "HAL001"), finding(result, "HAL002")
    assert (value(incorrect.student), value(incorrect.teacher)) == (0.2, 0.0)
    assert (value(correct.student), value(correct.teacher)) == (0.4, 0.4)
    assert incorrect.basis == Table(n11=0, n10=1, n01=0, n00=4)
    (matrix,) = result.figures
    counts = {row[:2]: row[2] for row in matrix.rows}
    assert counts["teacher not attempted", "student incorrect"] == 1
    assert counts["teacher correct", "student not attempted"] == 1
    assert sum(int(row[2] or 0) for row in matrix.rows) == 5


@pytest.mark.parametrize(("below", "correct"), [(0.0, 0.6), (0.45, 0.6), (0.46, 0.4), (1.0, 0.0)])
def test_abstaining_begins_at_the_declared_confidence(
    evidence: Make, below: float, correct: float
) -> None:
    made = evidence(label=[0, 0, 0, 0, 2], student=STUDENT, teacher=TEACHER, classes="abc")
    assert value(finding(run(made, abstain_below=below), "HAL002").student) == correct


def test_answering_the_rejecting_class_claims_nothing(evidence: Make) -> None:
    made = evidence(
        label=[0, 1], student=[2, 1], teacher=[0, 1], classes=["a", "b", "none"], rejecting=[2]
    )
    result = run(made)
    assert value(finding(result, "HAL001").student) == 0.0
    assert value(finding(result, "HAL002").student) == 0.5


def test_claims_on_rows_of_no_class_by_hand(evidence: Make) -> None:
    outside = evidence(
        label=[-1] * 4,
        student=sure((0, 0.9), (1, 0.6), (2, 0.9), (0, 0.4)),
        teacher=sure((0, 0.4), (1, 0.4), (2, 0.9), (0, 0.9)),
        classes="abc",
    )
    made = evidence(
        label=[0, 1],
        student=sure((0, 0.9), (1, 0.9)),
        teacher=sure((0, 0.9), (1, 0.9)),
        classes="abc",
        outside=outside,
        rejecting=[2],
    )
    claims = finding(run(made), "HAL003")
    assert value(claims.student) == 0.5  # the first two; the third rejects, the fourth abstains
    assert value(claims.teacher) == 0.25


def test_a_missing_answer_is_incorrect_and_a_claim(evidence: Make) -> None:
    outside = evidence(label=[-1] * 2, student=[-1, -1], teacher=[-1, -1], classes="abc")
    made = evidence(
        label=[0, 1, 2, 0],
        student=[-1, -1, 2, 0],
        teacher=[-1, -1, 2, 0],
        classes="abc",
        outside=outside,
    )
    result = run(made)
    for code, student, teacher in (
        ("HAL001", 0.5, 0.0),
        ("HAL002", 0.5, 1.0),
        ("HAL003", 1.0, 0.0),
    ):
        found = finding(result, code)
        assert (value(found.student), value(found.teacher)) == (student, teacher)


def test_without_rows_of_no_class_claims_are_not_measured(evidence: Make) -> None:
    found = finding(run(evidence(label=[0, 1], student=[0, 1], teacher=[0, 0])), "HAL003")
    assert isinstance(found.basis, NotMeasured)
    assert "name their label as `out_of_scope`" in found.basis.reason


def test_claims_need_no_labels(evidence: Make) -> None:
    outside = evidence(label=[-1] * 3, student=[0, 1, 0], teacher=[0, 0, 0])
    why = NotMeasured("labels are the teacher's")
    result = run(
        evidence(label=[0, 1], student=[0, 1], teacher=[0, 1], outside=outside, unlabelled=why)
    )
    assert finding(result, "HAL001").basis == finding(result, "HAL002").basis == why
    assert value(finding(result, "HAL003").student) == 1.0
