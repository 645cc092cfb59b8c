"""Calibration against scikit-learn, sums by hand, and what must not be certain."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from kdaudit.claims import Claim, claim_worse
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import Finding, Fixed, SuiteResult
from kdaudit.stats.calibration_error import (
    debiased_squared_error,
    equal_mass_bins,
)
from kdaudit_suites.calibration import Calibration
from tests.suites.calibrating import draw
from tests.suites.measured import estimate, finding

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]


def run(evidence: Evidence, **options: Any) -> SuiteResult:
    return Calibration(**({"replicates": 200} | options)).run(evidence, Streams(7))


def reason(found: Finding) -> str:
    assert isinstance(found.basis, NotMeasured), found.basis
    return found.basis.reason


def test_brier_by_hand(evidence: Make) -> None:
    # (0.3² + 0.3²), (0.6² + 0.6²), (0.5² + 0.5²)
    student = np.array([[0.7, 0.3], [0.6, 0.4], [0.5, 0.5]])
    found = finding(run(evidence(label=[0, 1, 1], student=student, teacher=student)), "CAL001")
    assert estimate(found.student).value == pytest.approx((0.18 + 0.72 + 0.5) / 3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_brier_and_likelihood_are_scikit_learns(
    evidence: Make,
    classes: int,
    weighted: bool,  # noqa: FBT001
) -> None:
    label, student, teacher = draw(1, classes=classes)
    weight = np.random.default_rng(2).uniform(0.1, 3, 400) if weighted else None
    result = run(
        evidence(
            label=label, student=student, teacher=teacher, classes="abc"[:classes], weight=weight
        ),
        clip=1e-6,
    )
    brier = sum(
        brier_score_loss(label == k, student[:, k], sample_weight=weight) for k in range(classes)
    )
    assert estimate(finding(result, "CAL001").student).value == pytest.approx(brier)
    likelihood = log_loss(label, student, sample_weight=weight)
    assert estimate(finding(result, "CAL002").student).value == pytest.approx(likelihood)


def test_the_confidence_gap_by_hand(evidence: Make) -> None:
    # Confidence 0.9 and 0.6 on two rows, one right: 0.75 - 0.5.
    student = np.array([[0.9, 0.1], [0.4, 0.6]])
    found = finding(run(evidence(label=[0, 0], student=student, teacher=student)), "CAL003")
    assert estimate(found.student).value == pytest.approx(0.25)


def test_a_missing_answer_costs_the_most_or_may_cost_anything(evidence: Make) -> None:
    label, student, teacher = draw(3, n=100)
    fewer = student.copy()
    fewer[:10] = np.nan
    whole = run(evidence(label=label, student=student, teacher=teacher))
    partly = run(evidence(label=label, student=fewer, teacher=teacher))
    kept = estimate(finding(whole, "CAL001").student).value * 100 - sum(
        2 * (student[i, 1 - label[i]]) ** 2 for i in range(10)
    )
    assert estimate(finding(partly, "CAL001").student).value == pytest.approx((kept + 10 * 2) / 100)
    one, two = (estimate(finding(r, "CAL003").student) for r in (whole, partly))
    assert two.low < one.low
    assert two.high > one.high
    assert "10 answers are missing or invalid" in reason(finding(partly, "CAL004"))


def test_likelihood_is_for_display_unless_clipped_and_of_many_rows(evidence: Make) -> None:
    label, student, teacher = draw(4, n=1000)
    many = evidence(label=label, student=student, teacher=teacher)
    few = evidence(label=label[:999], student=student[:999], teacher=teacher[:999])
    assert "no clip is declared" in reason(finding(run(many), "CAL002"))
    assert "999 rows are fewer than 1,000" in reason(finding(run(few, clip=1e-4), "CAL002"))
    clipped = finding(run(many, clip=1e-4), "CAL002")
    assert not isinstance(clipped.basis, NotMeasured)
    assert estimate(finding(run(few), "CAL002").student).n == 999  # shown all the same


def test_one_sure_error_costs_no_more_than_the_clip(evidence: Make) -> None:
    student = np.array([[1.0, 0.0], [1.0, 0.0]])
    result = run(evidence(label=[0, 1], student=student, teacher=student), clip=1e-3)
    assert estimate(finding(result, "CAL002").student).value == pytest.approx(-np.log(1e-3) / 2)


def test_the_debiased_error_is_that_of_its_bins(evidence: Make) -> None:
    label, student, teacher = draw(5)
    found = finding(run(evidence(label=label, student=student, teacher=teacher)), "CAL004")
    confidence, right = student.max(axis=1), student.argmax(axis=1) == label
    codes = equal_mass_bins(confidence, 15)
    error = debiased_squared_error(
        np.bincount(codes), np.bincount(codes, confidence), np.bincount(codes, right)
    )
    assert estimate(found.student).value == pytest.approx(float(error))
    assert found.basis == Fixed(level=0.9, df=len(label) - 1.0, least_p=1 / 201)


def test_the_interval_of_the_debiased_error_holds_the_truth(evidence: Make) -> None:
    # The teacher is calibrated by construction, so its squared error is 0.
    held = 0
    for seed in range(20):
        label, student, teacher = draw(100 + seed, n=500)
        found = finding(run(evidence(label=label, student=student, teacher=teacher)), "CAL004")
        held += estimate(found.teacher).low <= 0 <= estimate(found.teacher).high
    assert held >= 17  # of 20 at 90 %


@pytest.mark.parametrize("rows", [60, 2000])
def test_identical_probabilities_are_no_proof_of_equal_calibration(
    evidence: Make, rows: int
) -> None:
    label, student, _ = draw(6, n=rows)
    found = finding(run(evidence(label=label, student=student, teacher=student)), "CAL004")
    difference = estimate(found.difference)
    assert difference.value == 0
    claim = claim_worse(found, "teacher", 0.002, 0.05)
    assert isinstance(claim, Claim)
    assert (claim.estimate.high <= 0.002) == (rows == 2000)
    assert claim.p_above > 0.05


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"weight": [1.0, 2.0] * 50}, "not defined for weighted rows"),
        ({"cluster": [0] * 100}, "1 clusters; at least 8"),
        ({"cluster": [0, 1, 2, 3] * 25}, "4 clusters; at least 8"),
        (  # (60 + 40)² / (60² + 40) = 2.7
            {"cluster": [0] * 60 + list(range(1, 41))},
            "41 clusters that say as much as 2.7 equal ones; at least 8",
        ),
    ],
)
def test_the_debiased_error_says_why_it_is_not_there(
    evidence: Make, changed: dict[str, Any], words: str
) -> None:
    label, student, teacher = draw(7, n=100)
    made = evidence(label=label, student=student, teacher=teacher, **changed)
    assert words in reason(finding(run(made), "CAL004"))


def test_copies_of_a_row_in_a_cluster_add_nothing(evidence: Make) -> None:
    label, student, teacher = draw(15, n=90)
    cluster = np.arange(90) // 3
    one = evidence(label=label, student=student, teacher=teacher, cluster=cluster.tolist())
    more = evidence(
        label=np.repeat(label, 4),
        student=np.repeat(student, 4, axis=0),
        teacher=np.repeat(teacher, 4, axis=0),
        cluster=np.repeat(cluster, 4).tolist(),
    )
    for who in ("student", "difference"):
        a, b = (estimate(getattr(finding(run(made), "CAL004"), who)) for made in (one, more))
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_fewer_rows_than_bins_need_are_not_measured(evidence: Make) -> None:
    label, student, teacher = draw(8, n=29)
    found = finding(run(evidence(label=label, student=student, teacher=teacher)), "CAL004")
    assert "15 bins need 30 at least" in reason(found)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 1.0])
def test_equal_confidences_are_one_bin_and_no_exception(evidence: Make, confidence: float) -> None:
    student = np.tile([confidence, 1 - confidence], (40, 1))
    label = [0, 0, 0, 1] * 10
    result = run(evidence(label=label, student=student, teacher=student), clip=1e-3)
    assert estimate(finding(result, "CAL003").student).value == pytest.approx(confidence - 0.75)
    # (0.75 - c)² less its sampling variance 0.75·0.25/39
    assert estimate(finding(result, "CAL004").student).value == pytest.approx(
        (0.75 - confidence) ** 2 - 0.75 * 0.25 / 39
    )
    (marks,) = [f for f in result.figures if f.name == "reliability"]
    assert len(marks.rows) == 2  # one bin each


def test_labels_alone_have_no_calibration(evidence: Make) -> None:
    result = run(
        evidence(label=[0, 1] * 20, student=[0, 1] * 20, teacher=[0, 0] * 20, positive=[0])
    )
    assert {f.code for f in result.findings} == {f"CAL00{i}" for i in range(1, 9)}
    for found in result.findings:
        assert "gives labels only" in reason(found)


def test_the_bootstrap_draws_do_not_depend_on_other_columns(evidence: Make) -> None:
    label, student, teacher = draw(9, n=200)
    plain = run(evidence(label=label, student=student, teacher=teacher))
    grouped = run(
        evidence(
            label=label,
            student=student,
            teacher=teacher,
            attributes={"sex": ["f", "m"] * 100},
            slices=(("sex",),),
            sensitive=(("sex",),),
        )
    )
    assert plain.findings == tuple(f for f in grouped.findings if not f.where)


def test_a_model_of_few_bits_has_its_values_as_bins_and_says_so(evidence: Make) -> None:
    rng = np.random.default_rng(12)
    label, _, teacher = draw(12, n=600)
    sure = rng.choice([0.5, 0.75, 1.0], 600, p=[0.01, 0.09, 0.9])
    student = np.stack([sure, 1 - sure], axis=1)
    found = finding(run(evidence(label=label, student=student, teacher=teacher)), "CAL004")
    assert found.note == "few distinct probabilities: the student's 3 are the bins, one each"
    right = label == 0
    parts = [
        (sure == v).mean()
        * ((right[sure == v].mean() - v) ** 2 - right[sure == v].var(ddof=1) / (sure == v).sum())
        for v in (0.5, 0.75, 1.0)
    ]
    assert estimate(found.student).value == pytest.approx(sum(parts))


def test_one_row_is_measured_without_certainty(evidence: Make) -> None:
    result = run(evidence(label=[0], student=[[1.0, 0.0]], teacher=[[1.0, 0.0]], positive=[0]))
    for found in result.findings:
        assert isinstance(found.basis, NotMeasured), found.address


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_and_full_confidence_are_measured_like_any_other(
    evidence: Make, label: int
) -> None:
    sure = np.tile([1.0, 0.0], (60, 1))
    result = run(evidence(label=[label] * 60, student=sure, teacher=sure, positive=[0]), clip=1e-3)
    assert estimate(finding(result, "CAL003").student).value == label
    assert estimate(finding(result, "CAL005").student).value == label
    assert estimate(finding(result, "CAL006").student).value == pytest.approx(label)
    assert estimate(finding(result, "CAL007").student).value == label / 2
