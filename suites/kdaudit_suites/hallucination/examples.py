"""Rows that the student hallucinates and the teacher does not, for whoever asks to read them."""

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Generations
from kdaudit.grading.grade import NAMES, Grade
from kdaudit.results import Figure
from kdaudit_suites.hallucination.graded import Graded

LONGEST = 300  # letters of a text


def introduced(graded: Graded, most: int) -> tuple[Figure, ...]:
    """The first ``most`` of them by id; none unless asked for."""
    pair, student = graded.pair(), graded.texts["student"]
    teacher = graded.texts["teacher"]
    if (
        not most
        or isinstance(pair, NotMeasured)
        or not isinstance(student, Generations)
        or not isinstance(teacher, Generations)
    ):
        return ()
    ours, theirs = pair
    rows = np.flatnonzero((ours == Grade.INCORRECT) & (theirs != Grade.INCORRECT))[:most]
    return (
        Figure(
            name="examples",
            chart="table",
            title="Introduced hallucinations: what the student says where the teacher errs not",
            columns=("id", "question", "student", "teacher", "teacher did"),
            rows=tuple(
                (
                    str(graded.evidence.rows.ids[row]),
                    _short(graded.questions.prompt[row]),
                    _short(student.text[row]),
                    _short(teacher.text[row]),
                    NAMES[theirs[row]],
                )
                for row in rows
            ),
        ),
    )


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= LONGEST else f"{text[:LONGEST]}…"
