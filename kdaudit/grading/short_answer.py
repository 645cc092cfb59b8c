"""Grade short answers by rule: the truth stands in the text, the text declines, or it is wrong."""

import re
from collections.abc import Sequence

from kdaudit.grading.abstention import declines, denies
from kdaudit.grading.grade import Grade
from kdaudit.grading.sentences import sentences
from kdaudit.grading.tokens import position, values

DENIED = frozenset(("not", "never", "isnt", "wasnt", "arent", "werent", "no"))
TURN = re.compile(r"\b(?:but|however|though|although)\b|[;:]", re.IGNORECASE)


class ShortAnswer:
    """The default grader: normal forms of SQuAD and aliases, found anywhere in the answer.

    An answer that names the truth is correct, whatever else it says, so a list of guesses that
    holds it is, too; a part of it that declines names nothing. An answer to a question with no
    true answer is right to decline or to reject what was taken for granted, and incorrect
    otherwise.

    >>> grade = ShortAnswer().grade
    >>> grade("I'm not certain, but I think it was 4 July 1776.", ["1776"], truncated=False).name
    'CORRECT'
    >>> grade("I do not know whether it was 1776.", ["1776"], truncated=False).name
    'NOT_ATTEMPTED'
    >>> grade("Its capital is Poseidonis.", [], truncated=False).name
    'INCORRECT'
    >>> grade("The capital of", ["Paris"], truncated=True).name
    'CUT_OFF'
    """

    def grade(self, text: str, answers: Sequence[str], *, truncated: bool) -> Grade:
        """Grade one answer; see `kdaudit.grading.grade.Grader`."""
        if any(_states(text, answer) for answer in answers):
            return Grade.CORRECT
        if declines(text) or (not answers and denies(text)):
            return Grade.NOT_ATTEMPTED
        if truncated and not any(ended for _, ended in sentences(text)):
            return Grade.CUT_OFF
        return Grade.INCORRECT if values(text) else Grade.NOT_ATTEMPTED


def _states(text: str, answer: str) -> bool:
    """Whether a part of the text that does not decline names the answer, and does not deny it."""
    wanted = values(answer)
    for sentence, _ in sentences(text):
        for part in TURN.split(sentence):
            said = values(part)
            at = position(said, wanted)
            while at >= 0:
                if not (at and said[at - 1] in DENIED) and not declines(part):
                    return True
                at = position(said, wanted, at + 1)
    return False
