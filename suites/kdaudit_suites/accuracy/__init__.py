"""Accuracy: is the student right as often as its teacher, and where the teacher is right?

A student can keep the teacher's accuracy and still be wrong on rows that the teacher gets right:
those negative flips are what users of the teacher notice. And a student that does not answer at all
is not accurate on what it leaves out.

Findings
    ACC001  accuracy: share of rows whose answer is the label (higher is better)
    ACC002  negative flips: share of rows the teacher gets right and the student wrong (lower);
            ``ACC002[reference=baseline]`` counts them against the previous release
    ACC003  invalid or missing answers: share of the rows, counted (lower); every audit has the
            blocking check ``at_most = 0.001``

Options
    none

Source
    Tango 1998 (score interval of a paired difference); Wilson 1927; Newcombe 1998 (method 10) and
    McNemar 1947 (exact and mid-p) as second opinions in the notes; negative flips: Yan et al. 2021,
    "Positive-congruent training".

Limits
    A missing or invalid answer counts as wrong for the student and as right for its references.
    Without independent labels nothing here means anything: labels equal to the teacher's answers
    on every row are not evaluable. Out-of-scope rows are left to HAL.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Predictions
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.measure import (
    Score,
    Scores,
    absence,
    correctness,
    counted,
    mean_finding,
    not_measured,
    result,
    share_of_rows,
)
from kdaudit.results import Better, Endpoint, Figure, Finding, Fixed, Need, SuiteResult, Table
from kdaudit.stats.paired_table import mcnemar_exact, mcnemar_mid_p, newcombe_interval

ACC001 = Endpoint(code="ACC001", metric="accuracy", unit="share of rows", better=Better.HIGHER)
ACC002 = Endpoint(
    code="ACC002",
    metric="negative flips",
    unit="share of rows",
    better=Better.LOWER,
    keys=("reference",),
    whole=True,
)
ACC003 = Endpoint(
    code="ACC003", metric="invalid or missing answers", unit="share of rows", better=Better.LOWER
)

PREDICTIONS = Need(kind="predictions")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The suite; it has no options."""

    name: ClassVar[str] = "accuracy"
    codes: ClassVar[tuple[Endpoint, ...]] = (ACC001, ACC002, ACC003)

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split."""
        return (PREDICTIONS,)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        del streams  # every interval here is analytic
        invalid = _invalid(evidence)
        if evidence.unlabelled is not None:
            reason = evidence.unlabelled.reason
            absent = [not_measured(endpoint, (), reason) for endpoint in (ACC001, ACC002)]
            return result(self, [invalid, *absent])
        scores = correctness(evidence, PREDICTIONS)
        accuracy = mean_finding(ACC001, evidence, scores)
        findings = [invalid, accuracy, *_flips(evidence, scores)]
        notes = []
        if isinstance(accuracy.basis, Table):
            notes.append(_second_opinion(accuracy.basis, evidence.level))
        return result(self, findings, _matrix(scores), notes)


def _invalid(evidence: Evidence) -> Finding:
    """Missing and invalid answers over all rows, in and out of scope: counted, not estimated."""
    views = [view for view in (evidence, evidence.outside) if view is not None]
    bad: dict[Subject, int | NotMeasured] = {}
    for who in ORDER:
        parts = [view[PREDICTIONS].of(who) for view in views]
        present = [part for part in parts if isinstance(part, Predictions)]
        bad[who] = (
            sum(int((~part.valid).sum()) for part in present)
            if len(present) == len(parts)
            else absence(parts[0])
        )
    total = sum(len(view.rows) for view in views)
    student, teacher, baseline = (
        count if isinstance(count, NotMeasured) else counted(count / total, total)
        for count in bad.values()
    )
    return Finding(
        code=ACC003.code,
        metric=ACC003.metric,
        unit=ACC003.unit,
        better=ACC003.better,
        student=student,
        teacher=teacher,
        baseline=baseline,
        difference=NotMeasured("answers that a reference leaves out excuse none of the student's"),
        basis=student if isinstance(student, NotMeasured) else Fixed(level=1.0),
    )


def _flips(evidence: Evidence, scores: Scores) -> list[Finding]:
    student = scores["student"]
    findings = []
    references: tuple[tuple[Subject, tuple[tuple[str, str], ...]], ...] = (
        ("teacher", ()),
        ("baseline", (("reference", "baseline"),)),
    )
    for who, where in references:
        reference = scores[who]
        if isinstance(student, NotMeasured):
            findings.append(not_measured(ACC002, where, student.reason))
        elif isinstance(reference, NotMeasured):
            if who == "teacher":
                findings.append(not_measured(ACC002, where, reference.reason))
        else:
            flips = _right(reference, missing=True) & ~_right(student, missing=False)
            findings.append(
                share_of_rows(ACC002, evidence, flips, where, of_pair="a flip is of the pair")
            )
    return findings


def _right(score: Score, *, missing: bool) -> Bools:
    return np.where(score.valid, score.values, missing).astype(np.bool_)


def _second_opinion(table: Table, level: float) -> str:
    low, high = newcombe_interval(table.n11, table.n10, table.n01, table.n00, level)
    return (
        f"Rows right for the student only: {table.n10}; for the teacher only: {table.n01}. McNemar "
        f"exact p = {mcnemar_exact(table.n10, table.n01):.3g}, mid-p = "
        f"{mcnemar_mid_p(table.n10, table.n01):.3g} (two-sided, any difference). Newcombe's "
        f"interval of the difference at {level:.0%}: {low:.4f} to {high:.4f}."
    )


def _matrix(scores: Scores) -> tuple[Figure, ...]:
    student, teacher = scores["student"], scores["teacher"]
    if isinstance(student, NotMeasured) or isinstance(teacher, NotMeasured):
        return ()
    down, across = _right(teacher, missing=True), _right(student, missing=False)
    return (
        Figure(
            name="flips",
            chart="matrix",
            title="Rows by who is right: the teacher (down) and the student (across)",
            columns=("row", "column", "count"),
            rows=tuple(
                (
                    f"teacher {'right' if of_teacher else 'wrong'}",
                    f"student {'right' if of_student else 'wrong'}",
                    int(np.count_nonzero((down == of_teacher) & (across == of_student))),
                )
                for of_teacher in (True, False)
                for of_student in (True, False)
            ),
        ),
    )
