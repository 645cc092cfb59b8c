"""Three outcomes of a classifier: it is right, it is wrong, or it leaves the row alone."""

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Ints, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence
from kdaudit.measure import mean_finding, not_measured
from kdaudit.results import Figure, Finding
from kdaudit.scores import Score, Scores, absence
from kdaudit_suites.hallucination.endpoints import HAL001, HAL002, HAL003

STATES = ("correct", "incorrect", "not attempted")
States = dict[Subject, tuple[Ints, Bools] | NotMeasured]


def of_classifiers(
    evidence: Evidence, abstain_below: float
) -> tuple[list[Finding], tuple[Figure, ...]]:
    """What is found in predictions, and its picture."""
    claims = _outside(evidence, abstain_below)
    if evidence.unlabelled is not None:
        reason = evidence.unlabelled.reason
        absent = [not_measured(endpoint, (), reason) for endpoint in (HAL001, HAL002)]
        return [*absent, claims], ()
    states = {who: _states(evidence, who, abstain_below) for who in ORDER}
    findings = [
        mean_finding(HAL001, evidence, _are(states, 1)),
        mean_finding(HAL002, evidence, _are(states, 0)),
        claims,
    ]
    return findings, _matrix(states)


def _attempted(subject: Predictions, rejecting: tuple[int, ...], abstain_below: float) -> Bools:
    claimed = subject.valid & ~np.isin(subject.answer, rejecting)
    if subject.probabilities is None:
        return claimed
    with np.errstate(invalid="ignore"):
        return claimed & (subject.confidence >= abstain_below)


def _states(
    evidence: Evidence, who: Subject, abstain_below: float
) -> tuple[Ints, Bools] | NotMeasured:
    """(N,) 0 correct, 1 incorrect, 2 not attempted; and which rows are valid."""
    subject = evidence[PREDICTIONS].of(who)
    if not isinstance(subject, Predictions):
        return absence(subject)
    right = subject.answer == evidence.rows.label
    attempted = _attempted(subject, evidence.rows.rejecting, abstain_below)
    states = np.where(attempted, np.where(right, 0, 1), 2)
    return states.astype(np.int64), subject.valid


def _outside(evidence: Evidence, abstain_below: float) -> Finding:
    if evidence.outside is None:
        return not_measured(
            HAL003, (), "no out-of-scope rows: name their label as `out_of_scope` under [data]"
        )
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        subject = evidence.outside[PREDICTIONS].of(who)
        if isinstance(subject, Predictions):
            attempted = _attempted(subject, evidence.rows.rejecting, abstain_below)
            scores[who] = Score(values=attempted, valid=subject.valid)
        else:
            scores[who] = absence(subject)
    return mean_finding(HAL003, evidence.outside, scores)


def _are(states: States, wanted: int) -> Scores:
    return {
        who: state
        if isinstance(state, NotMeasured)
        else Score(values=state[0] == wanted, valid=state[1])
        for who, state in states.items()
    }


def _matrix(states: States) -> tuple[Figure, ...]:
    teacher, student = states["teacher"], states["student"]
    if isinstance(teacher, NotMeasured) or isinstance(student, NotMeasured):
        return ()
    counts = np.bincount(teacher[0] * 3 + student[0], minlength=9).reshape(3, 3)
    return (
        Figure(
            name="transfer",
            chart="matrix",
            title="In-scope rows by what the teacher did (down) and the student did (across)",
            columns=("row", "column", "count"),
            rows=tuple(
                (f"teacher {down}", f"student {across}", int(counts[i, j]))
                for i, down in enumerate(STATES)
                for j, across in enumerate(STATES)
            ),
        ),
    )
