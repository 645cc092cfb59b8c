"""Risk and coverage: does confidence rank right answers above wrong ones? (CAL007)."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kdaudit.basis import Subject, own
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence
from kdaudit.measure import ends, finding_of, mean_finding
from kdaudit.results import Figure, Finding, Means
from kdaudit.scores import Score
from kdaudit.stats.levels import levels
from kdaudit.stats.selective import (
    RiskCoverage,
    area_under_risk_coverage,
    generalized_risk_influence,
    risk_coverage,
)
from kdaudit_suites.calibration.answered import Answered
from kdaudit_suites.calibration.answers import Subjects
from kdaudit_suites.calibration.endpoints import CAL007

POINTS = 100


def selective_finding(
    evidence: Evidence, subjects: Subjects, shown: Mapping[Subject, Answered]
) -> Finding:
    """CAL007: a missing answer is wrong and the surest of all of the student's, right of others'.

    It then enters every pair of rows, so putting it in moves the area by its share of the rows at
    most, and the shares of all rows likewise.
    """
    scores: dict[Subject, Score | NotMeasured] = {}
    lost: list[float] = []
    for who, subject in subjects.items():
        if isinstance(subject, NotMeasured):
            scores[who] = subject
            continue
        valid, every = subject.valid, np.ones(len(subject.answer), dtype=np.bool_)
        right = np.where(valid, subject.correct, who != "student").astype(np.float64)
        order = shown[who].by_confidence if who in shown else None
        if order is None or not valid.all():
            surest = np.where(valid, subject.confidence, 2.0)
            order = levels(surest, right, evidence.rows.weight)
        shares = generalized_risk_influence(order, right)
        # The area ends at one half; one row of it moves it by up to its share of the rows.
        scores[who] = Score(values=shares, valid=every, low=0.0, high=0.5, span=1.0)
        weight = every if evidence.rows.weight is None else evidence.rows.weight
        lost.append(2 * float(np.average(~valid, weights=weight)))
    found = mean_finding(CAL007, evidence, scores)
    if not any(lost) or not isinstance(found.basis, Means):
        return found
    filled = replace(found.basis, filled=tuple(lost[: len(found.basis.mean)]))
    return replace(
        finding_of(CAL007, evidence, filled),
        baseline=absent
        if isinstance(absent := scores["baseline"], NotMeasured)
        else own(filled, "baseline", evidence.level),
    )


def selective_figures(shown: Mapping[Subject, Answered], finding: Finding) -> tuple[Figure, Figure]:
    """The curves, and the areas under them.

    Args:
        shown: the subjects on the rows they answered.
        finding: CAL007.
    """
    curves = {who: risk_coverage(one.by_confidence) for who, one in shown.items()}
    areas = {"student": finding.student, "teacher": finding.teacher, "baseline": finding.baseline}
    return (
        Figure(
            name="risk-coverage",
            chart="curve",
            title="Share of wrong answers (up) where only the most confident share of rows "
            "(right) is answered",
            columns=("series", "x", "y"),
            rows=tuple(mark for who, curve in curves.items() for mark in _thinned(who, curve)),
        ),
        Figure(
            name="selective-risk",
            chart="table",
            title="Risk at full coverage, and areas under the risk-coverage curve (AURC: shown, "
            "never checked) and under the generalized one (AUGRC: CAL007)",
            columns=("subject", "rows answered", "risk", "AURC", "AUGRC", "low", "high"),
            rows=tuple(
                (
                    who,
                    len(shown[who].label),
                    float(curve.risk[-1]),
                    area_under_risk_coverage(curve),
                    *ends(areas[who]),
                )
                for who, curve in curves.items()
            ),
        ),
    )


def _thinned(who: str, curve: RiskCoverage) -> list[tuple[str, float, float]]:
    """At most a hundred marks, at the first distinct confidence that reaches each percent."""
    share = np.arange(1, POINTS + 1) / POINTS
    reached = np.searchsorted(curve.coverage, share - math.ulp(1.0))
    kept = np.unique(np.minimum(reached, curve.coverage.size - 1))
    return [(who, float(curve.coverage[k]), float(curve.risk[k])) for k in kept]
