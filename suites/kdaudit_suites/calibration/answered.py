"""The rows a subject answered: what tables and pictures are made of."""

from dataclasses import dataclass

from kdaudit.basis import Subject
from kdaudit.evidence.kinds import Bools, Floats, Ints
from kdaudit.evidence.view import Rows
from kdaudit.stats.levels import Levels, levels
from kdaudit_suites.calibration.answers import Answers, Subjects


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """One subject on the M rows it answered.

    Attributes:
        probabilities: (M, C) each row sums to 1.
        confidence: (M,) probability of the answer.
        correct: (M,) whether it is the label.
        label: (M,) class positions, -1 where the label is none of them.
        weight: (M,) or None.
        by_confidence: the same rows by confidence.
    """

    probabilities: Floats
    confidence: Floats
    correct: Bools
    label: Ints
    weight: Floats | None
    by_confidence: Levels


def answered(subjects: Subjects, rows: Rows) -> dict[Subject, Answered]:
    """Each subject on the rows it answered; those without any are left out."""
    found = {
        who: _on_answered_rows(subject, rows)
        for who, subject in subjects.items()
        if isinstance(subject, Answers)
    }
    return {who: one for who, one in found.items() if one is not None}


def _on_answered_rows(subject: Answers, rows: Rows) -> Answered | None:
    kept: Bools | slice = slice(None) if not subject.missing else subject.valid
    confidence, correct = subject.confidence[kept], subject.correct[kept]
    weight = None if rows.weight is None else rows.weight[kept]
    if not (len(confidence) if weight is None else weight.sum()) > 0:
        return None
    return Answered(
        probabilities=subject.probabilities[kept],
        confidence=confidence,
        correct=correct,
        label=rows.label[kept],
        weight=weight,
        by_confidence=levels(confidence, correct, weight),
    )
