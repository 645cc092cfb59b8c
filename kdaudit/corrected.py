"""Means as people would count them: by machine grades, and a part that people graded as well.

That part is taken to be drawn at random, and the same for every subject.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kdaudit.evidence.kinds import Bools, Floats, Grades
from kdaudit.results import Means
from kdaudit.stats.ppi import prediction_powered

WHERE = (("grader", "corrected"),)
FEWEST = 20  # rows of every subject that people graded, below which their mean is no guide
UNEQUAL = "the correction is for rows of equal weight without clusters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What the corrected means rest on.

    Attributes:
        basis: joint means of the scores, in their order.
        weight: of the machine's grades, in [0, 1].
    """

    basis: Means
    weight: float


def absent(one: Grades) -> Bools:
    """(N,) rows that nobody graded: there is no answer, or none that can be read."""
    return (one.human < 0) & ~one.valid


def looked_at(grades: Iterable[Grades]) -> Bools:
    """(N,) rows of which people graded an answer, whoever's.

    Where the answer or the grade of another is missing it is the worst, not left out: else a file
    that holds no grade of an answer that people found bad would look better.

    Args:
        grades: of every subject, one at least.
    """
    return np.asarray(np.stack([one.human >= 0 for one in grades]).any(axis=0), dtype=np.bool_)


def too_few_of_all(grades: Iterable[tuple[str, Grades]], rows: Bools) -> str | None:
    """Why what people say of all rows is no evidence: of one subject they graded less than half.

    Args:
        grades: of every subject, with its role.
        rows: (N,) all of which people graded of one subject at least.
    """
    n = int(rows.sum())
    for who, one in grades:
        graded = int((one.human >= 0)[rows].sum())
        if 2 * graded < n:
            return (
                f"people graded {graded} of {n} such rows of the {who}, and every one of another; "
                "have them grade the same rows"
            )
    return None


def moved(one: Grades, rows: Bools, looked: Bools) -> float:
    """How far missing answers and grades may have moved the mean of a 0/1 score.

    A row that people graded also stands for others, so one without an answer counts there as well:
    else leaving out an answer that was misjudged would take its correction away.

    Args:
        one: the subject's grades.
        rows: (N,) rows of the mean.
        looked: (N,) those of them that people graded.
    """
    return float(absent(one)[rows].mean() + (one.human < 0)[looked].mean())


def corrected_means(
    people: Floats, machine: Floats, *, looked: Bools, rest: Bools, missing: Sequence[float]
) -> Corrected:
    """Prediction-powered means of S 0/1 scores, tuned to the difference of the first two.

    Args:
        people: (S, N) by people, the worst where an answer is missing; looked at where ``looked``.
        machine: (S, N) by machine, likewise.
        looked: (N,) rows that people graded.
        rest: (N,) the others.
        missing: (S,) how far missing answers may have moved each mean; see `moved`.
    """
    size = len(people)
    contrast = np.zeros(size)
    contrast[:2] = (1.0, -1.0)[:size]
    found = prediction_powered(
        people[:, looked], machine[:, looked], machine[:, rest], contrast=contrast
    )
    n = int(looked.sum())
    basis = Means(
        mean=tuple(float(x) for x in found.mean),
        covariance=tuple(tuple(float(x) for x in row) for row in found.covariance),
        df=float(n - 1),
        n=found.n,
        clusters=n,
        span=1.0,
        unknown=(0.0,) * size,
        filled=tuple(missing) if any(missing) else (),
        bounds=(0.0, 1.0),
    )
    return Corrected(basis=basis, weight=found.weight)
