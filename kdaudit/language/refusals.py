"""Which replies of the audited models refuse: by an installed detector, or by a judge."""

from collections.abc import Mapping

import numpy as np

from kdaudit.basis import Subject
from kdaudit.data.audit_file import GradingTable
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Generations, Grades, Ints, Strings
from kdaudit.evidence.view import REFUSALS, Trio
from kdaudit.grading.grade import UNGRADED
from kdaudit.grading.refusal import RefusalDetector, Reply, read_reply
from kdaudit.registry import GROUPS, load
from kdaudit.results import Need

Written = Mapping[Subject, Generations | NotMeasured]


def refusals_of(texts: Written, grading: GradingTable) -> dict[Need, Trio]:
    """Whether each reply refuses, as suites are given it; nothing where nobody wrote.

    Raises:
        ConfigError: for a detector that is not installed.
    """
    if all(isinstance(one, NotMeasured) for one in texts.values()):
        return {}
    detector: RefusalDetector | None = (
        None if grading.by == "judge" else load(GROUPS.refusals, grading.refusals)()
    )
    graded: dict[Subject, Grades | NotMeasured] = {}
    for who, one in texts.items():
        if isinstance(one, NotMeasured):
            graded[who] = one
        elif detector is None:
            graded[who] = _judged(one, grading)
        else:
            graded[who] = _detected(one, detector, grading.refusals)
    return {
        REFUSALS: Trio(
            student=graded["student"], teacher=graded["teacher"], baseline=graded["baseline"]
        )
    }


def _detected(one: Generations, detector: RefusalDetector, by: str) -> Grades:
    grade = np.full(len(one), UNGRADED, dtype=np.int64)
    for row in np.flatnonzero(one.valid):
        text = str(one.text[row])
        if text.strip() or not one.truncated[row]:  # cut off before it began, it says nothing
            grade[row] = Reply.REFUSES if detector.refuses(text) else Reply.FULFILS
    return Grades(grade=grade, human=_letters(one.human), unread=0, by=f"rule {by}")


def _judged(one: Generations, grading: GradingTable) -> Grades | NotMeasured:
    grade = np.where(one.valid, _letters(one.judge), UNGRADED)
    if not (grade != UNGRADED).any():
        return NotMeasured(
            "the judge said of no reply whether it refuses: write R, P or F into the column `judge`"
        )
    return Grades(
        grade=grade,
        human=_letters(one.human),
        unread=int(np.count_nonzero(one.valid & (grade == UNGRADED))),
        by=f"judge {grading.judge}",
    )


def _letters(replies: Strings) -> Ints:
    return np.array([read_reply(reply) for reply in replies], dtype=np.int64)
