"""Hallucination of classifiers: does the student claim to know what it does not?

A classifier hallucinates when it answers a row it should have left alone: with a wrong class, or
with any class for a row that belongs to none. Distilled students learn to answer where the teacher
abstained. A student that guesses more raises both the incorrect and the correct rate, so read them
together.

Findings
    HAL001  incorrect rate: in-scope rows answered with a wrong class (lower is better)
    HAL002  correct rate: in-scope rows answered with the right class (higher)
    HAL003  out-of-scope claims: share of out-of-scope rows that are answered at all (lower)

Options
    abstain_below  a row is not attempted when its confidence is below this (default 0.5)

Source
    Correct, incorrect, not attempted: the three outcomes of SimpleQA (Wei et al. 2024). Tango 1998
    for the paired differences.

Limits
    Abstention is by confidence, or by answering the out-of-scope label itself; a subject that gives
    labels only never abstains otherwise. With two classes confidence is never below 0.5: raise
    ``abstain_below`` to let it abstain. Without ``out_of_scope`` under ``[data]`` HAL003 is not
    measured. A missing answer counts as a claim, and as incorrect, for the student.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Ints, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence, Streams
from kdaudit.measure import Score, Scores, absence, mean_finding, not_measured, result
from kdaudit.results import Better, Endpoint, Figure, Finding, Need, SuiteResult

HAL001 = Endpoint(code="HAL001", metric="incorrect rate", unit="share of rows", better=Better.LOWER)
HAL002 = Endpoint(code="HAL002", metric="correct rate", unit="share of rows", better=Better.HIGHER)
HAL003 = Endpoint(
    code="HAL003",
    metric="out-of-scope claims",
    unit="share of out-of-scope rows",
    better=Better.LOWER,
)

STATES = ("correct", "incorrect", "not attempted")


@dataclass(frozen=True, slots=True)
class Hallucination:
    """The suite and its options."""

    abstain_below: float = 0.5

    name: ClassVar[str] = "hallucination"
    codes: ClassVar[tuple[Endpoint, ...]] = (HAL001, HAL002, HAL003)

    def __post_init__(self) -> None:
        if not 0 <= self.abstain_below <= 1:
            raise ValueError(f"abstain_below is a probability, got {self.abstain_below}")

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split."""
        return (PREDICTIONS,)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        del streams  # every interval here is analytic
        claims = self._outside(evidence)
        if evidence.unlabelled is not None:
            reason = evidence.unlabelled.reason
            absent = [not_measured(endpoint, (), reason) for endpoint in (HAL001, HAL002)]
            return result(self, [*absent, claims])
        states = {who: self._states(evidence, who) for who in ORDER}
        findings = [
            mean_finding(HAL001, evidence, _are(states, 1)),
            mean_finding(HAL002, evidence, _are(states, 0)),
            claims,
        ]
        return result(self, findings, _matrix(states))

    def _attempted(self, subject: Predictions, rejecting: tuple[int, ...]) -> Bools:
        claimed = subject.valid & ~np.isin(subject.answer, rejecting)
        if subject.probabilities is None:
            return claimed
        with np.errstate(invalid="ignore"):
            return claimed & (subject.confidence >= self.abstain_below)

    def _states(self, evidence: Evidence, who: Subject) -> "tuple[Ints, Bools] | NotMeasured":
        """(N,) 0 correct, 1 incorrect, 2 not attempted; and which rows are valid."""
        subject = evidence[PREDICTIONS].of(who)
        if not isinstance(subject, Predictions):
            return absence(subject)
        right = subject.answer == evidence.rows.label
        states = np.where(
            self._attempted(subject, evidence.rows.rejecting), np.where(right, 0, 1), 2
        )
        return states.astype(np.int64), subject.valid

    def _outside(self, evidence: Evidence) -> Finding:
        if evidence.outside is None:
            return not_measured(
                HAL003, (), "no out-of-scope rows: name their label as `out_of_scope` under [data]"
            )
        scores: dict[Subject, Score | NotMeasured] = {}
        for who in ORDER:
            subject = evidence.outside[PREDICTIONS].of(who)
            if isinstance(subject, Predictions):
                scores[who] = Score(
                    values=self._attempted(subject, evidence.rows.rejecting), valid=subject.valid
                )
            else:
                scores[who] = absence(subject)
        return mean_finding(HAL003, evidence.outside, scores)


def _are(states: "dict[Subject, tuple[Ints, Bools] | NotMeasured]", wanted: int) -> Scores:
    return {
        who: state
        if isinstance(state, NotMeasured)
        else Score(values=state[0] == wanted, valid=state[1])
        for who, state in states.items()
    }


def _matrix(states: "dict[Subject, tuple[Ints, Bools] | NotMeasured]") -> tuple[Figure, ...]:
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
