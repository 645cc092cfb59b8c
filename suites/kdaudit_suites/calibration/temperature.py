"""Could one temperature repair it? Fitted on the validation split, told on audited rows (CAL008).

The audited rows never take part in the fit, and the validation rows never in what is reported.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.view import Evidence, Rows
from kdaudit.measure import ends, mean_finding
from kdaudit.results import Figure, Finding
from kdaudit.scores import Score, Scores
from kdaudit.stats.brier import brier
from kdaudit.stats.likelihood import negative_log_likelihood
from kdaudit.stats.smooth_ece import smooth_calibration_error
from kdaudit.stats.temperature import (
    Temperature,
    fit_temperature,
    log_probabilities,
    rescaled,
    temperature_interval,
)
from kdaudit_suites.calibration.answers import Answers, Subjects, gap, subjects_of, top_label
from kdaudit_suites.calibration.endpoints import CAL003, CAL008

NO_VALIDATION = (
    "no validation split is declared under [data], and no temperature may be fitted on the "
    "audited rows"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refit:
    """One subject before and after its temperature, on the audited rows.

    Attributes:
        fitted: the temperature, from the validation split.
        before: its answers as they are.
        after: the same answers with rescaled probabilities.
        score: Brier scores of the rescaled probabilities.
        change: mean change of the Brier score, paired, on the answered rows.
    """

    fitted: Temperature
    before: Answers
    after: Answers
    score: Score
    change: Measurement


Refits = Mapping[Subject, Refit | NotMeasured]


def refits(evidence: Evidence, subjects: Subjects, smallest: float) -> Refits:
    """Fit each subject's temperature and rescale its audited answers.

    Args:
        evidence: with the validation split, if there is one.
        subjects: their audited answers.
        smallest: probabilities below it count as it.
    """
    fitted = _temperatures(evidence.validation, smallest)
    return {who: _refit(fitted[who], subjects[who], evidence, smallest) for who in ORDER}


def _temperatures(
    validation: Evidence | None, smallest: float
) -> Mapping[Subject, Temperature | NotMeasured]:
    if validation is None:
        return dict.fromkeys(ORDER, NotMeasured(NO_VALIDATION))
    if validation.unlabelled is not None:
        return dict.fromkeys(ORDER, validation.unlabelled)
    return {
        who: _fitted(answers, validation.rows, smallest)
        if isinstance(answers, Answers)
        else answers
        for who, answers in subjects_of(validation).items()
    }


def _fitted(answers: Answers, rows: Rows, smallest: float) -> Temperature | NotMeasured:
    if answers.missing:
        # Fitted on what is left, a temperature could be chosen by what is left out.
        return NotMeasured(
            f"{answers.missing} of {len(rows)} answers on the validation split are missing or "
            "invalid"
        )
    if not (rows.label >= 0).any():
        return NotMeasured("no validation row is labelled with one of the classes")
    fitted = fit_temperature(
        log_probabilities(answers.probabilities, smallest),
        rows.label,
        weights=rows.weight,
        clusters=rows.cluster,
    )
    if fitted.log_error is None and not fitted.at_bound:
        return NotMeasured(f"{fitted.n} validation rows say nothing of a temperature")
    return fitted


def _refit(
    fitted: Temperature | NotMeasured,
    here: Answers | NotMeasured,
    evidence: Evidence,
    smallest: float,
) -> Refit | NotMeasured:
    if isinstance(here, NotMeasured):
        return here
    if isinstance(fitted, NotMeasured):
        return fitted
    probabilities = rescaled(log_probabilities(here.probabilities, smallest), fitted.value)
    # A temperature keeps the order of the classes and moves no threshold: answers stay answers.
    after = Answers.of(here.answer, probabilities, evidence.rows)
    score = _brier(after, evidence)
    pair = _pair(score, _brier(here, evidence))
    return Refit(
        fitted=fitted,
        before=here,
        after=after,
        score=score,
        change=mean_finding(CAL008, evidence, pair, rows=here.valid).difference,
    )


def temperature_finding(evidence: Evidence, refitted: Refits) -> Finding:
    """CAL008."""
    scores = {
        who: refit.score if isinstance(refit, Refit) else refit for who, refit in refitted.items()
    }
    student = refitted["student"]
    note = _sentence(student, evidence) if isinstance(student, Refit) else ""
    return mean_finding(CAL008, evidence, scores, note=note)


def temperature_figure(evidence: Evidence, refitted: Refits, smallest: float) -> Figure:
    """Every subject's temperature, and what it does to the audited rows."""
    marks = [
        (who, *_mark(refit, evidence, smallest))
        for who, refit in refitted.items()
        if isinstance(refit, Refit) and refit.before.valid.any()
    ]
    return Figure(
        name="temperature",
        chart="table",
        title="One temperature fitted on the validation split, and what it does to the audited "
        f"rows that were answered ({evidence.level:.0%} intervals)",
        columns=(
            "subject",
            "temperature",
            "low",
            "high",
            "validation rows",
            "NLL before",
            "NLL after",
            "Brier change",
            "change low",
            "change high",
            "smooth ECE before",
            "smooth ECE after",
        ),
        rows=tuple(marks),
    )


def _mark(refit: Refit, evidence: Evidence, smallest: float) -> tuple[int | float | None, ...]:
    low, high = temperature_interval(refit.fitted, evidence.level)
    versions = (refit.before, refit.after)
    return (
        refit.fitted.value,
        low,
        high if math.isfinite(high) else None,
        refit.fitted.n,
        *(_likelihood(version, evidence, smallest) for version in versions),
        *ends(refit.change),
        *(_smooth_error(version, evidence) for version in versions),
    )


def _sentence(student: Refit, evidence: Evidence) -> str:
    """Whether one temperature repairs the student, as far as the intervals say."""
    fitted = student.fitted
    low, high = temperature_interval(fitted, evidence.level)
    place = ", the end of the search" if fitted.at_bound else f" [{low:.3g}, {high:.3g}]"
    source = f"from {fitted.n:,} validation rows"
    what = f"the student's temperature is {fitted.value:.3g}{place}, {source}"
    change = student.change
    if not isinstance(change, Estimate):
        return what
    if change.low > 0:
        return f"{what}; it makes the audited rows worse: the two splits differ"
    if change.high >= 0:
        return f"{what}; that it helps the audited rows is not shown"
    gaps = gap(top_label(student.after))
    answered = student.before.valid
    left = mean_finding(CAL003, evidence, _pair(gaps, gaps), rows=answered).student
    assert isinstance(left, Estimate)  # `change` rests on the same rows
    ends_of = f"{left.value:+.3g} [{left.low:+.3g}, {left.high:+.3g}]"
    if left.low <= 0 <= left.high:
        return f"{what}; it repairs what is shown: the confidence gap left is {ends_of}"
    return f"{what}; it helps, and does not suffice: a confidence gap of {ends_of} is left"


def _pair(one: Score, other: Score) -> Scores:
    nobody = NotMeasured("two versions of one subject are compared")
    return {"student": one, "teacher": other, "baseline": nobody}


def _brier(subject: Answers, evidence: Evidence) -> Score:
    values = brier(subject.probabilities, evidence.rows.label)
    return Score(values=values, valid=subject.valid, high=2.0)


def _likelihood(subject: Answers, evidence: Evidence, smallest: float) -> float:
    rows = evidence.rows.take(subject.valid)
    values = negative_log_likelihood(subject.probabilities[subject.valid], rows.label, smallest)
    return float(np.average(values, weights=rows.weight))


def _smooth_error(subject: Answers, evidence: Evidence) -> float:
    valid, weight = subject.valid, evidence.rows.weight
    part = None if weight is None else weight[valid]
    return smooth_calibration_error(subject.confidence[valid], subject.correct[valid], part).value
