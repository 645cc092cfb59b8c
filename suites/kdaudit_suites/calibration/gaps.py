"""Signed gaps: how much more is claimed than happens (CAL003, CAL005), overall, by group, by class.

A gap is a mean of single rows, so it is paired, cluster-robust and cheap in any number of groups.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import chain

from kdaudit.evidence.kinds import Ints
from kdaudit.evidence.view import Evidence, crossed
from kdaudit.measure import ends, mean_finding, mean_findings_over, not_measured
from kdaudit.results import Endpoint, Figure, Finding
from kdaudit.scores import Score, Scores
from kdaudit_suites.calibration.answers import (
    Answers,
    Claims,
    Subjects,
    favourable,
    gap,
    scores_of,
    top_label,
)
from kdaudit_suites.calibration.endpoints import CAL003, CAL005, NO_FAVOURABLE


def confidence_gaps(evidence: Evidence, subjects: Subjects) -> list[Finding]:
    """CAL003, overall and in every group of the slices and sensitive columns."""
    rows = evidence.rows
    scores = scores_of(subjects, lambda subject: gap(top_label(subject)))
    return _gaps(CAL003, evidence, scores, dict.fromkeys([*rows.slices, *rows.sensitive]))


def favourable_gaps(evidence: Evidence, subjects: Subjects) -> list[Finding]:
    """CAL005, overall and in every group of the sensitive columns."""
    rows = evidence.rows
    if not rows.positive:
        return [not_measured(CAL005, (), NO_FAVOURABLE)]
    scores = scores_of(subjects, lambda subject: gap(favourable(subject, rows)))
    return _gaps(CAL005, evidence, scores, rows.sensitive)


def _gaps(
    endpoint: Endpoint, evidence: Evidence, scores: Scores, groups: Iterable[tuple[str, ...]]
) -> list[Finding]:
    crossings = [crossed(evidence.rows, columns) for columns in groups]
    return [
        mean_finding(endpoint, evidence, scores),
        *chain.from_iterable(mean_findings_over(endpoint, evidence, scores, crossings)),
    ]


def classwise_gaps(evidence: Evidence, subjects: Subjects) -> Figure:
    """The signed gap of each class, with intervals that hold for all classes at once.

    Bonferroni over the classes; of two classes one is the other's mirror image, so there the table
    is empty.
    """
    classes = evidence.rows.classes
    strict = replace(evidence, level=1 - (1 - evidence.level) / len(classes))
    marks = []
    for number, name in enumerate(classes if len(classes) > 2 else ()):
        score = partial(_class_gap, label=evidence.rows.label, number=number)
        found = mean_finding(CAL003, strict, scores_of(subjects, score))
        row = (*ends(found.student), *ends(found.teacher), *ends(found.difference))
        marks.append((name, int((evidence.rows.label == number).sum()), *row))
    return Figure(
        name="classwise-gaps",
        chart="table",
        title=f"Mean probability of each class less its frequency, {evidence.level:.0%} intervals "
        f"that hold for all {len(classes)} classes at once (Bonferroni)",
        columns=(
            "class",
            "labelled so",
            "student",
            "low",
            "high",
            "teacher",
            "teacher low",
            "teacher high",
            "difference",
            "difference low",
            "difference high",
        ),
        rows=tuple(marks),
    )


def _class_gap(subject: Answers, label: Ints, number: int) -> Score:
    claimed, happened = subject.probabilities[:, number], label == number
    return gap(Claims(claimed=claimed, happened=happened, valid=subject.valid))
