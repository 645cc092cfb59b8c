"""Answers that are no class: what a failed request, or a script that gave up, left in a file.

In files of labels alone, whatever is answered is a class: a teacher's ``ERROR`` would be a wrong
answer of the teacher, and a student that is worse would pass beside it. What no label is called,
nor any column of probabilities, is no answer of a reference, and counts as a missing one does: for
the reference, against the student.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from kdaudit.evidence.kinds import Strings

MOST = 5  # names that are told


def unknown_answers(labels: Strings, known: Iterable[str]) -> dict[str, int]:
    """How often each answer that is no class was given, the most frequent first.

    Args:
        labels: (N,) answers, None where there is none.
        known: the classes.

    >>> unknown_answers(np.array(["a", "ERROR", None, "ERROR"], dtype=object), {"a", "b"})
    {'ERROR': 2}
    """
    counts = Counter(label for label in labels.tolist() if label is not None)
    for name in known:
        counts.pop(name, None)
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def without(labels: Strings, names: Iterable[str]) -> Strings:
    """(N,) the answers without those that are no class.

    >>> without(np.array(["a", "ERROR"], dtype=object), ["ERROR"]).tolist()
    ['a', None]
    """
    unknown = set(names)
    return np.array([None if one in unknown else one for one in labels.tolist()], dtype=object)


def told(counts: dict[str, int]) -> str:
    """The names and their rows, in one line.

    >>> told({"ERROR": 301, "": 2})
    "'ERROR' in 301 rows, '' in 2 rows"
    """
    some = [f"{name!r} in {rows:,} row{'s' * (rows != 1)}" for name, rows in counts.items()]
    more = f" and {len(some) - MOST} more" if len(some) > MOST else ""
    return ", ".join(some[:MOST]) + more
