"""Recall and precision of each class."""

import numpy as np

from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence
from kdaudit.measure import ends, mean_findings
from kdaudit.results import Better, Endpoint, Figure
from kdaudit.scores import Scores

SHARE = Endpoint(code="class", metric="share", unit="share of rows", better=Better.HIGHER)


def by_class(evidence: Evidence, scores: Scores) -> tuple[Figure, ...]:
    """A table of classes: recall among its rows, precision among the answers that name it."""
    rows, trio = evidence.rows, evidence[PREDICTIONS]
    student, teacher = trio.student, trio.teacher
    if not (isinstance(student, Predictions) and isinstance(teacher, Predictions)):
        return ()
    wheres = tuple((("label", name),) for name in rows.classes)
    recall = mean_findings(SHARE, evidence, scores, codes=rows.label, wheres=wheres)
    by_student = mean_findings(SHARE, evidence, scores, codes=student.answer, wheres=wheres)
    by_teacher = mean_findings(SHARE, evidence, scores, codes=teacher.answer, wheres=wheres)
    count = np.bincount(rows.label, minlength=len(wheres))
    answered = [
        np.bincount(kind.answer[kind.valid], minlength=len(wheres)) for kind in (teacher, student)
    ]
    return (
        Figure(
            name="classes",
            chart="table",
            title=f"Recall and precision by class ({evidence.level:.0%} intervals, each by itself)",
            columns=(
                "class",
                "rows",
                *(f"teacher recall{end}" for end in ENDS),
                *(f"student recall{end}" for end in ENDS),
                "teacher answers",
                *(f"teacher precision{end}" for end in ENDS),
                "student answers",
                *(f"student precision{end}" for end in ENDS),
            ),
            rows=tuple(
                (
                    name,
                    int(count[i]),
                    *ends(recall[i].teacher),
                    *ends(recall[i].student),
                    int(answered[0][i]),
                    *ends(by_teacher[i].teacher),
                    int(answered[1][i]),
                    *ends(by_student[i].student),
                )
                for i, name in enumerate(rows.classes)
            ),
        ),
    )


ENDS = ("", " low", " high")
