"""Answers that belong to other rows: right ids in a wrong order.

A file whose ids were shuffled passes every check of ids. What gives it away is that its answers
tell nothing: neither of the labels, nor of what the other subject answers to the same rows. A weak
model, or a teacher at chance, still agrees with the student that was distilled from it.
"""

from collections.abc import Mapping

import numpy as np

from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Ints, Predictions
from kdaudit.stats.chance_agreement import chance_agreement

FEWEST = 100  # rows; with fewer, no association is nothing unusual
SIGNAL, NOISE = 5.0, 2.5  # standard deviations above what a shuffle would give


def refuse_shuffled(subjects: Mapping[str, Predictions], label: Ints) -> None:
    """Refuse a subject whose answers look shuffled beside another's that do not.

    Args:
        subjects: by how they are called in messages; one alone is compared with nobody.
        label: (N,) class index, or -1 out of scope.

    Raises:
        DataError: naming the subject and the counts.
    """
    for who, subject in subjects.items():
        others = {name: other for name, other in subjects.items() if name != who}
        told = [name for name, other in others.items() if _beyond(other.answer, label) > SIGNAL]
        if not told or _beyond(subject.answer, label) > NOISE:
            continue
        if any(_beyond(subject.answer, others[name].answer) > NOISE for name in others):
            continue
        known = (label >= 0) & subject.valid
        if np.count_nonzero(known) < FEWEST or len(np.unique(subject.answer[known])) < 2:
            continue
        chance = chance_agreement(subject.answer[known], label[known], np.zeros(known.sum(), int))
        raise DataError(
            f"{who} looks shuffled: its answers are the labels on {chance.same} of {chance.n} rows "
            f"(answers dealt at random: {chance.expected:.0f} ± {chance.sd:.0f}), and agree with "
            f"{told[0]} no more than chance. Are its ids in the order of its rows?"
        )


def _beyond(one: Ints, other: Ints) -> float:
    """How many standard deviations more often two agree than if one of them were shuffled."""
    known = (one >= 0) & (other >= 0)
    found = chance_agreement(one[known], other[known], np.zeros(np.count_nonzero(known), np.int64))
    return (found.same - found.expected) / found.sd if found.sd > 0 else 0.0
