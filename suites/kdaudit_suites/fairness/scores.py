"""What is contrasted between groups: a score per row and subject, and the rows it counts on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence
from kdaudit.results import Endpoint
from kdaudit.scores import Score, Scores, absence, correctness
from kdaudit_suites.fairness.endpoints import (
    FAI001,
    FAI002,
    FAI003,
    FAI004,
    FAI005,
    FAI006,
    FAI007,
)

NO_FAVOURABLE = "no favourable class is named as `positive` under [data]"
NO_PROBABILITIES = NotMeasured("the subject gives labels only; confidence needs probabilities")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rate:
    """One rate that groups are compared by.

    Attributes:
        endpoint: of its contrast.
        name: as in a table of rates.
        scores: by subject.
        counts: (N,) rows in the rate's denominator.
        of_pair: whether the score compares the student with the teacher, whose own contrast is
            then 0 by definition.
        absent: why it cannot be measured, or None.
    """

    endpoint: Endpoint
    name: str
    scores: Scores
    counts: Bools
    of_pair: bool = False
    absent: str | None = None


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The rates of FAI001 to FAI007, in the order of their codes."""
    everyone = np.ones(len(evidence.rows), dtype=np.bool_)
    favourable = np.isin(evidence.rows.label, evidence.rows.positive)
    chosen, right = selected(evidence), correctness(evidence, PREDICTIONS)
    unnamed = None if evidence.rows.positive else NO_FAVOURABLE
    unlabelled = None if evidence.unlabelled is None else evidence.unlabelled.reason
    # Where all answer alike a label changes no difference between them: some labels are enough.
    blind = unlabelled if evidence.rows.labelled is None else None
    by_label = unnamed or unlabelled
    return (
        Rate(
            endpoint=FAI001,
            name="selection rate",
            scores=chosen,
            counts=everyone,
            absent=unnamed,
        ),
        Rate(
            endpoint=FAI002,
            name="true-positive rate",
            scores=chosen,
            counts=favourable,
            absent=by_label,
        ),
        Rate(
            endpoint=FAI003,
            name="false-positive rate",
            scores=chosen,
            counts=~favourable,
            absent=by_label,
        ),
        Rate(endpoint=FAI004, name="accuracy", scores=right, counts=everyone, absent=blind),
        Rate(
            endpoint=FAI005,
            name="fidelity",
            scores=_of_pair(evidence, "faithful"),
            counts=everyone,
            of_pair=True,
        ),
        Rate(
            endpoint=FAI006,
            name="confidence gap",
            scores=_gap(evidence),
            counts=everyone,
            absent=unlabelled,
        ),
        Rate(
            endpoint=FAI007,
            name="negative flips",
            scores=_of_pair(evidence, "flipped"),
            counts=everyone,
            of_pair=True,
            absent=blind,
        ),
    )


def selected(evidence: Evidence) -> Scores:
    """Whether each subject answers with a favourable class."""
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = evidence[PREDICTIONS].of(who)
        if isinstance(kind, Predictions):
            favourable = np.isin(kind.answer, evidence.rows.positive)
            scores[who] = Score(values=favourable, valid=kind.valid)
        else:
            scores[who] = absence(kind)
    return scores


def _of_pair(evidence: Evidence, what: Literal["faithful", "flipped"]) -> Scores:
    """Answered as the teacher, or wrong where the teacher is right; the teacher against itself."""
    teacher, label = evidence[PREDICTIONS].teacher, evidence.rows.label
    labelled = evidence.rows.labelled
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = evidence[PREDICTIONS].of(who)
        if isinstance(kind, Predictions) and isinstance(teacher, Predictions):
            same, both = kind.answer == teacher.answer, kind.valid & teacher.valid
            if what == "flipped":
                # Who answers as the teacher does flips nothing, whatever the label is.
                flipped = (teacher.answer == label) & (kind.answer != label)
                told = both if labelled is None else both & (same | labelled)
                scores[who] = Score(values=flipped, valid=told)
            else:
                scores[who] = Score(values=same, valid=both)
        else:
            scores[who] = absence(kind if not isinstance(kind, Predictions) else teacher)
    return scores


def _gap(evidence: Evidence) -> Scores:
    """Confidence minus correctness: above zero is over-confidence."""
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = evidence[PREDICTIONS].of(who)
        if not isinstance(kind, Predictions):
            scores[who] = absence(kind)
        elif kind.probabilities is None:
            scores[who] = NO_PROBABILITIES
        else:
            gap = np.where(kind.valid, kind.confidence, 0.5) - (kind.answer == evidence.rows.label)
            scores[who] = Score(values=gap, valid=kind.valid, low=-1.0, high=1.0)
    return scores
