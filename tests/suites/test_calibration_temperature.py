"""One temperature from the validation split, told on the audited rows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.view import Evidence
from kdaudit.results import Need
from kdaudit.stats.brier import brier
from kdaudit.stats.temperature import fit_temperature
from kdaudit_suites.calibration import Calibration
from tests.suites.calibrating import run
from tests.suites.measured import estimate, finding

Make = Callable[..., Evidence]
Array = np.ndarray[Any, Any]


def sharpened(seed: int, n: int, student: float, shift: float = 0.0) -> tuple[Array, Array, Array]:
    """Labels, a student whose logits are ``student`` times too large, a calibrated teacher."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=n)
    label = (rng.random(n) > 1 / (1 + np.exp(-z))).astype(np.int64)
    sides = [1 / (1 + np.exp(-x)) for x in (student * z + shift, z)]
    one, two = (np.stack([p, 1 - p], axis=1) for p in sides)
    return label, one, two


def made(evidence: Make, audit: Any, validation: Any, **more: Any) -> Evidence:
    names = ("label", "student", "teacher")
    there = None if validation is None else evidence(**dict(zip(names, validation, strict=True)))
    return replace(evidence(**dict(zip(names, audit, strict=True)), **more), validation=there)


def test_the_temperature_of_the_validation_split_rescales_the_audited_rows(evidence: Make) -> None:
    audit, validation = sharpened(1, 800, 2.0), sharpened(2, 800, 2.0)
    result = run(made(evidence, audit, validation))
    label, student, _ = validation
    value = fit_temperature(np.log(student), label).value
    assert value == pytest.approx(2, rel=0.15)
    odds = audit[1] ** (1 / value)
    expected = brier(odds / odds.sum(axis=1, keepdims=True), audit[0]).mean()
    found = finding(result, "CAL008")
    assert estimate(found.student).value == pytest.approx(expected, rel=1e-9)
    assert estimate(found.student).n == 800
    (table,) = [f for f in result.figures if f.name == "temperature"]
    shown = {str(row[0]): dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert shown["student"]["temperature"] == pytest.approx(value)
    assert shown["student"]["low"] < 2 < shown["student"]["high"]  # type: ignore[operator]
    assert shown["student"]["NLL after"] < shown["student"]["NLL before"]  # type: ignore[operator]
    assert shown["teacher"]["low"] < 1 < shown["teacher"]["high"]  # type: ignore[operator]
    before = estimate(finding(result, "CAL001").student).value
    assert shown["student"]["Brier change"] == pytest.approx(expected - before)


@pytest.mark.parametrize(
    ("student", "shift", "words"),
    [
        (3.0, 0.0, "it repairs what is shown"),
        (1.0, 0.0, "that it helps the audited rows is not shown"),
    ],
)
def test_the_note_says_whether_a_temperature_repairs_the_student(
    evidence: Make, student: float, shift: float, words: str
) -> None:
    audit, validation = (sharpened(s, 2000, student, shift) for s in (3, 4))
    note = finding(run(made(evidence, audit, validation)), "CAL008").note
    assert words in note
    assert "from 2,000 validation rows" in note


def test_what_a_temperature_cannot_repair_is_said(evidence: Make) -> None:
    # Sharp on both splits, but far more so on the audited rows: one temperature is not enough.
    audit, validation = sharpened(5, 3000, 6.0), sharpened(6, 3000, 2.0)
    note = finding(run(made(evidence, audit, validation)), "CAL008").note
    assert "it helps, and does not suffice: a confidence gap of +0.1" in note
    other = sharpened(7, 3000, 0.4)
    note = finding(run(made(evidence, audit, other)), "CAL008").note
    assert "it makes the audited rows worse: the two splits differ" in note


def test_a_model_that_is_always_right_there_ends_at_a_bound(evidence: Make) -> None:
    audit, (_, student, teacher) = sharpened(8, 400, 2.0), sharpened(9, 400, 2.0)
    validation = (student.argmax(axis=1), student, teacher)
    result = run(made(evidence, audit, validation))
    assert "0.0498, the end of the search" in finding(result, "CAL008").note
    (table,) = [f for f in result.figures if f.name == "temperature"]
    assert table.rows[0][2] == 0


def test_no_temperature_is_fitted_on_audited_rows(evidence: Make) -> None:
    audit = sharpened(10, 200, 2.0)
    result = run(made(evidence, audit, None))
    basis = finding(result, "CAL008").basis
    assert isinstance(basis, NotMeasured)
    assert "no validation split is declared" in basis.reason
    assert "temperature" not in {f.name for f in result.figures}
    assert Need(kind="predictions", split="validation", optional=True) in Calibration().needs()


def test_an_answer_missing_from_the_validation_split_leaves_it_out(evidence: Make) -> None:
    audit, (label, student, teacher) = sharpened(11, 200, 2.0), sharpened(12, 200, 2.0)
    student[:3] = np.nan
    result = run(made(evidence, audit, (label, student, teacher)))
    found = finding(result, "CAL008")
    assert isinstance(found.student, NotMeasured)
    assert "3 of 200 answers on the validation split are missing" in found.student.reason
    assert isinstance(found.teacher, Estimate)
    assert isinstance(found.difference, NotMeasured)
    (table,) = [f for f in result.figures if f.name == "temperature"]
    assert [row[0] for row in table.rows] == ["teacher"]


@pytest.mark.parametrize(
    ("validation", "words"),
    [
        (([-1] * 40, 0.8), "no validation row is labelled with one of the classes"),
        (([0, 1] * 20, 0.5), "40 validation rows say nothing of a temperature"),
        (([0], 0.8), "the end of the search"),
    ],
)
def test_a_validation_split_that_says_nothing_is_named(
    evidence: Make, validation: tuple[list[int], float], words: str
) -> None:
    label, sure = validation
    answers = np.tile([sure, 1 - sure], (len(label), 1))
    found = finding(
        run(made(evidence, sharpened(13, 200, 2.0), (label, answers, answers))), "CAL008"
    )
    said = found.basis.reason if isinstance(found.basis, NotMeasured) else found.note
    assert words in said


def test_missing_audited_answers_still_cost_the_most(evidence: Make) -> None:
    (label, student, teacher), validation = sharpened(14, 200, 2.0), sharpened(15, 200, 2.0)
    fewer = student.copy()
    fewer[:10] = np.nan
    whole, partly = (
        estimate(finding(run(made(evidence, (label, s, teacher), validation)), "CAL008").student)
        for s in (student, fewer)
    )
    assert partly.value > whole.value
    assert partly.high > whole.high


def test_copied_labels_there_fit_nothing(evidence: Make) -> None:
    audit, validation = sharpened(16, 100, 2.0), sharpened(17, 100, 2.0)
    view = made(evidence, audit, validation)
    assert view.validation is not None
    copied = replace(view.validation, unlabelled=NotMeasured("labels are copies"))
    basis = finding(run(replace(view, validation=copied)), "CAL008").basis
    assert basis == NotMeasured("labels are copies")
