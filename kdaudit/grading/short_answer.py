"""Grade short answers by rule: the truth stands in the text, the text declines, or it is wrong."""

import re
from collections.abc import Sequence

from kdaudit.grading.abstention import declines, denies
from kdaudit.grading.grade import Grade
from kdaudit.grading.sentences import sentences
from kdaudit.grading.tokens import position, values

DENIED = frozenset(("not", "never", "isnt", "wasnt", "arent", "werent", "no"))
MARKS = ".,;:!?()[]\"'"
POLITE = re.compile(
    r"\b(?:sorry|apolog\w+|please|unfortunately|afraid|thanks?|hope|depends|context|clarif\w+|"
    r"let me know|if you|can you|could you|would you|you (?:can|may|might|could|should)|"
    r"(?:more|further|additional) (?:information|details|context)|consult|as an ai|"
    r"language model)\b"
)
TURN = re.compile(r"\b(?:but|however|though|although)\b|[;:]", re.IGNORECASE)


class ShortAnswer:
    """The default grader: normal forms of SQuAD and aliases, found anywhere in the answer.

    An answer that names the truth is correct, whatever else it says, so a list of guesses that
    holds it is, too; a part of it that declines names nothing. One that claims something else is
    incorrect, whatever it adds. An answer to a question with no
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
        if not answers and (declines(text) or denies(text)):
            return Grade.NOT_ATTEMPTED
        if declines(text) and not _claims(text):
            return Grade.NOT_ATTEMPTED
        if truncated and not any(ended for _, ended in sentences(text)):
            return Grade.CUT_OFF
        signs = bool(text.strip()) and any(not values(answer) for answer in answers)
        return Grade.INCORRECT if values(text) or signs else Grade.NOT_ATTEMPTED


def _claims(text: str) -> bool:
    """Whether a part of a text that declines says something all the same."""
    return any(
        values(part) and not declines(part) and not POLITE.search(part.casefold())
        for sentence, _ in sentences(text)
        for part in TURN.split(sentence)
    )


def _states(text: str, answer: str) -> bool:
    """Whether a part of the text that does not decline names the answer, and does not deny it."""
    wanted = values(answer)
    if not wanted:  # a sign
        return answer.strip() in {text.strip(), *(word.strip(MARKS) for word in text.split())}
    for sentence, _ in sentences(text):
        for part in TURN.split(sentence):
            said = values(part)
            at = position(said, wanted)
            while at >= 0:
                if not (at and said[at - 1] in DENIED) and not declines(part):
                    return True
                at = position(said, wanted, at + 1)
    return False
