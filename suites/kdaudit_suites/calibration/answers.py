"""What calibration looks at: each subject's probabilities, its confidence, and what was right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence, Rows
from kdaudit.scores import Score, Scores, absence
from kdaudit_suites.calibration.endpoints import NO_PROBABILITIES


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """One subject's answers on N rows.

    Attributes:
        answer: (N,) class index, -1 where there is none.
        probabilities: (N, C) each row sums to 1; all classes alike where no answer was given.
        confidence: (N,) probability of the answer that was given, in [0, 1]; 0 where none was.
        correct: (N,) whether the answer is the label.
    """

    answer: Ints
    probabilities: Floats
    confidence: Floats
    correct: Bools

    @property
    def valid(self) -> Bools:
        """(N,) whether there is an answer."""
        return self.answer >= 0

    @property
    def missing(self) -> int:
        """Rows without an answer."""
        return int(np.count_nonzero(~self.valid))

    @classmethod
    def of(cls, answer: Ints, probabilities: Floats, rows: Rows) -> "Answers":
        """Answers and the probabilities behind them."""
        valid = answer >= 0
        picked = probabilities[np.arange(len(answer)), np.maximum(answer, 0)]
        return cls(
            answer=answer,
            probabilities=probabilities,
            # Rows that sum to one within rounding may hold a number just above it.
            confidence=np.where(valid, np.minimum(picked, 1.0), 0.0),
            correct=valid & (answer == rows.label),
        )


Subjects = Mapping[Subject, Answers | NotMeasured]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claims:
    """What one subject says of an event on N rows, and whether it happened.

    Attributes:
        claimed: (N,) probability of the event; 0 where no answer was given.
        happened: (N,) whether it happened.
        valid: (N,) whether there is an answer.
    """

    claimed: Floats
    happened: Bools
    valid: Bools


def subjects_of(evidence: Evidence) -> Subjects:
    """Each subject's answers, or why it has none with probabilities."""
    return {who: _answers(evidence[PREDICTIONS].of(who), evidence.rows) for who in ORDER}


def _answers(kind: object, rows: Rows) -> Answers | NotMeasured:
    if not isinstance(kind, Predictions):
        return absence(kind)
    if kind.probabilities is None:
        return NotMeasured(NO_PROBABILITIES)
    valid, probabilities = kind.valid, kind.probabilities
    if not valid.all():
        probabilities = np.where(valid[:, None], probabilities, 1 / len(rows.classes))
    return Answers.of(kind.answer, probabilities, rows)


def scores_of(subjects: Subjects, score: Callable[[Answers], Score]) -> Scores:
    """The same score of every subject that has answers."""
    return {
        who: score(subject) if isinstance(subject, Answers) else subject
        for who, subject in subjects.items()
    }


def top_label(subject: Answers) -> Claims:
    """Being right, claimed with the confidence of the answer."""
    return Claims(claimed=subject.confidence, happened=subject.correct, valid=subject.valid)


def favourable(subject: Answers, rows: Rows) -> Claims:
    """The favourable classes, claimed with their summed probability."""
    claimed = subject.probabilities[:, list(rows.positive)].sum(axis=1)
    return Claims(
        claimed=np.where(subject.valid, np.minimum(claimed, 1.0), 0.0),
        happened=np.isin(rows.label, rows.positive),
        valid=subject.valid,
    )


def gap(claims: Claims) -> Score:
    """What was claimed less what happened, in [-1, 1]: its mean is the signed gap."""
    return Score(values=claims.claimed - claims.happened, valid=claims.valid, low=-1.0, high=1.0)
