"""Exposure: how far a planted secret stands out among others that might have stood in its place."""

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints, Likelihoods
from kdaudit.evidence.view import LIKELIHOODS
from kdaudit.measure import not_measured
from kdaudit.results import Finding
from kdaudit.scores import Score, absence
from kdaudit_suites.memorisation.endpoints import MEM004
from kdaudit_suites.memorisation.extraction import by_slice
from kdaudit_suites.memorisation.passages import Passages

NO_CHOICES = (
    "no row has a secret among others that might stand in its place: `kdaudit canaries` makes such "
    "rows; name the others as `choices`, the true one as `answers` under [data]"
)


def exposure(passages: Passages) -> list[Finding]:
    """MEM004."""
    choices, spots = passages.asked.choices, passages.spots
    size = (
        np.zeros(len(spots), dtype=np.int64)
        if choices is None
        else np.array([len(one) for one in choices], dtype=np.int64)
    )
    rows = passages.members & (spots >= 0) & (size > 1)
    if not rows.any():
        return [not_measured(MEM004, (), NO_CHOICES)]
    most = float(np.log2(size[rows].max()))
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        one = passages.evidence[LIKELIHOODS].of(who)
        scores[who] = (
            Score(values=bits(one, spots, rows), valid=one.valid, high=most)
            if isinstance(one, Likelihoods)
            else absence(one)
        )
    return by_slice(MEM004, passages, scores, rows)


def bits(one: Likelihoods, spots: Ints, rows: Bools) -> Floats:
    """(N,) log2 of the number of choices less log2 of the rank of the true one (Carlini 2019).

    Of choices that are equally likely the true one comes first: the most that can be exposed.

    Args:
        one: log-probabilities.
        spots: (N,) the true choice of each row.
        rows: (N,) which rows; 0 elsewhere, and where a choice has no log-probability.
    """
    made = np.zeros(len(rows))
    for row in np.flatnonzero(rows & one.valid):
        logprob = one.logprob[one.start[row] : one.start[row + 1]]
        rank = 1 + int(np.count_nonzero(logprob > logprob[spots[row]]))
        made[row] = np.log2(len(logprob)) - np.log2(rank)
    return made
