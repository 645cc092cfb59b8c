"""Graded answers by subject, with the worst in the place of what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Generations, Grades, Ints, Strings
from kdaudit.evidence.view import GENERATIONS, GRADES, Evidence, Questions
from kdaudit.grading.content import content
from kdaudit.grading.grade import Grade
from kdaudit.scores import Score, Scores, absence


def said(grades: Grades) -> Bools:
    """(N,) answers that are there, and not cut off before they say anything."""
    return np.asarray(grades.valid & (grades.grade != Grade.CUT_OFF), dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Graded:
    """What a suite of written answers looks at.

    Attributes:
        evidence: for weights, clusters and level.
        questions: what was asked.
        answerable: (N,) rows of which something true can be said.
        texts: by subject.
        grades: by subject.
    """

    evidence: Evidence
    questions: Questions
    answerable: Bools
    texts: Mapping[Subject, Generations | NotMeasured]
    grades: Mapping[Subject, Grades | NotMeasured]

    @classmethod
    def of(cls, evidence: Evidence) -> "Graded | None":
        """None where nobody wrote."""
        texts = {who: evidence[GENERATIONS].of(who) for who in ORDER}
        asked = evidence.rows.questions
        if asked is None or not any(isinstance(one, Generations) for one in texts.values()):
            return None
        n = len(evidence.rows)
        return cls(
            evidence=evidence,
            questions=asked,
            answerable=np.zeros(n, dtype=np.bool_)
            if asked.answers is None
            else np.array([bool(one) for one in asked.answers], dtype=np.bool_),
            texts={
                who: one if isinstance(one, Generations) else absence(one)
                for who, one in texts.items()
            },
            grades={
                who: one if isinstance(one := evidence[GRADES].of(who), Grades) else absence(one)
                for who in ORDER
            },
        )

    def scores(self, *wanted: Grade) -> Scores:
        """Whether each subject's grade is one of these.

        What was cut off before it said anything is as good as missing: it counts against the
        student, and for its references.
        """
        return {
            who: one
            if isinstance(one, NotMeasured)
            else Score(values=np.isin(one.grade, wanted), valid=said(one))
            for who, one in self.grades.items()
        }

    def filled(self, who: Subject) -> Ints | NotMeasured:
        """(N,) grades; what is missing is wrong for the student, and right for its references."""
        one = self.grades[who]
        if isinstance(one, NotMeasured):
            return one
        right = np.where(self.answerable, Grade.CORRECT, Grade.NOT_ATTEMPTED)
        missing = np.full(len(right), Grade.INCORRECT) if who == "student" else right
        return np.where(one.valid, one.grade, missing).astype(np.int64)

    def pair(self) -> tuple[Ints, Ints] | NotMeasured:
        """The student's and the teacher's grades, filled."""
        student, teacher = self.filled("student"), self.filled("teacher")
        if isinstance(student, NotMeasured):
            return student
        return teacher if isinstance(teacher, NotMeasured) else (student, teacher)

    def contents(self, who: Subject, rows: Bools) -> Strings:
        """(N,) what each answer says; empty off ``rows``, without answer or anything to compare."""
        said = np.full(len(rows), "", dtype=object)
        one = self.texts[who]
        if not isinstance(one, NotMeasured):
            for row in np.flatnonzero(rows & one.valid):
                said[row] = content(one.text[row], self.questions.prompt[row])
        return said
