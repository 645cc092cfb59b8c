"""What calibration shows beside its findings: errors, terms and curves of the answered rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kdaudit.evidence.view import Evidence
from kdaudit.stats.calibration_error import (
    equal_mass_bins,
    equal_width_bins,
    expected_calibration_error,
    reliability,
)
from tests.suites.calibrating import draw, run
from tests.suites.measured import estimate, finding

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]


def test_plug_in_errors_are_shown_and_nothing_can_be_checked_by_them(evidence: Make) -> None:
    label, student, teacher = draw(10)
    result = run(evidence(label=label, student=student, teacher=teacher))
    (table,) = [f for f in result.figures if f.name == "expected-calibration-error"]
    assert [row[0] for row in table.rows] == ["student", "teacher"]
    assert "never checked" in table.title
    confidence, right = student.max(axis=1), student.argmax(axis=1) == label
    expected = [
        expected_calibration_error(reliability(confidence, right, codes(confidence, 15)))
        for codes in (equal_mass_bins, equal_width_bins)
    ]
    shown = dict(zip(table.columns, table.rows[0], strict=True))
    assert [shown["equal mass"], shown["equal width"]] == pytest.approx(expected)
    assert shown["smooth"] == pytest.approx(shown["bandwidth"])


def test_the_five_terms_sum_to_the_brier_score_that_is_checked(evidence: Make) -> None:
    label, student, teacher = draw(11, classes=3)
    result = run(evidence(label=label, student=student, teacher=teacher, classes="abc"))
    (table,) = [f for f in result.figures if f.name == "brier-decomposition"]
    for row, who in zip(table.rows, ("student", "teacher"), strict=True):
        rel, res, unc, variance, covariance, total = (float(x) for x in row[2:])  # type: ignore[arg-type]
        assert rel - res + unc + variance - covariance == pytest.approx(total, abs=1e-12)
        measured = estimate(getattr(finding(result, "CAL001"), who))
        assert total == pytest.approx(measured.value, abs=1e-12)


def test_what_is_shown_of_weighted_rows_is_weighted(evidence: Make) -> None:
    label, student, teacher = draw(13, n=200)
    times = np.random.default_rng(13).integers(1, 4, 200)

    def tables(**made: Any) -> dict[str, tuple[Any, ...]]:
        return {f.name: f.rows for f in run(evidence(**made)).figures}

    weighted = tables(label=label, student=student, teacher=teacher, weight=times)
    again = {"label": label, "student": student, "teacher": teacher}
    repeated = tables(**{name: np.repeat(x, times, axis=0) for name, x in again.items()})
    for name, columns in (
        ("brier-decomposition", slice(2, None)),
        ("selective-risk", slice(2, 5)),
    ):
        for one, two in zip(weighted[name], repeated[name], strict=False):
            assert one[columns] == pytest.approx(two[columns])
    equal_width, smooth = 3, 6
    for column in (equal_width, smooth):
        one, two = (t["expected-calibration-error"][0][column] for t in (weighted, repeated))
        assert one == pytest.approx(two, abs=1e-9)


def test_rows_that_nobody_answered_are_in_no_picture(evidence: Make) -> None:
    label, student, teacher = draw(14, n=100)
    fewer = student.copy()
    fewer[:40] = np.nan
    result = run(evidence(label=label, student=fewer, teacher=teacher))
    assert {f.name: f.rows[0][1] for f in result.figures if f.columns[1] == "rows answered"} == {
        "expected-calibration-error": 60,
        "brier-decomposition": 60,
        "selective-risk": 60,
    }
    nothing = run(evidence(label=label, student=student * np.nan, teacher=teacher))
    for figure in nothing.figures:
        assert "student" not in {row[0] for row in figure.rows}
