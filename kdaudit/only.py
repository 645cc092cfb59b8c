"""``--only teacher``: what every suite has to say of the teacher alone, before there is a student.

A suite is asked twice: about the teacher in the student's place with nobody to compare it with,
which says what it can measure of one model; and about the teacher paired with itself, which gives
those findings a basis. What only a pair has, such as a flip or a speed-up, is not measured: a
teacher that is compared with itself would meet every limit on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from kdaudit.contract import NEEDS_A_STUDENT
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.view import Evidence, Trio
from kdaudit.results import Finding, Need, SuiteResult


def teacher_alone(
    ask: Callable[[Evidence], SuiteResult], evidence: Evidence, needs: Sequence[Need]
) -> SuiteResult:
    """A suite's result for the teacher alone; the student's place holds the teacher.

    Args:
        ask: runs the suite.
        evidence: with the teacher's evidence in the teacher's place.
        needs: what the suite reads.
    """
    alone = ask(_recast(evidence, compared=False))
    if alone.error is not None:
        return alone
    itself = ask(_recast(evidence, compared=True))
    if itself.error is not None:
        return itself
    paired = {finding.address: finding for finding in itself.findings}
    # Two models are timed and weighed together, or not at all.
    of_pair = {need.kind for need in needs if not need.optional} == {"timings"}
    found = (
        _of_one(finding, paired.get(finding.address), of_pair=of_pair) for finding in alone.findings
    )
    # Pictures and notes name a student; there is none.
    return replace(alone, findings=tuple(found), figures=(), notes=())


def _of_one(finding: Finding, paired: Finding | None, *, of_pair: bool) -> Finding:
    own, basis = finding.student, finding.basis
    if isinstance(own, NotMeasured) and of_pair:
        own = basis = NEEDS_A_STUDENT
    if isinstance(own, Estimate) and isinstance(basis, NotMeasured) and paired is not None:
        basis = paired.basis
    return replace(
        finding,
        student=own,
        teacher=own,
        baseline=NEEDS_A_STUDENT,
        difference=NEEDS_A_STUDENT,
        basis=basis,
    )


def _recast(evidence: Evidence, *, compared: bool) -> Evidence:
    """The same evidence with the teacher in the student's place."""

    def solo(trio: Trio) -> Trio:
        reference = trio.teacher if compared else NEEDS_A_STUDENT
        return Trio(student=trio.teacher, teacher=reference, baseline=NEEDS_A_STUDENT)

    def part(view: Evidence | None) -> Evidence | None:
        return None if view is None else _recast(view, compared=compared)

    return replace(
        evidence,
        kinds={need: solo(trio) for need, trio in evidence.kinds.items()},
        outside=part(evidence.outside),
        validation=part(evidence.validation),
        protected=part(evidence.protected),
        prices=None if evidence.prices is None else evidence.prices.of_teacher_alone(),
    )
