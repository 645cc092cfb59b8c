"""Signed gaps overall, by group and by class."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdaudit.estimate import Measurement, NotMeasured
from kdaudit.evidence.view import Evidence
from kdaudit.measure import mean_finding
from kdaudit.results import Better
from kdaudit.scores import Score
from kdaudit_suites.calibration.endpoints import CAL003
from tests.suites.calibrating import run
from tests.suites.measured import estimate, finding

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]


def over_confident_for(women: Array, seed: int = 0) -> tuple[Array, Array, Array]:
    """A calibrated teacher, and a student that is 20 points too sure of one group."""
    rng = np.random.default_rng(seed)
    right = rng.uniform(0.5, 0.8, len(women))
    label = (rng.random(len(women)) > right).astype(np.int64)
    teacher = np.stack([right, 1 - right], axis=1)
    sure = right + 0.2 * women
    return label, np.stack([sure, 1 - sure], axis=1), teacher


def test_the_gap_of_a_group_is_the_gap_of_its_rows(evidence: Make) -> None:
    women = np.arange(400) % 4 == 0
    label, student, teacher = over_confident_for(women)
    result = run(
        evidence(
            label=label,
            student=student,
            teacher=teacher,
            attributes={
                "sex": np.where(women, "f", "m").tolist(),
                "shop": ["x", "y"] * 200,
            },
            slices=[("shop",)],
            sensitive=[("sex",), ("sex", "shop")],
        )
    )
    assert {f.address for f in result.findings if f.code == "CAL003"} == {
        "CAL003",
        "CAL003[sex=f]",
        "CAL003[sex=m]",
        "CAL003[shop=x]",
        "CAL003[shop=y]",
        "CAL003[sex=f,shop=x]",
        "CAL003[sex=m,shop=x]",
        "CAL003[sex=m,shop=y]",
    }
    group = finding(result, "CAL003[sex=f]")
    expected = (student[women, 0] - (label[women] == 0)).mean()
    assert estimate(group.student).value == pytest.approx(expected)
    assert estimate(group.difference).value == pytest.approx(0.2)
    assert estimate(group.difference).n == 100
    assert estimate(finding(result, "CAL003[sex=m]").difference).value == pytest.approx(0)


def test_a_column_that_is_slice_and_sensitive_is_measured_once(evidence: Make) -> None:
    women = np.arange(80) % 2 == 0
    label, student, teacher = over_confident_for(women)
    result = run(
        evidence(
            label=label,
            student=student,
            teacher=teacher,
            attributes={"sex": np.where(women, "f", "m").tolist()},
            slices=[("sex",)],
            sensitive=[("sex",)],
        )
    )
    assert len({f.address for f in result.findings}) == len(result.findings)


def test_a_check_holds_each_group(world: Callable[..., Any]) -> None:
    made = world(1, n=400)
    results = made.audit(
        [
            {"check": "CAL003", "each": ["sex"], "margin": 0.2},
            {"check": "CAL003", "where": {"channel": "web"}, "margin": 0.2},
            {"check": "CAL003", "margin": 0.2},
            {"check": "CAL005", "each": ["sex"], "margin": 0.2},
            {"check": "CAL007", "margin": 0.2},
        ]
    )
    addresses = [v.address for v in results.verdicts if v.check < 5]
    assert addresses == [
        "CAL003[sex=f]",
        "CAL003[sex=m]",
        "CAL003[channel=web]",
        "CAL003",
        "CAL005[sex=f]",
        "CAL005[sex=m]",
        "CAL007",
    ]


def test_the_gap_of_the_favourable_class_by_hand(evidence: Make) -> None:
    # Favourable with 0.1, 0.6 and 0.8; it is in one of three rows: 0.5 - 1/3.
    student = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    found = finding(
        run(evidence(label=[0, 0, 1], student=student, teacher=student, positive=[1])), "CAL005"
    )
    assert found.better is Better.ZERO
    assert estimate(found.student).value == pytest.approx(0.5 - 1 / 3)


def test_several_favourable_classes_are_one_event(evidence: Make) -> None:
    rng = np.random.default_rng(4)
    student = rng.dirichlet([1, 1, 1], 120)
    label = rng.integers(0, 3, 120)
    found = run(
        evidence(label=label, student=student, teacher=student, classes="abc", positive=[0, 2])
    )
    expected = (student[:, [0, 2]].sum(axis=1) - (label != 1)).mean()
    assert estimate(finding(found, "CAL005").student).value == pytest.approx(expected)
    other = run(
        evidence(label=label, student=student, teacher=student, classes="abc", positive=[1])
    )
    # The event and its complement are off by the same, the other way round.
    assert estimate(finding(other, "CAL005").student).value == pytest.approx(-expected)


def test_the_error_of_the_favourable_class_of_two_is_that_of_the_other(evidence: Make) -> None:
    women = np.zeros(300, dtype=np.bool_)
    label, student, teacher = over_confident_for(women)

    def error(positive: int) -> Measurement:
        made = evidence(label=label, student=student, teacher=teacher, positive=[positive])
        return finding(run(made), "CAL006").student

    assert estimate(error(0)).value == pytest.approx(estimate(error(1)).value, abs=1e-12)


def test_without_a_favourable_class_there_is_none_to_measure(evidence: Make) -> None:
    label, student, teacher = over_confident_for(np.zeros(60, dtype=np.bool_))
    result = run(evidence(label=label, student=student, teacher=teacher))
    for code in ("CAL005", "CAL006"):
        basis = finding(result, code).basis
        assert isinstance(basis, NotMeasured)
        assert "`positive` under [data]" in basis.reason


def test_a_missing_answer_may_be_anything_in_its_group(evidence: Make) -> None:
    women = np.arange(400) % 2 == 0
    label, student, teacher = over_confident_for(women)
    fewer = student.copy()
    fewer[np.flatnonzero(women)[:20]] = np.nan
    made: dict[str, Any] = {
        "label": label,
        "teacher": teacher,
        "attributes": {"sex": np.where(women, "f", "m").tolist()},
        "sensitive": [("sex",)],
        "positive": [0],
    }
    whole, partly = (run(evidence(student=s, **made)) for s in (student, fewer))
    for code in ("CAL003", "CAL005"):
        one, two = (estimate(finding(r, f"{code}[sex=f]").difference) for r in (whole, partly))
        assert two.low < one.low
        assert two.high > one.high
        assert finding(whole, f"{code}[sex=m]") == finding(partly, f"{code}[sex=m]")


class TestClasses:
    def test_gaps_by_class_hold_at_once(self, evidence: Make) -> None:
        rng = np.random.default_rng(5)
        teacher = rng.dirichlet([1, 1, 1, 1], 800)
        label = (teacher.cumsum(axis=1) < rng.random((800, 1))).sum(axis=1).clip(max=3)
        student = teacher.copy()
        student[:, 0] *= 2  # too much of class a
        student /= student.sum(axis=1, keepdims=True)
        result = run(evidence(label=label, student=student, teacher=teacher, classes="abcd"))
        (table,) = [f for f in result.figures if f.name == "classwise-gaps"]
        assert "all 4 classes at once" in table.title
        rows = {str(row[0]): dict(zip(table.columns, row, strict=True)) for row in table.rows}
        gap = (student[:, 0] - (label == 0)).mean()
        assert rows["a"]["student"] == pytest.approx(gap)
        assert rows["a"]["low"] > 0.05  # type: ignore[operator]
        assert sum(row["student"] for row in rows.values()) == pytest.approx(0)  # type: ignore[misc]
        for row in rows.values():
            assert row["teacher low"] <= 0 <= row["teacher high"]  # type: ignore[operator]
        # 90 % for four at once is 97.5 % for each: a wider interval of the same mean.
        score = Score(values=teacher[:, 0] - (label == 0), valid=label >= 0, low=-1.0)
        pair: dict[Any, Any] = dict.fromkeys(("student", "teacher"), score)
        strict = evidence(label=label, student=None, teacher=None, level=0.975)
        alone = mean_finding(CAL003, strict, pair | {"baseline": NotMeasured("none")})
        wide = estimate(alone.teacher)
        assert (rows["a"]["teacher low"], rows["a"]["teacher high"]) == (wide.low, wide.high)

    def test_of_two_classes_there_is_no_table(self, evidence: Make) -> None:
        label, student, teacher = over_confident_for(np.zeros(60, dtype=np.bool_))
        result = run(evidence(label=label, student=student, teacher=teacher))
        assert "classwise-gaps" not in {f.name for f in result.figures}
