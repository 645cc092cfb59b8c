"""How often the student answers as the teacher does, where the teacher is right and wrong."""

from dataclasses import replace

from kdaudit.estimate import Estimate
from kdaudit.evidence.kinds import Bools, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence
from kdaudit.measure import counted, mean_finding, not_measured
from kdaudit.results import Endpoint, Finding, Where
from kdaudit.scores import Score, Scores, absence


def same_answers(student: Predictions, teacher: Predictions) -> Bools:
    """(N,) rows both answer, and alike."""
    same: Bools = (student.answer == teacher.answer) & student.valid & teacher.valid
    return same


def agreement(endpoint: Endpoint, evidence: Evidence, right: Scores | None) -> list[Finding]:
    """Agreement over all rows and, where there are labels, by whether the teacher is right.

    The teacher agrees with itself everywhere; against it, disagreement is what ``margin`` holds.
    """
    trio = evidence[PREDICTIONS]
    teacher = trio.teacher
    if not isinstance(teacher, Predictions):
        return [not_measured(endpoint, (), absence(teacher).reason)]
    scores: Scores = {
        who: Score(values=same_answers(kind, teacher), valid=kind.valid & teacher.valid)
        if isinstance(kind := trio.of(who), Predictions)
        else absence(kind)
        for who in ("student", "teacher", "baseline")
    }
    found = [_by_definition(mean_finding(endpoint, evidence, scores))]
    of_teacher = None if right is None else right["teacher"]
    if isinstance(of_teacher, Score):
        is_right, missing = of_teacher.values.astype(bool), ~of_teacher.valid
        # A teacher's answer left out counts on both sides, as one the student does not share.
        for name, rows in (("right", is_right | missing), ("wrong", ~is_right | missing)):
            where: Where = (("teacher", name),)
            one = mean_finding(endpoint, evidence, scores, where=where, rows=rows)
            found.append(_by_definition(one))
    return found


def _by_definition(finding: Finding) -> Finding:
    """The finding with the teacher's agreement as what it is: no measurement."""
    if not isinstance(finding.teacher, Estimate):
        return finding
    return replace(finding, teacher=counted(1.0, finding.teacher.n, "by definition"))
