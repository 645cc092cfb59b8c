"""Likelihoods of choices that were recorded elsewhere: brought onto the choices of the rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from kdaudit.errors import DataError, unknown
from kdaudit.evidence.kinds import ChoiceScores, Ints, Likelihoods, Strings, TokenScores


def on_choices(
    recorded: ChoiceScores, choices: Strings | None, ids: npt.NDArray[np.object_], who: str
) -> Likelihoods:
    """The recorded scores in the order of the declared choices.

    A text that a row declares twice is one text: both places get its score.

    Args:
        recorded: of N rows, in the order of ``ids``.
        choices: (N,) tuples of texts, or None where no column of choices is declared.
        ids: (N,) for messages.
        who: the subject and its file, for messages.

    Returns:
        N rows; NaN for a choice that was not recorded.

    Raises:
        DataError: for a choice that the row does not have or that is scored twice, or where no
            column of choices is declared.
    """
    if choices is None:
        raise DataError(
            f"{who} holds likelihoods; name the column that lists each row's choices as `choices` "
            "under [data]"
        )
    start = np.concatenate([[0], np.cumsum([len(row) for row in choices])]).astype(np.int64)
    source = np.full(int(start[-1]), -1, dtype=np.int64)
    for row, texts in enumerate(choices):
        where = f"{who}: id {ids[row]!r}"
        for score in range(int(recorded.start[row]), int(recorded.start[row + 1])):
            for place in _places(recorded, score, texts, where):
                if source[start[row] + place] >= 0:
                    raise DataError(f"{where} scores the choice {texts[place]!r} twice; keep one")
                source[start[row] + place] = score
    # What was not recorded is taken from one more score, of nothing, at the end: number -1.
    return Likelihoods(
        start=start,
        logprob=np.append(recorded.logprob, np.nan)[source],
        tokens=np.append(recorded.tokens, np.nan)[source],
        greedy=np.append(recorded.greedy, False)[source],
        each=None if recorded.each is None else _tokens(recorded.each, source),
    )


def _tokens(each: TokenScores, source: Ints) -> TokenScores:
    wider = replace(each, start=np.append(each.start, each.start[-1]))
    return wider.take(np.where(source < 0, len(each.start) - 1, source))


def _places(
    recorded: ChoiceScores, score: int, texts: Sequence[str], where: str
) -> tuple[int, ...]:
    """Which of the row's choices a score is of."""
    text, number = recorded.text[score], int(recorded.number[score])
    if number >= 0:
        if number >= len(texts):
            raise DataError(
                f"{where} has {len(texts)} choices, numbered from 0, and a score of number {number}"
            )
        if text is not None and text != texts[number]:
            raise DataError(
                f"{where}: choice number {number} is {texts[number]!r}, and the score is of "
                f"{text!r}; were the choices in another order?"
            )
        return (number,)
    found = tuple(place for place, one in enumerate(texts) if one == text)
    if not found:
        raise DataError(f"{where}: {unknown('choice', text, texts)}")
    return found
