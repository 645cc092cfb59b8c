"""Bias amplification and counterfactual swaps: ties of answers to groups, and to words."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import Evidence, Streams, Trio
from kdaudit.results import Finding, Means, Need, Table
from kdaudit_suites.fairness import Fairness
from kdaudit_suites.fairness.amplification import amplification
from kdaudit_suites.fairness.contrasts import crossings
from kdaudit_suites.fairness.counterfactual import counterfactuals
from tests.suites.measured import estimate

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]
COUNTERFACTUAL = Need(kind="predictions", variant="counterfactual")


def amplified(made: Evidence) -> Finding:
    (crossing,) = crossings(made)
    return amplification(made, crossing)


def published(group: Array, label: Array, answer: Array, classes: int) -> float:
    """BiasAmp, attribute to task, as the paper's equations read."""
    terms = []
    for a in np.unique(group):
        for t in range(classes):
            joint = np.mean((group == a) & (label == t))
            y = np.sign(joint - np.mean(group == a) * np.mean(label == t))
            here = group == a
            delta = np.mean(answer[here] == t) - np.mean(label[here] == t)
            terms.append(y * delta)
    return float(np.mean(terms))


def test_amplification_by_hand(evidence: Make) -> None:
    # f: 6 of 10 favourable, m: 4 of 10. The teacher keeps that, the student makes it 8 and 2.
    group = ["f"] * 10 + ["m"] * 10
    label = [0] * 6 + [1] * 4 + [0] * 4 + [1] * 6
    student = [0] * 8 + [1] * 2 + [0] * 2 + [1] * 8
    made = evidence(
        label=label,
        teacher=[*label[:9], 0, *label[10:]],  # one more in f
        student=student,
        attributes={"sex": group},
        sensitive=(("sex",),),
    )
    found = amplified(made)
    assert found.where == (("attribute", "sex"),)
    # Four pairs, each ±0.2: (0.2 + 0.2 + 0.2 + 0.2) / 4.
    assert estimate(found.student).value == pytest.approx(0.2)
    assert estimate(found.teacher).value == pytest.approx((0.1 + 0.1) / 4)
    assert estimate(found.difference).value == pytest.approx(0.15)
    assert found.note == "directions are those of the labels"


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([2, 4]))
def test_amplification_is_the_published_one_and_nothing_for_a_copy(
    evidence: Make, seed: int, classes: int
) -> None:
    rng = np.random.default_rng(seed)
    group, n = rng.choice(list("abc"), 90), 90
    label, teacher, student = rng.integers(0, classes, (3, n))
    given: dict[str, Any] = {
        "label": label,
        "teacher": teacher,
        "classes": [f"c{i}" for i in range(classes)],
        "attributes": {"sex": group.tolist()},
        "sensitive": (("sex",),),
    }
    found = amplified(evidence(student=student, **given))
    for who, answer in (("student", student), ("teacher", teacher)):
        expected = published(group, label, answer, classes)
        assert estimate(getattr(found, who)).value == pytest.approx(expected, abs=1e-12)
    copy = amplified(evidence(student=teacher, **given))
    assert estimate(copy.difference).value == pytest.approx(0, abs=1e-12)
    assert estimate(copy.difference).high > 0


def test_without_labels_the_teacher_gives_the_directions(evidence: Make) -> None:
    rng = np.random.default_rng(0)
    teacher, student = rng.integers(0, 2, (2, 60))
    given: dict[str, Any] = {
        "label": teacher,
        "student": student,
        "attributes": {"sex": ["f", "m"] * 30},
        "sensitive": (("sex",),),
        "unlabelled": NotMeasured("labels are copies"),
    }
    found = amplified(evidence(teacher=teacher, **given))
    assert estimate(found.teacher).value == pytest.approx(0, abs=1e-12)
    assert found.note == "directions are those of the teacher's answers"
    teacher[3] = -1
    assert "1 are missing" in str(amplified(evidence(teacher=teacher, **given)).basis)


def test_the_interval_of_what_was_added_holds_it(evidence: Make) -> None:
    rng = np.random.default_rng(2)
    n, runs, missed = 400, 120, 0
    for _ in range(runs):
        group = rng.choice(["f", "m"], n)
        label = (rng.random(n) < np.where(group == "f", 0.4, 0.6)).astype(int)
        # The student says 1 ten points more often of m, ten points less of f: 0.1 is added.
        student = np.where(rng.random(n) < 0.1, np.where(group == "m", 1, 0), label)
        made = evidence(
            label=label,
            teacher=label,
            student=student,
            attributes={"sex": group.tolist()},
            sensitive=(("sex",),),
        )
        change = estimate(amplified(made).difference)
        missed += not change.low <= 0.1 * 0.4 <= change.high
    assert missed / runs <= 0.1 + 2 * (0.1 * 0.9 / runs) ** 0.5


def swapped(made: Evidence, changed: list[int], *, student: Any, teacher: Any) -> Evidence:
    """The same rows with predictions of texts whose terms were swapped."""

    def predictions(values: Any) -> Predictions | NotMeasured:
        if values is None:
            return NotMeasured("a predictions file cannot be run")
        p = np.asarray(values, dtype=np.float64)
        valid = ~np.isnan(p).any(axis=1)
        answer = np.where(valid, np.nan_to_num(p).argmax(axis=1), -1)
        return Predictions(
            classes=made.rows.classes, answer=answer.astype(np.int64), probabilities=p
        )

    trio = Trio(
        student=predictions(student), teacher=predictions(teacher), baseline=NotMeasured("none")
    )
    moved = np.zeros(len(made.rows), dtype=np.bool_)
    moved[changed] = True
    return replace(
        made,
        kinds={**made.kinds, COUNTERFACTUAL: trio},
        changes={"counterfactual": moved},
    )


def pairs(evidence: Make, n: int = 12) -> Evidence:
    return evidence(
        label=[0, 1] * (n // 2),
        student=[[0.9, 0.1]] * n,
        teacher=[[0.9, 0.1]] * n,
        attributes={"sex": ["f"] * (n // 2) + ["m"] * (n // 2)},
        sensitive=(("sex",),),
        positive=[0],
    )


def counted(made: Evidence) -> dict[str, Finding]:
    return {one.address: one for one in counterfactuals(made, crossings(made))}


def test_flips_and_shifts_by_hand(evidence: Make) -> None:
    student = [[0.2, 0.8]] * 2 + [[0.7, 0.3]] * 8 + [[0.1, 0.9]] * 2
    teacher = [[0.4, 0.6]] + [[0.9, 0.1]] * 11
    made = swapped(pairs(evidence), list(range(10)), student=student, teacher=teacher)
    found = counted(made)
    flips = found["FAI010"]
    assert estimate(flips.student).value == pytest.approx(0.2)  # 2 of the 10 that were changed
    assert estimate(flips.teacher).value == pytest.approx(0.1)
    assert estimate(flips.difference).value == pytest.approx(0.1)
    assert isinstance(flips.basis, Table)
    shift = found["FAI012"]
    assert estimate(shift.student).value == pytest.approx((2 * -0.7 + 8 * -0.2) / 10)
    assert estimate(shift.teacher).value == pytest.approx(-0.5 / 10)
    assert estimate(found["FAI012[sex=f]"].student).value == pytest.approx((2 * -0.7 - 4 * 0.2) / 6)
    assert estimate(found["FAI012[sex=m]"].student).n == 4


def test_a_missing_answer_to_a_swapped_text_is_a_flip_of_the_student_only(evidence: Make) -> None:
    lost = [[np.nan, np.nan]] + [[0.9, 0.1]] * 11
    found = counted(swapped(pairs(evidence), list(range(12)), student=lost, teacher=lost))
    assert estimate(found["FAI010"].student).value == pytest.approx(1 / 12)
    assert estimate(found["FAI010"].teacher).value == 0
    basis = found["FAI012"].basis
    assert isinstance(basis, Means)
    assert min(basis.unknown) > 0


def test_what_was_not_swapped_says_how_to_ask_for_it(evidence: Make) -> None:
    plain = pairs(evidence)
    assert "[data.counterfactual]" in str(counted(plain)["FAI010"].basis)
    same = [[0.9, 0.1]] * 12
    untouched = counted(swapped(plain, [], student=same, teacher=same))
    assert "no audited text holds a term" in str(untouched["FAI010"].basis)
    alone = counted(swapped(plain, [0, 1, 2], student=same, teacher=None))["FAI010"]
    assert estimate(alone.student).value == 0
    assert alone.difference == NotMeasured("a predictions file cannot be run")
    nobody = counted(swapped(plain, [0], student=None, teacher=None))["FAI010"]
    assert nobody.basis == NotMeasured("a predictions file cannot be run")


def test_swaps_are_measured_without_a_sensitive_column(evidence: Make) -> None:
    same = [[0.9, 0.1]] * 12
    made = replace(pairs(evidence).rows, sensitive=())
    plain = replace(pairs(evidence), rows=made)
    assert Fairness().run(plain, Streams(0)).findings == ()
    asked = Fairness().run(swapped(plain, list(range(12)), student=same, teacher=same), Streams(0))
    assert {one.address for one in asked.findings} == {"FAI010", "FAI012"}
