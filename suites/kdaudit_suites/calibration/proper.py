"""Proper scores of whole distributions: Brier and likelihood (CAL001, CAL002)."""

from dataclasses import replace

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import Evidence
from kdaudit.measure import mean_finding
from kdaudit.results import Finding
from kdaudit.scores import Score
from kdaudit.stats.brier import brier
from kdaudit.stats.likelihood import negative_log_likelihood
from kdaudit_suites.calibration.answers import Answers, Subjects, scores_of
from kdaudit_suites.calibration.endpoints import CAL001, CAL002

NLL_ROWS = 1000
SMALLEST = 1e-12


def brier_finding(evidence: Evidence, subjects: Subjects) -> Finding:
    """CAL001."""

    def score(subject: Answers) -> Score:
        values = brier(subject.probabilities, evidence.rows.label)
        return Score(values=values, valid=subject.valid, high=2.0)

    return mean_finding(CAL001, evidence, scores_of(subjects, score))


def likelihood_finding(evidence: Evidence, subjects: Subjects, clip: float | None) -> Finding:
    """CAL002; for display only on few rows or without a declared clip."""
    smallest = clip or SMALLEST

    def score(subject: Answers) -> Score:
        values = negative_log_likelihood(subject.probabilities, evidence.rows.label, smallest)
        return Score(values=values, valid=subject.valid, high=float(-np.log(smallest)))

    finding = mean_finding(CAL002, evidence, scores_of(subjects, score))
    reasons = []
    if len(evidence.rows) < NLL_ROWS:
        reasons.append(f"{len(evidence.rows)} rows are fewer than {NLL_ROWS:,}")
    if clip is None:
        reasons.append("no clip is declared under [suites.calibration]")
    if reasons and not isinstance(finding.basis, NotMeasured):
        shown = f"for display only: {' and '.join(reasons)}, and one answer could decide it"
        return replace(finding, basis=NotMeasured(shown), note=shown)
    return finding
