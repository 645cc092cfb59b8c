"""Labels: three simultaneous intervals say what became of a bias, and luck says nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.estimate import Estimate
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.results import Means, SuiteResult
from kdaudit.transfer import transfer
from kdaudit_suites.fairness import Fairness
from kdaudit_suites.fairness.contrasts import Contrast, contrasts, crossings
from kdaudit_suites.fairness.labels import HARMFUL, SMALL, Labelled, labelled
from kdaudit_suites.fairness.scores import rates
from kdaudit_suites.fairness.simultaneous import _influences, simultaneous_level

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]

ABOVE, AROUND, BELOW = (0.1, 0.2), (-0.1, 0.1), (-0.2, -0.1)
NEAR = (-0.05, 0.05)  # shown to be of no size that matters


@pytest.mark.parametrize(
    ("teacher", "student", "change", "label"),
    [
        (ABOVE, ABOVE, AROUND, "at least inherited"),
        (ABOVE, ABOVE, NEAR, "inherited"),
        (ABOVE, ABOVE, ABOVE, "amplified"),
        (BELOW, BELOW, BELOW, "amplified"),
        (ABOVE, ABOVE, BELOW, "attenuated"),
        (BELOW, BELOW, ABOVE, "attenuated"),
        (ABOVE, BELOW, BELOW, "reversed"),
        (BELOW, ABOVE, ABOVE, "reversed"),
        (ABOVE, AROUND, BELOW, "attenuated, repaired or reversed"),
        (BELOW, AROUND, ABOVE, "attenuated, repaired or reversed"),
        (ABOVE, (-0.04, 0.1), BELOW, "attenuated or repaired"),
        (BELOW, (-0.1, 0.04), ABOVE, "attenuated or repaired"),
        (ABOVE, NEAR, BELOW, "repaired"),
        (BELOW, NEAR, ABOVE, "repaired"),
        (ABOVE, AROUND, AROUND, "inconclusive"),
        (AROUND, ABOVE, ABOVE, "amplified, introduced or reversed"),
        (AROUND, BELOW, BELOW, "amplified, introduced or reversed"),
        ((-0.04, 0.1), ABOVE, ABOVE, "amplified or introduced"),
        ((-0.1, 0.04), BELOW, BELOW, "amplified or introduced"),
        (NEAR, ABOVE, ABOVE, "introduced"),
        (NEAR, BELOW, BELOW, "introduced"),
        (AROUND, ABOVE, AROUND, "inconclusive"),
        (NEAR, NEAR, NEAR, "none"),
        (AROUND, NEAR, NEAR, "inconclusive"),
        (NEAR, AROUND, NEAR, "inconclusive"),
        (AROUND, AROUND, ABOVE, "inconclusive"),
    ],
)
def test_what_became_of_a_bias_follows_from_three_intervals(
    teacher: tuple[float, float],
    student: tuple[float, float],
    change: tuple[float, float],
    label: str,
) -> None:
    assert transfer(*(interval(*ends) for ends in (teacher, student, change))) == label


def interval(low: float, high: float) -> Estimate:
    return Estimate(value=(low + high) / 2, low=low, high=high, n=100, level=0.95, method="t")


def grouped(evidence: Make, group: Array, **given: Any) -> Evidence:
    plain: dict[str, Any] = {
        "attributes": {"race": group.tolist()},
        "sensitive": (("race",),),
        "positive": [0],
        "classes": ("yes", "no"),
    }
    return evidence(**(plain | given))


def noisy(rng: np.random.Generator, label: Array, right: Array | float) -> Array:
    return np.where(rng.random(len(label)) < right, label, 1 - label)


def found(made: Evidence, *, codes: str = "1234", seed: int = 0) -> list[Labelled]:
    """The labels of some of FAI001 to FAI007."""
    some = [rate for rate in rates(made) if rate.endpoint.code[-1] in codes]
    return labelled(measured(made, codes), made, np.random.default_rng(seed)) if some else []


def measured(made: Evidence, codes: str = "1234") -> list[Contrast]:
    return [
        contrast
        for rate in rates(made)
        if rate.endpoint.code[-1] in codes
        for contrast in contrasts(rate, made, crossings(made))
    ]


def null_run(evidence: Make, seed: int, n: int = 1500) -> list[Labelled]:
    """Six groups that differ in nothing, four rates."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    teacher, student = noisy(rng, label, 0.9), noisy(rng, label, 0.85)
    group = rng.choice(list("abcdef"), n, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    return found(grouped(evidence, group, label=label, teacher=teacher, student=student), seed=seed)


def spoke(labels: list[Labelled]) -> bool:
    return any(one.label not in ("none", "inconclusive", "not evaluable") for one in labels)


def test_where_nothing_happened_labels_are_silent(evidence: Make) -> None:
    assert sum(spoke(null_run(evidence, seed)) for seed in range(20)) <= 2  # 1 expected at 5%


@pytest.mark.slow
def test_a_family_of_labels_errs_with_chance_alpha(evidence: Make) -> None:
    runs = 600
    wrong = sum(spoke(null_run(evidence, seed)) for seed in range(1000, 1000 + runs))
    assert wrong / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


def test_planted_biases_are_found_and_named(evidence: Make) -> None:
    rng = np.random.default_rng(1)
    n = 12_000
    group = rng.choice(list("abcdef"), n)
    label = rng.integers(0, 2, n)
    # How often a favourable answer is withheld where it is due, by subject and group.
    withheld = {
        "teacher": {"a": 0.3, "b": 0.0, "c": 0.3, "d": 0.3},
        "student": {"a": 0.3, "b": 0.3, "c": 0.0, "d": 0.6},
    }
    answers = {}
    for who, rate in withheld.items():
        lost = rng.random(n) < np.array([rate.get(g, 0.1) for g in group])
        answers[who] = np.where((label == 0) & lost, 1, label)
    made = grouped(evidence, group, label=label, **answers)
    said = {one.finding.address: one.label for one in found(made)}
    assert said["FAI002[race=a]"] in ("inherited", "at least inherited")
    # Of groups that differ from six others at once the teacher has a contrast everywhere.
    assert said["FAI002[race=b]"] in ("introduced", "reversed")
    assert said["FAI002[race=c]"] in ("repaired", "reversed")
    assert said["FAI002[race=d]"] == "amplified"
    assert all(said[f"FAI003[race={g}]"] == "none" for g in "abcdef")  # none is favoured wrongly


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([0, 40]))
def test_a_student_that_is_its_teacher_changes_nothing(
    evidence: Make, seed: int, clusters: int
) -> None:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, 400)
    group = rng.choice(list("ab"), 400)
    answers = noisy(rng, label, np.where(group == "a", 0.95, 0.6))
    cluster = rng.integers(0, clusters, 400) if clusters else None
    made = grouped(evidence, group, label=label, teacher=answers, student=answers, cluster=cluster)
    for one in found(made, codes="1234567"):
        quiet = {"inherited", "at least inherited", "none", "inconclusive"}
        quiet |= {"no contrast established", "not evaluable"}
        assert one.label in quiet
        if one.student is not None and one.finding.code[-1] in "1234":
            assert one.change is not None
            assert one.change.value == pytest.approx(0, abs=1e-12)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.booleans())
def test_the_students_contrast_is_the_teachers_and_what_was_added(
    evidence: Make,
    seed: int,
    weighted: bool,  # noqa: FBT001
) -> None:
    rng = np.random.default_rng(seed)
    label, teacher, student = rng.integers(0, 2, (3, 200))
    made = grouped(
        evidence,
        rng.choice(list("abc"), 200),
        label=label,
        teacher=teacher,
        student=student,
        weight=rng.uniform(0.5, 2, 200) if weighted else None,
    )
    for one in found(made):
        if one.student is None or one.teacher is None or one.change is None:
            continue
        total = one.teacher.value + one.change.value
        assert one.student.value == pytest.approx(total, abs=1e-12)


def test_simultaneous_intervals_hold_those_of_the_findings(evidence: Make) -> None:
    labels = null_run(evidence, 3)
    shown = [one for one in labels if one.student is not None]
    assert len(shown) > 15
    for one in shown:
        alone, together = one.finding.student, one.student
        assert isinstance(alone, Estimate)
        assert together is not None
        assert together.low < alone.low <= alone.high < together.high


@pytest.mark.parametrize("weighted", [False, True])
def test_influences_have_the_spread_of_the_findings_own_basis(
    evidence: Make,
    weighted: bool,  # noqa: FBT001
) -> None:
    rng = np.random.default_rng(8)
    n = 600  # every row is a block
    label = rng.integers(0, 2, n)
    made = grouped(
        evidence,
        rng.choice(list("abc"), n),
        label=label,
        teacher=rng.dirichlet([1, 1], n),
        student=rng.dirichlet([1, 1], n),
        weight=rng.uniform(0.5, 2, n) if weighted else None,
    )
    for contrast in measured(made, "12346"):
        (parts,) = _influences([contrast], made.rows, np.arange(n))
        basis = contrast.finding.basis
        assert isinstance(basis, Means)
        student, teacher, change = parts
        assert np.allclose(student - teacher, change)
        joint = np.array([student, teacher]) @ np.array([student, teacher]).T
        # Less the small-sample factor of each side.
        assert joint == pytest.approx(np.array(basis.covariance)[:2, :2], rel=0.03, abs=1e-5)


def test_influences_of_clusters_are_those_of_their_rows_summed(evidence: Make) -> None:
    rng = np.random.default_rng(9)
    n, cluster = 600, rng.integers(0, 60, 600)
    made = grouped(
        evidence,
        rng.choice(list("ab"), n),
        label=rng.integers(0, 2, n),
        teacher=rng.integers(0, 2, n),
        student=rng.integers(0, 2, n),
        cluster=cluster,
    )
    for contrast in measured(made)[::2]:  # of two groups, the second repeats the first
        (parts,) = _influences([contrast], made.rows, cluster)
        basis = contrast.finding.basis
        assert isinstance(basis, Means)
        assert (parts[0] ** 2).sum() == pytest.approx(basis.covariance[0][0], rel=0.1)


def test_more_columns_widen_and_luck_is_between_one_and_bonferroni(evidence: Make) -> None:
    rng = np.random.default_rng(2)
    n = 900
    attributes = {"race": rng.choice(list("abc"), n), "age": rng.choice(list("opq"), n)}
    given: dict[str, Any] = {
        "label": rng.integers(0, 2, n),
        "teacher": rng.integers(0, 2, n),
        "student": rng.integers(0, 2, n),
        "attributes": {name: column.tolist() for name, column in attributes.items()},
    }
    levels = []
    for sensitive in ((("race",),), (("race",), ("age",))):
        made = grouped(evidence, attributes["race"], **given, sensitive=sensitive)
        family = measured(made)
        level = simultaneous_level(family, made, 0.05, np.random.default_rng(0))
        assert 0.95 < level < 1 - 0.05 / (3 * len(family))
        levels.append(level)
    assert levels[0] < levels[1]


def run(made: Evidence) -> SuiteResult:
    return Fairness().run(made, Streams(0))


def test_small_groups_get_no_label_and_are_told_how_many_rows_they_need(evidence: Make) -> None:
    rng = np.random.default_rng(4)
    group = np.array(["big"] * 400 + ["other"] * 380 + ["tiny"] * 20)
    label = rng.integers(0, 2, 800)
    made = grouped(
        evidence, group, label=label, teacher=noisy(rng, label, 0.9), student=noisy(rng, label, 0.8)
    )
    result = run(made)
    notes = {one.address: one.note for one in result.findings}
    assert notes["FAI001[race=tiny]"].startswith("20 rows; about ")
    assert notes["FAI001[race=big]"].startswith("bias transfer: ")
    (table,) = [figure for figure in result.figures if figure.name == "too-small"]
    needed = {(row[0], row[1]): row[3] for row in table.rows}
    assert needed["race = tiny", "selection rate"] > SMALL  # type: ignore[operator]
    assert {row[0] for row in table.rows} == {"race = tiny"}
    (labels,) = [figure for figure in result.figures if figure.name == "labels"]
    assert not any("tiny" in str(row[0]) for row in labels.rows)


def test_the_table_of_labels_has_harm_first_and_every_interval(evidence: Make) -> None:
    rng = np.random.default_rng(5)
    n = 4000
    group = rng.choice(list("abc"), n)
    label = rng.integers(0, 2, n)
    student = noisy(rng, label, np.where(group == "a", 0.6, 0.95))
    result = run(grouped(evidence, group, label=label, teacher=label.copy(), student=student))
    (table,) = [figure for figure in result.figures if figure.name == "labels"]
    assert table.columns[:3] == ("contrast", "label", "n")
    assert len(table.columns) == 12
    harmful = [row[1] in HARMFUL for row in table.rows]
    assert harmful == sorted(harmful, reverse=True)
    assert ("race = a: accuracy", "introduced") in {row[:2] for row in table.rows}
    assert "0.95 all hold at once" in table.title
    for row in table.rows:
        for at in (3, 6, 9):
            value, low, high = row[at : at + 3]
            assert low <= value <= high  # type: ignore[operator]
