"""Texts that are no answers: without a word or sign, or one list of guesses for every question.

A model that writes nothing, or "!!!!", neither answers nor declines; the usual collapsed model does
so. One that answers every question with all answers is right by rule, and has answered none. Both
count as missing: against the student, and for its references.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kdaudit.basis import Subject
from kdaudit.errors import DataError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Generations, Strings
from kdaudit.grading.grade import Grade
from kdaudit.grading.short_answer import ShortAnswer
from kdaudit.grading.tokens import values

ROWS, SHARE = 20, 0.1  # one text given to more rows than both is looked at
LONGEST = 60  # letters of a text in a message
TRUTHS = 3  # different ones that it states, and it is a list of guesses
SIGN = re.compile(r"[^\W_]")


def without_silent(
    texts: Mapping[Subject, Generations | NotMeasured], answers: Strings | None
) -> dict[Subject, Generations | NotMeasured]:
    """Everyone's texts, those that are no answer taken out.

    Args:
        texts: by subject.
        answers: (N,) reference answers, or None where texts are not graded by them.

    Raises:
        DataError: for a reference that answers all questions alike.
    """
    if answers is None:
        return dict(texts)
    for who, one in texts.items():
        if who != "student" and isinstance(one, Generations):
            _refuse_uninformative(who, one, answers)
    return {
        who: one if isinstance(one, NotMeasured) else _heard(one, answers)
        for who, one in texts.items()
    }


def _refuse_uninformative(who: Subject, one: Generations, answers: Strings) -> None:
    said = {" ".join(text.split()) for text in one.text.tolist() if text is not None}
    if len(one) >= ROWS and len(said) == 1 and len(set(answers.tolist())) > 1:
        raise DataError(
            f"[{who}] answers {line(next(iter(said)))!r} to every question: that is no reference "
            "to hold a student against; look at how its answers were made"
        )


def line(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _heard(one: Generations, answers: Strings) -> Generations:
    gone = silent(one.text, answers) | guesses(one.text, answers)
    if not gone.any():
        return one
    text = one.text.copy()
    text[gone] = None
    return replace(one, text=text)


def silent(text: Strings, answers: Strings) -> Bools:
    """(N,) texts without a letter or digit, but where the truth itself is a sign.

    >>> made = np.array(["...", "+", "Oslo", None], dtype=object)
    >>> truth = np.array([("Oslo",), ("+",), ("Oslo",), ("Oslo",)] + [None], dtype=object)[:4]
    >>> silent(made, truth).tolist()
    [True, False, False, False]
    """
    return np.array(
        [
            one is not None
            and SIGN.search(one) is None
            and not (one.strip() and any(not values(answer) for answer in truth))
            for one, truth in zip(text.tolist(), answers.tolist(), strict=True)
        ],
        dtype=np.bool_,
    )


def guesses(text: Strings, answers: Strings) -> Bools:
    """(N,) texts that many rows have in common and that state different truths of theirs."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(text.tolist()):
        if one is not None:
            rows[" ".join(one.split())].append(row)
    found = np.zeros(len(text), dtype=np.bool_)
    for one, where in rows.items():
        if len(where) > max(ROWS, SHARE * len(text)):
            truths = {answers[row] for row in where if answers[row]}
            grade = ShortAnswer().grade
            stated = [t for t in truths if grade(one, t, truncated=False) is Grade.CORRECT]
            found[where] = len(stated) >= TRUTHS
    return found
