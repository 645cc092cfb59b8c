"""Which of the listed choices a written answer picks: by its letter, or by its text.

Strict rather than generous: an answer that picks nothing, two choices, or one by its letter and
another by its text picks none, and is counted as missing. Choices are lettered in order from A.
"""

import re
from collections.abc import Sequence

from kdaudit.grading.abstention import declines
from kdaudit.grading.tokens import position, values

ALONE = re.compile(r"\W*([A-Za-z])\W*")  # the whole answer
LEADING = re.compile(r"\W*([A-Z])[).:](?!\w)")  # (A) …, A. …, A: …
SAID = re.compile(r"\b(?:[Aa]nswer|[Cc]hoice|[Oo]ption)(?: is)?:?\s+\(?([A-Z])(?=\)|[.,;:]|\s*$)")
IN_BRACKETS = re.compile(r"\(([A-Z])\)")


def picked(text: str, choices: Sequence[str], unknown: int | None = None) -> int | None:
    """The place of the choice that a text picks, or None.

    Args:
        text: the answer.
        choices: the choices, in the order of their letters.
        unknown: the place of the choice that says it cannot be told; a text that declines to
            answer, and names no single other choice, picks it.

    >>> choices = ["The grandfather", "The grandson", "Not known"]
    >>> [picked(text, choices, 2) for text in ("B", "(A) The grandfather", "the grandson.")]
    [1, 0, 1]
    >>> [picked(text, choices, 2) for text in ("A grandfather or a grandson", "I can't say.", "")]
    [None, 2, None]
    """
    letters = _letters(text)
    by_letter = {number for number in letters if number < len(choices)}
    if len(by_letter) > 1 or by_letter != letters:
        return None
    by_text = _named(text, choices, unknown)
    both = by_letter | by_text
    return both.pop() if len(both) == 1 else None


def _letters(text: str) -> set[int]:
    """Numbers of the letters by which an answer picks."""
    alone = ALONE.fullmatch(text)
    if alone:
        return {ord(alone[1].upper()) - ord("A")}
    leading = LEADING.match(text)
    found = [*SAID.findall(text), *IN_BRACKETS.findall(text), *([leading[1]] if leading else [])]
    return {ord(letter) - ord("A") for letter in found}


def _named(text: str, choices: Sequence[str], unknown: int | None) -> set[int]:
    """Choices whose words stand in the text, in one piece and not as a part of another choice's."""
    said, wanted = values(text), [values(choice) for choice in choices]
    found = {number for number, words in enumerate(wanted) if position(said, words) >= 0}
    longer = {
        number
        for number in found
        for other in found
        if len(wanted[other]) > len(wanted[number]) and position(wanted[other], wanted[number]) >= 0
    }
    found -= longer
    if unknown is not None and declines(text):
        others = found - {unknown}
        return {unknown, *others} if len(others) == 1 else {unknown}
    return found
