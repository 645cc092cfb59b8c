"""Shares of rows beside a suite's findings: what its tables tell, and what its labels rest on."""

import numpy as np

from kdaudit.estimate import Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools
from kdaudit.evidence.view import Evidence
from kdaudit.measure import mean_finding
from kdaudit.results import Better, Endpoint, Finding
from kdaudit.scores import Score, Scores

SHARE = Endpoint(code="share", metric="share", unit="share of rows", better=Better.LOWER)
OF_PAIR = NotMeasured("of the pair")


def compared(
    evidence: Evidence, student: Bools, teacher: Bools, rows: Bools | None = None
) -> Finding:
    """The share of rows in which each of the two does something, and the difference.

    Args:
        evidence: for weights, clusters and level.
        student: (N,) the student, or whoever is in its place.
        teacher: (N,) the other.
        rows: (N,) which rows, or None for all.
    """
    every = np.ones(len(student), dtype=np.bool_)
    scores: Scores = {
        "student": Score(values=student, valid=every),
        "teacher": Score(values=teacher, valid=every),
        "baseline": OF_PAIR,
    }
    return mean_finding(SHARE, evidence, scores, rows=rows)


def share(evidence: Evidence, hits: Bools, rows: Bools | None = None) -> Measurement:
    """The share of rows that are hits, with its own interval; arguments as of `compared`."""
    return compared(evidence, hits, hits, rows).student
