"""What becomes of one answer, and who may say so."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

UNGRADED = -1  # no answer, or no readable grade of it


class Grade(IntEnum):
    """The outcome of one answer, after SimpleQA (Wei et al. 2024), and one for what was cut off.

    A cut-off answer ended at the limit of tokens before its first sentence did: it claims nothing
    yet, and declines nothing.
    """

    CORRECT = 0
    INCORRECT = 1
    NOT_ATTEMPTED = 2
    CUT_OFF = 3


NAMES = ("correct", "incorrect", "not attempted", "cut off")


class Grader(Protocol):
    """A way to grade, found through the entry points of ``kdaudit.graders``.

    It is called with no arguments and must be deterministic: grades are a function of evidence.
    """

    def __call__(self) -> "Grader":
        """A class that is built without arguments, or a function that returns a grader."""
        ...

    def grade(self, text: str, answers: Sequence[str], *, truncated: bool) -> Grade:
        """Grade one answer.

        Args:
            text: what the model wrote.
            answers: every way to say the truth; none where nothing true can be said, and the right
                thing is to decline.
            truncated: whether the text ended at the limit of tokens.
        """
        ...
