"""Scores: what suites of additive scores say of each row, and what stands where there is none.

A missing or invalid answer scores worst for the student and best for its references wherever the
endpoint has a worst; a contrast has none, so there it stands at the centre of its range.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Predictions
from kdaudit.evidence.partly_labelled import alike
from kdaudit.evidence.view import Evidence
from kdaudit.results import Better, Need


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """One subject's additive score on N rows.

    Attributes:
        values: (N,) bool for 0/1 scores, else float; whatever stands where ``valid`` is False is
            not looked at.
        valid: (N,) whether the subject gave an answer that can be scored.
        low: least possible score.
        high: greatest possible score.
        span: how far one row's score can move; None for from ``low`` to ``high``.
        own_known: whether the mean is the subject's; else only its difference from another's is,
            since rows hold one value for all whose own one is not known.
    """

    values: Bools | Floats
    valid: Bools
    low: float = 0.0
    high: float = 1.0
    span: float | None = None
    own_known: bool = True

    @property
    def reach(self) -> float:
        """How far one row's score can move."""
        return self.high - self.low if self.span is None else self.span

    def right(self, *, missing: bool) -> Bools:
        """(N,) of 0/1 scores which are 1; an answer that is not there counts as ``missing``."""
        return np.where(self.valid, self.values, missing).astype(np.bool_)


Scores = Mapping[Subject, Score | NotMeasured]


def correctness(evidence: Evidence, need: Need) -> Scores:
    """Whether each subject's answer is the label, on the rows it answered.

    Where a row has no label, all who answer alike are right or wrong alike: no difference changes.
    Whoever answers otherwise there counts as if it had given no answer: the student as wrong, its
    references as right.
    """
    trio, labelled = evidence[need], evidence.rows.labelled
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = trio.of(who)
        if not isinstance(kind, Predictions):
            scores[who] = absence(kind)
            continue
        right, valid = kind.answer == evidence.rows.label, kind.valid
        if labelled is not None:
            same = alike(trio)
            right, valid = right | (same & ~labelled), valid & (labelled | same)
        scores[who] = Score(values=right, valid=valid, own_known=labelled is None)
    return scores


def absence(kind: object) -> NotMeasured:
    """Why a subject has no evidence of the kind that was asked for."""
    return kind if isinstance(kind, NotMeasured) else NotMeasured("another kind of evidence")


def filled(score: Score, better: Better, *, student: bool) -> Bools | Floats:
    """(N,) scores, the worst of the student and the best of others where there is none."""
    if better is Better.ZERO:
        return centred(score).astype(np.float64)
    worst = score.low if better is Better.HIGHER else score.high
    best = score.high if better is Better.HIGHER else score.low
    values = np.where(score.valid, score.values, worst if student else best)
    if score.values.dtype == np.bool_:
        return values.astype(np.bool_)
    return values.astype(np.float64)


def centred(score: Score) -> Bools | Floats:
    """(N,) scores, the centre of their range where there is none; 0/1 where none is missing."""
    if score.valid.all():
        return score.values
    return np.where(score.valid, score.values, (score.low + score.high) / 2).astype(np.float64)
