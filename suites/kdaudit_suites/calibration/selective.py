"""Risk and coverage: does confidence rank right answers above wrong ones? (CAL007)."""

import math
from collections.abc import Mapping

import numpy as np

from kdaudit.basis import Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence
from kdaudit.measure import ends, mean_finding, not_measured
from kdaudit.results import Figure, Finding
from kdaudit.scores import Score
from kdaudit.stats.selective import (
    RiskCoverage,
    area_under_risk_coverage,
    generalized_risk_influence,
    risk_coverage,
)
from kdaudit_suites.calibration.answered import Answered
from kdaudit_suites.calibration.answers import Answers, Subjects
from kdaudit_suites.calibration.endpoints import CAL007

POINTS = 100


def selective_finding(
    evidence: Evidence, subjects: Subjects, shown: Mapping[Subject, Answered]
) -> Finding:
    """CAL007: its rows are shares in a statistic of pairs, so no worst case stands for one."""
    missing = sum(s.missing for s in subjects.values() if isinstance(s, Answers))
    if missing:
        reason = f"{missing} answers are missing or invalid; no worst case stands for them"
        return not_measured(CAL007, (), reason)
    scores: dict[Subject, Score | NotMeasured] = {}
    for who, subject in subjects.items():
        if isinstance(subject, NotMeasured):
            scores[who] = subject
        else:
            right = subject.correct.astype(np.float64)
            shares = generalized_risk_influence(shown[who].by_confidence, right)
            scores[who] = Score(values=shares, valid=subject.valid)
    return mean_finding(CAL007, evidence, scores)


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
