"""Accuracy against counts by hand, scikit-learn and statsmodels."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, precision_score, recall_score
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import Finding, Fixed, Means, SuiteResult, Table
from kdaudit_suites.accuracy import Accuracy
from tests.suites.measured import finding

Make = Callable[..., Evidence]

#        both right   student only   teacher only   neither
LABEL = [0] * 10 + [1] * 4 + [0] * 3 + [1] * 3
STUDENT = [0] * 10 + [1] * 4 + [1] * 3 + [0] * 3
TEACHER = [0] * 10 + [0] * 4 + [0] * 3 + [0] * 3
BASELINE = [0] * 20  # right on 13 rows: the first 10 and the three where only the teacher is


def run(evidence: Evidence) -> SuiteResult:
    return Accuracy().run(evidence, Streams(0))


def value(measured: object) -> float:
    assert isinstance(measured, Estimate), measured
    return measured.value


def test_accuracy_and_flips_by_hand(evidence: Make) -> None:
    result = run(evidence(label=LABEL, student=STUDENT, teacher=TEACHER, baseline=BASELINE))
    accuracy = finding(result, "ACC001")
    assert value(accuracy.student) == 14 / 20
    assert value(accuracy.teacher) == value(accuracy.baseline) == 13 / 20
    assert value(accuracy.difference) == pytest.approx(1 / 20)
    assert accuracy.basis == Table(n11=10, n10=4, n01=3, n00=3, baseline=(10, 4, 3, 3))
    flips = finding(result, "ACC002")
    assert value(flips.student) == 3 / 20
    assert flips.difference == flips.teacher == NotMeasured("a flip is of the pair")
    assert value(finding(result, "ACC002[reference=baseline]").student) == 3 / 20


def test_accuracy_is_positive_flips_minus_negative_flips(evidence: Make) -> None:
    rng = np.random.default_rng(0)
    label, student, teacher = rng.integers(0, 3, (3, 200))
    result = run(evidence(label=label, student=student, teacher=teacher, classes="abc"))
    back = run(evidence(label=label, student=teacher, teacher=student, classes="abc"))
    negative, positive = (value(finding(r, "ACC002").student) for r in (result, back))
    assert value(finding(result, "ACC001").difference) == pytest.approx(positive - negative)


def test_no_baseline_gives_no_flips_against_it(evidence: Make) -> None:
    result = run(evidence(label=LABEL, student=STUDENT, teacher=TEACHER))
    assert [f.address for f in result.findings if f.code == "ACC002"] == ["ACC002"]


def test_a_missing_answer_is_wrong_for_the_student_and_right_for_its_references(
    evidence: Make,
) -> None:
    label = [0] * 10
    result = run(evidence(label=label, student=[-1] * 2 + [0] * 8, teacher=[1] * 6 + [-1] * 4))
    accuracy = finding(result, "ACC001")
    assert value(accuracy.student) == 0.8
    assert value(accuracy.teacher) == 0.4
    missing = finding(result, "ACC003")
    assert value(missing.student) == 0.2
    assert value(missing.teacher) == 0.4
    assert missing.basis == Fixed(level=1.0)
    assert isinstance(missing.difference, NotMeasured)


def test_missing_answers_are_counted_in_and_out_of_scope(evidence: Make) -> None:
    outside = evidence(label=[-1] * 5, student=[-1] + [0] * 4, teacher=[0] * 5)
    result = run(
        evidence(label=[0, 1] * 5, student=[-1] + [0] * 9, teacher=[0] * 10, outside=outside)
    )
    assert value(finding(result, "ACC003").student) == pytest.approx(2 / 15)


@pytest.mark.parametrize("seed", range(3))
def test_accuracy_is_scikit_learns(evidence: Make, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label, student, teacher = rng.integers(0, 3, (3, 150))
    weight = rng.uniform(0.1, 5, 150)
    for chosen in (None, weight):
        made = evidence(label=label, student=student, teacher=teacher, classes="abc", weight=chosen)
        found = finding(run(made), "ACC001")
        assert value(found.student) == pytest.approx(
            accuracy_score(label, student, sample_weight=chosen)
        )


def test_mcnemars_p_in_the_notes_is_statsmodels(evidence: Make) -> None:
    result = run(evidence(label=LABEL * 5, student=STUDENT * 5, teacher=TEACHER * 5))
    stated = re.search(r"McNemar exact p = ([0-9.]+)", result.notes[0])
    assert stated is not None
    exact = mcnemar([[50, 20], [15, 15]], exact=True).pvalue
    assert float(stated[1]) == pytest.approx(exact, rel=5e-3)


def test_clustered_error_of_the_difference_is_that_of_least_squares(evidence: Make) -> None:
    rng = np.random.default_rng(5)
    cluster = rng.integers(0, 25, 300)
    label, student, teacher = rng.integers(0, 2, (3, 300))
    found = finding(
        run(evidence(label=label, student=student, teacher=teacher, cluster=cluster)), "ACC001"
    )
    basis = found.basis
    assert isinstance(basis, Means)
    change = (student == label).astype(float) - (teacher == label)
    fit = OLS(change, np.ones(300)).fit(
        cov_type="cluster", cov_kwds={"groups": cluster, "df_correction": False}
    )
    c = np.array([1.0, -1.0])
    ours = float(c @ np.array(basis.covariance) @ c)
    share = np.bincount(cluster) / 300
    # Least squares corrects as for equal clusters; see `kdaudit.stats.clusters`.
    plain = float(fit.bse[0] ** 2) * 24 / 25
    corrected = plain / (1 - 2 * share.max() + (share**2).sum())
    assert ours == pytest.approx(corrected)
    assert basis.df == pytest.approx(1 / (share**2).sum() - 1)
    assert isinstance(found.difference, Estimate)
    assert found.difference.method.startswith("Rao-Scott Tango score, 25 clusters worth ")


def test_copying_rows_into_their_clusters_tells_nothing_new(evidence: Make) -> None:
    rng = np.random.default_rng(6)
    label, student, teacher = rng.integers(0, 2, (3, 60))

    def interval(times: int) -> tuple[float, float]:
        made = evidence(
            label=np.tile(label, times),
            student=np.tile(student, times),
            teacher=np.tile(teacher, times),
            cluster=np.tile(np.arange(60), times),
        )
        found = finding(run(made), "ACC001").difference
        assert isinstance(found, Estimate)
        return found.low, found.high

    # But for what is taken for known of how alike rows are before any was seen.
    assert interval(2) == pytest.approx(interval(5), rel=0.02)
    low, high = interval(1)  # one row per cluster: Tango's interval, which is about as wide
    assert interval(2) == pytest.approx((low, high), abs=0.04)


def test_few_clusters_are_no_interval(evidence: Make) -> None:
    made = evidence(
        label=[0, 1] * 50, student=[0, 1] * 50, teacher=[0, 0] * 50, cluster=[0, 1, 2, 3, 4] * 20
    )
    found = finding(run(made), "ACC001")
    assert found.basis == NotMeasured("5 clusters; at least 8 are needed for an interval", n=100)


def test_swapping_the_subjects_negates_the_difference(evidence: Make) -> None:
    rng = np.random.default_rng(7)
    label, student, teacher = rng.integers(0, 2, (3, 90))
    for cluster in (None, rng.integers(0, 12, 90)):
        one, two = (
            finding(run(evidence(label=label, student=s, teacher=t, cluster=cluster)), "ACC001")
            for s, t in ((student, teacher), (teacher, student))
        )
        assert isinstance(one.difference, Estimate)
        assert isinstance(two.difference, Estimate)
        assert one.difference.value == pytest.approx(-two.difference.value)
        assert one.difference.low == pytest.approx(-two.difference.high)
        assert one.difference.high == pytest.approx(-two.difference.low)


def test_the_matrix_counts_every_row(evidence: Make) -> None:
    result = run(evidence(label=LABEL, student=STUDENT, teacher=TEACHER))
    figure = result.figures[0]
    assert figure.name == "flips"
    assert {row[:2]: row[2] for row in figure.rows} == {
        ("teacher right", "student right"): 10,
        ("teacher right", "student wrong"): 3,
        ("teacher wrong", "student right"): 4,
        ("teacher wrong", "student wrong"): 3,
    }


def test_without_labels_of_its_own_only_missing_answers_are_counted(evidence: Make) -> None:
    reason = NotMeasured("labels are the teacher's")
    result = run(evidence(label=LABEL, student=STUDENT, teacher=TEACHER, unlabelled=reason))
    assert finding(result, "ACC001").basis == reason
    assert finding(result, "ACC002").basis == reason
    assert value(finding(result, "ACC003").student) == 0


@pytest.mark.parametrize("absent", ["student", "teacher"])
def test_a_subject_alone_is_still_measured(evidence: Make, absent: str) -> None:
    subjects: dict[str, Any] = {"student": STUDENT, "teacher": TEACHER} | {absent: None}
    found = finding(run(evidence(label=LABEL, **subjects)), "ACC001")
    other = found.teacher if absent == "student" else found.student
    assert value(other) in (14 / 20, 13 / 20)
    assert isinstance(found.difference, NotMeasured)
    assert isinstance(found.basis, NotMeasured)


# --- the pair in numbers


def comparison(result: SuiteResult) -> dict[str, tuple[object, ...]]:
    (table,) = [figure for figure in result.figures if figure.name == "comparison"]
    return {str(row[0]): row[1:] for row in table.rows}


def of(rows: dict[str, tuple[object, ...]], start: str) -> tuple[object, ...]:
    (found,) = [row for name, row in rows.items() if name.startswith(start)]
    return found


THREE = "abc"
# Five rows both get right, three the teacher only, one the student only, one neither.
GOLD = [0, 1, 2, 1, 0, 2, 1, 0, 1, 2]
TEACH = [0, 1, 2, 1, 0, 2, 1, 0, 0, 0]
LEARN = [0, 1, 2, 1, 0, 0, 0, 1, 1, 0]


def test_flips_and_compatibility_by_hand(evidence: Make) -> None:
    # Ten rows: NFR 3/10, PFR 1/10, accuracy of T 8/10 and of S 6/10.
    rows = comparison(run(evidence(label=GOLD, student=LEARN, teacher=TEACH, classes=THREE)))
    assert of(rows, "negative flips")[0] == 0.3
    assert of(rows, "positive flips")[0] == 0.1
    assert of(rows, "share of the teacher's accuracy kept")[0] == pytest.approx(0.75)
    assert of(rows, "relative negative flips")[0] == pytest.approx(0.3 / (0.8 * 0.4))
    assert of(rows, "student right where the teacher is")[0] == pytest.approx(5 / 8)
    assert of(rows, "student wrong where the teacher is")[0] == 0.5
    expected = 0.8 * 0.6 + 0.2 * 0.4
    assert of(rows, "error consistency")[0] == pytest.approx((0.6 - expected) / (1 - expected))
    assert of(rows, "same wrong answer")[0] == 1.0
    assert of(rows, "the same by chance")[0] == 1.0  # one row cannot be dealt otherwise


def test_agreement_by_who_is_right(evidence: Make) -> None:
    result = run(evidence(label=GOLD, student=LEARN, teacher=TEACH, classes=THREE))
    assert value(finding(result, "ACC005").student) == 0.6
    assert value(finding(result, "ACC005").teacher) == 1.0
    assert value(finding(result, "ACC005[teacher=right]").student) == pytest.approx(5 / 8)
    assert value(finding(result, "ACC005[teacher=wrong]").student) == 0.5


def test_above_chance_is_accuracy_less_the_most_frequent_label(evidence: Make) -> None:
    label = [0] * 30 + [1] * 70
    student = [0] * 20 + [1] * 80  # right on 90
    teacher = [0] * 28 + [1] * 72  # right on 98
    result = run(evidence(label=label, student=student, teacher=teacher))
    above = finding(result, "ACC004")
    assert value(above.student) == pytest.approx(0.2)
    assert value(above.teacher) == pytest.approx(0.28)
    rows = comparison(result)
    assert of(rows, "share kept above chance")[0] == pytest.approx(0.2 / 0.28)
    assert of(rows, "share of the teacher's")[0] == pytest.approx(0.9 / 0.98)


def test_a_teacher_near_chance_is_named(evidence: Make) -> None:
    label = [0] * 50 + [1] * 50
    result = run(evidence(label=label, student=label, teacher=[0, 1] * 50))
    assert any("near chance" in note for note in result.notes)
    rows = comparison(result)
    assert of(rows, "share kept above chance")[:4] == (None,) * 4


def test_gain_recovered_against_a_baseline(evidence: Make) -> None:
    label = [0, 1] * 200
    base = [0] * 400  # 0.5
    student = [0, 1] * 150 + [0] * 100  # 0.875
    result = run(evidence(label=label, student=student, teacher=label, baseline=base))
    gained = of(comparison(result), "gain over the baseline")
    assert gained[0] == pytest.approx(0.375 / 0.5)
    low, high = float(str(gained[1])), float(str(gained[2]))
    assert low < 0.75 < high
    back = run(evidence(label=label, student=student, teacher=base, baseline=base))
    assert "not shown" in str(of(comparison(back), "gain over the baseline")[-1])


def test_the_parts_of_distillation_and_capacity_add_up(evidence: Make) -> None:
    rng = np.random.default_rng(3)
    label = rng.integers(0, 2, 300)
    others = [np.where(rng.random(300) < p, label, 1 - label) for p in (0.8, 0.9, 0.85)]
    made = evidence(label=label, student=others[0], teacher=others[1], baseline=others[2])
    assert not [name for name in comparison(run(made)) if "part of" in name]
    rows = comparison(run(replace(made, control="hard")))
    whole, distilled, capacity = (
        float(str(of(rows, start)[0]))
        for start in ("difference in accuracy", "part of distillation", "part of capacity")
    )
    assert whole == pytest.approx(distilled + capacity)
    assert distilled == pytest.approx(np.mean(others[0] == label) - np.mean(others[2] == label))


def test_independent_wrong_answers_are_the_same_as_often_as_by_chance(evidence: Make) -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, 4000)
    student, teacher = ((label + rng.integers(1, 4, 4000)) % 4 for _ in range(2))
    rows = comparison(run(evidence(label=label, student=student, teacher=teacher, classes="abcd")))
    same, chance = of(rows, "same wrong answer"), of(rows, "the same by chance")
    assert chance[0] == pytest.approx(1 / 3, abs=0.01)
    assert float(str(chance[1])) <= float(str(same[0])) <= float(str(chance[2]))


# --- what answers cost


def cost(matrix: dict[str, dict[str, float]], made: Evidence) -> Finding:
    return finding(Accuracy(cost=matrix).run(made, Streams(0)), "ACC006")


def test_expected_cost_by_hand(evidence: Make) -> None:
    made = evidence(label=[0, 0, 1, 1], student=[0, 1, 0, -1], teacher=[0, 0, 1, -1])
    found = cost({"a": {"b": 10.0}, "b": {"a": 1.0}}, made)
    assert value(found.student) == (0 + 10 + 1 + 10) / 4  # no answer costs the worst
    assert value(found.teacher) == 0.0
    assert found.better == "lower"


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ({"a": {"x": 1.0}}, "'x'"),
        ({"a": {"b": float("nan")}}, "finite"),
        ({"a": {"b": 0.0}}, "costs the same"),
    ],
)
def test_a_cost_that_means_nothing_is_said(
    evidence: Make, matrix: dict[str, dict[str, float]], said: str
) -> None:
    found = cost(matrix, evidence(label=[0, 1], student=[0, 1], teacher=[0, 1]))
    assert isinstance(found.student, NotMeasured)
    assert said in found.student.reason


# --- classes


def test_recall_and_precision_by_class(evidence: Make) -> None:
    result = run(evidence(label=GOLD, student=LEARN, teacher=TEACH, classes=THREE))
    (table,) = [figure for figure in result.figures if figure.name == "classes"]
    by_name = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    recall = recall_score(GOLD, LEARN, average=None)
    precision = precision_score(GOLD, LEARN, average=None)
    for i, name in enumerate(THREE):
        assert by_name[name]["student recall"] == pytest.approx(recall[i])
        assert by_name[name]["student precision"] == pytest.approx(precision[i])
        assert by_name[name]["rows"] == GOLD.count(i)
        assert by_name[name]["student answers"] == LEARN.count(i)
