"""Fairness: contrasts against fairlearn on the rows, their errors by hand, and the labels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score

from kdaudit.basis import own
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import Better, Finding, Means, Need, SuiteResult
from kdaudit_suites.fairness import Fairness
from kdaudit_suites.fairness.contrasts import crossings
from kdaudit_suites.fairness.rates import group_rates
from tests.suites.measured import estimate, findings

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]
PREDICTIONS = Need(kind="predictions")


def run(evidence: Evidence) -> SuiteResult:
    return Fairness().run(evidence, Streams(0))


def measured_contrasts(result: SuiteResult) -> list[Finding]:
    """Findings of contrasts; the subjects here give labels only, so FAI006 is not measured."""
    found = [
        one for one in result.findings if one.better is Better.ZERO and isinstance(one.basis, Means)
    ]
    assert {one.code for one in found} == {f"FAI00{i}" for i in (1, 2, 3, 4, 5, 7)}
    return found


def grouped(evidence: Make, groups: list[Any], **given: Any) -> Evidence:
    return evidence(
        **(
            {
                "attributes": {"sex": groups},
                "sensitive": (("sex",),),
                "positive": [0],
                "classes": ("yes", "no"),
            }
            | given
        )
    )


def draw(seed: int, n: int = 400, groups: str = "fmx") -> tuple[Array, Array, Array, list[str]]:
    rng = np.random.default_rng(seed)
    group = rng.choice(list(groups), n)
    label, student, teacher = rng.integers(0, 2, (3, n))
    return label, student, teacher, group.tolist()


# f: 4 of 6 selected, m: 1 of 4.
SEX = ["f"] * 6 + ["m"] * 4
LABEL = [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]
STUDENT = [0, 0, 1, 0, 0, 1, 0, 1, 1, 1]
TEACHER = [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]


def test_contrasts_by_hand(evidence: Make) -> None:
    found = findings(run(grouped(evidence, SEX, label=LABEL, student=STUDENT, teacher=TEACHER)))
    contrast = {
        "FAI001": 4 / 6 - 1 / 4,
        "FAI002": 2 / 3 - 1 / 2,  # of the favourable labels: f two of three, m one of two
        "FAI003": 2 / 3 - 0 / 2,
        "FAI004": 3 / 6 - 3 / 4,
        "FAI005": 3 / 6 - 3 / 4,  # the teacher is right everywhere, so fidelity is accuracy
        "FAI007": 3 / 6 - 1 / 4,  # and every error of the student is a negative flip
    }
    for code, value in contrast.items():
        assert estimate(found[f"{code}[sex=f]"].student).value == pytest.approx(value)
        assert estimate(found[f"{code}[sex=m]"].student).value == pytest.approx(-value)
    assert estimate(found["FAI001[sex=f]"].teacher).value == pytest.approx(0.5 - 0.5)
    assert estimate(found["FAI005[sex=f]"].teacher).value == 0


@pytest.mark.parametrize(
    ("code", "favourable", "unit"),
    [
        ("FAI002", True, "share of rows with a favourable label"),
        ("FAI003", False, "share of rows with a label that is not favourable"),
    ],
)
def test_a_rate_of_one_label_counts_only_its_rows_and_says_so(
    code: str, *, favourable: bool, unit: str, evidence: Make
) -> None:
    made = grouped(evidence, SEX, label=LABEL, student=STUDENT, teacher=TEACHER)
    found = findings(run(made))[f"{code}[sex=f]"]
    counts = np.isin(made.rows.label, made.rows.positive) == favourable
    in_group = made.rows.attributes["sex"].codes == 0
    sides = np.count_nonzero(counts & in_group), np.count_nonzero(counts & ~in_group)
    assert estimate(found.student).n == min(sides)
    assert found.unit == unit


def test_the_error_of_a_contrast_is_welchs(evidence: Make) -> None:
    made = grouped(evidence, SEX, label=LABEL, student=STUDENT, teacher=TEACHER)
    basis = findings(run(made))["FAI001[sex=f]"].basis
    assert isinstance(basis, Means)
    f, m = np.array([1, 1, 0, 1, 1, 0.0]), np.array([1, 0, 0, 0.0])
    assert basis.covariance[0][0] == pytest.approx(f.var(ddof=1) / 6 + m.var(ddof=1) / 4)
    assert (basis.n, basis.clusters, basis.df) == (4, 4, 3)
    assert estimate(own(basis, "student", 0.9)).method.startswith("t")


def test_what_the_student_adds_is_its_contrast_minus_the_teachers(evidence: Make) -> None:
    label, student, teacher, group = draw(1)
    made = grouped(evidence, group, label=label, student=student, teacher=teacher)
    for found in measured_contrasts(run(made)):
        difference = estimate(found.student).value - estimate(found.teacher).value
        assert estimate(found.difference).value == pytest.approx(difference, abs=1e-12)


METRICS = {
    "FAI001": selection_rate,
    "FAI002": true_positive_rate,
    "FAI003": false_positive_rate,
    "FAI004": accuracy_score,
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_contrasts_of_two_groups_are_differences_of_fairlearns_rates(
    evidence: Make,
    seed: int,
    weighted: bool,  # noqa: FBT001
) -> None:
    label, student, teacher, group = draw(seed, groups="fm")
    weight = np.random.default_rng(seed).uniform(0.1, 4, 400) if weighted else None
    found = findings(
        run(grouped(evidence, group, label=label, student=student, teacher=teacher, weight=weight))
    )
    frame = MetricFrame(
        metrics=METRICS,
        y_true=label == 0,
        y_pred=student == 0,
        sensitive_features=group,
        sample_params=None
        if weight is None
        else {name: {"sample_weight": weight} for name in METRICS},
    ).by_group
    for code in METRICS:
        ours = estimate(found[f"{code}[sex=f]"].student).value
        assert ours == pytest.approx(frame.loc["f", code] - frame.loc["m", code])
    parity = demographic_parity_difference(
        label == 0, student == 0, sensitive_features=group, sample_weight=weight
    )
    assert abs(estimate(found["FAI001[sex=f]"].student).value) == pytest.approx(parity)


@pytest.mark.parametrize("weighted", [False, True])
def test_rates_from_cells_are_fairlearns_rates_from_rows(
    evidence: Make,
    weighted: bool,  # noqa: FBT001
) -> None:
    label, student, teacher, group = draw(4)
    student[:20] = -1  # no answer: in no rate
    weight = np.random.default_rng(4).uniform(0.1, 4, 400) if weighted else None
    made = grouped(evidence, group, label=label, student=student, teacher=teacher, weight=weight)
    (sex,) = crossings(made)
    subject = made[PREDICTIONS].student
    assert isinstance(subject, Predictions)
    kept = np.arange(400) >= 20
    frame = MetricFrame(
        metrics=METRICS,
        y_true=(label == 0)[kept],
        y_pred=(student == 0)[kept],
        sensitive_features=np.array(group)[kept],
        sample_params=None
        if weight is None
        else {name: {"sample_weight": weight[kept]} for name in METRICS},
    ).by_group
    found = group_rates(made, subject, (sex,))
    rates = {sex.names[group]: (n, values) for _, group, n, values in found}
    assert set(rates) == {"f", "m", "x"}
    for name, (n, values) in rates.items():
        assert n == sum(g == name for g in group[20:])
        assert list(values) == pytest.approx(list(frame.loc[name, list(METRICS)]))


def test_a_group_without_favourable_labels_has_no_rate_rather_than_zero(evidence: Make) -> None:
    label = [1] * 6 + [0, 0, 1, 1]
    made = grouped(evidence, SEX, label=label, student=STUDENT, teacher=TEACHER)
    result = run(made)
    assert findings(result)["FAI002[sex=f]"].basis == NotMeasured("no rows", 0)
    assert isinstance(findings(result)["FAI002[sex=m]"].basis, NotMeasured)  # no one to compare
    (table,) = [f for f in result.figures if f.name == "rates-sex"]
    rates = {row[:2]: row[3:] for row in table.rows}
    assert rates["f", "student"][1] is None
    assert rates["m", "student"][1] == 0.5


def test_one_group_alone_has_no_one_to_be_compared_with(evidence: Make) -> None:
    made = grouped(evidence, ["f"] * 10, label=LABEL, student=STUDENT, teacher=TEACHER)
    found = findings(run(made))["FAI001[sex=f]"]
    assert found.basis == NotMeasured("there is no one else to compare the group with")


def test_rows_without_a_group_are_on_neither_side(evidence: Make) -> None:
    plain = grouped(evidence, SEX, label=LABEL, student=STUDENT, teacher=TEACHER)
    more = grouped(
        evidence,
        [*SEX, None, None],
        label=[*LABEL, 0, 1],
        student=[*STUDENT, 0, 0],
        teacher=[*TEACHER, 0, 1],
    )
    assert findings(run(plain)) == findings(run(more))


def test_without_a_favourable_class_only_accuracy_and_fidelity_are_measured(
    evidence: Make,
) -> None:
    made = grouped(evidence, SEX, label=LABEL, student=STUDENT, teacher=TEACHER, positive=[])
    found = findings(run(made))
    for code in ("FAI001", "FAI002", "FAI003"):
        assert "no favourable class" in str(found[f"{code}[sex=f]"].basis)
    for code in ("FAI004", "FAI005"):
        assert isinstance(found[f"{code}[sex=f]"].basis, Means)


def test_labels_of_the_teacher_leave_selection_and_fidelity(evidence: Make) -> None:
    made = grouped(
        evidence, SEX, label=LABEL, student=STUDENT, teacher=TEACHER, unlabelled=NotMeasured("no")
    )
    measured = {a[:6] for a, f in findings(run(made)).items() if isinstance(f.basis, Means)}
    assert measured == {"FAI001", "FAI005", "FAI008", "FAI011"}


def test_a_missing_answer_may_have_been_either(evidence: Make) -> None:
    made = grouped(evidence, SEX, label=LABEL, student=[-1, *STUDENT[1:]], teacher=TEACHER)
    basis = findings(run(made))["FAI001[sex=f]"].basis
    assert isinstance(basis, Means)
    assert basis.mean[0] == pytest.approx((3 + 0.5) / 6 - 1 / 4)
    assert basis.unknown == pytest.approx((0.5 / 6, 0.0))
    faithful = findings(run(made))["FAI005[sex=f]"].basis
    assert isinstance(faithful, Means)
    assert faithful.unknown[0] == pytest.approx(0.5 / 6)


@pytest.mark.parametrize("mixed", [False, True])
def test_swapping_the_subjects_negates_every_difference(
    evidence: Make,
    mixed: bool,  # noqa: FBT001
) -> None:
    label, student, teacher, group = draw(5)
    cluster = np.random.default_rng(5).integers(0, 30, 400) if mixed else None
    one, two = (
        findings(run(grouped(evidence, group, label=label, student=s, teacher=t, cluster=cluster)))
        for s, t in ((student, teacher), (teacher, student))
    )
    of_pair = ("FAI005", "FAI007")  # of these the teacher has no contrast of its own to swap
    swapped = [a for a, f in one.items() if f.better is Better.ZERO and isinstance(f.basis, Means)]
    for address in swapped:
        if address.startswith(of_pair):
            continue
        found = one[address]
        forth, back = estimate(found.difference), estimate(two[address].difference)
        assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


def test_identical_subjects_add_nothing_and_are_not_certain(evidence: Make) -> None:
    label, student, _, group = draw(6)
    made = grouped(evidence, group, label=label, student=student, teacher=student)
    for found in measured_contrasts(run(made)):
        difference = estimate(found.difference)
        assert difference.value == pytest.approx(0, abs=1e-12)
        assert difference.low < -0.001
        assert difference.high > 0.001


def test_another_sensitive_column_changes_no_finding(evidence: Make) -> None:
    label, student, teacher, group = draw(7)
    before = findings(run(grouped(evidence, group, label=label, student=student, teacher=teacher)))
    after = findings(
        run(
            grouped(
                evidence,
                group,
                label=label,
                student=student,
                teacher=teacher,
                attributes={"sex": group, "age": ["old", "young"] * 200},
                sensitive=(("sex",), ("age",), ("sex", "age")),
            )
        )
    )
    assert {address: after[address] for address in before} == before
    assert "FAI001[age=old,sex=f]" in after


def test_nothing_sensitive_declared_is_a_note_and_no_finding(evidence: Make) -> None:
    result = run(evidence(label=LABEL, student=STUDENT, teacher=TEACHER))
    assert result.findings == ()
    assert result.notes == ("No column is named as sensitive under [data].",)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_row_or_two_are_no_exception(evidence: Make, rows: int) -> None:
    made = grouped(
        evidence, SEX[-rows:], label=LABEL[-rows:], student=STUDENT[-rows:], teacher=TEACHER[-rows:]
    )
    for found in run(made).findings:
        assert isinstance(found.basis, NotMeasured)
