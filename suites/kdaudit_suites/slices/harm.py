"""What the student loses, row by row."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from kdaudit.evidence.kinds import Bools, Floats, Ints
from kdaudit.evidence.view import Rows
from kdaudit.score_bases import too_few
from kdaudit.scores import Score, Scores
from kdaudit.stats.clusters import correction, design

Signs = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A mean change, and how far it may be off.

    Attributes:
        mean: of student minus teacher.
        variance: of that mean.
        units: rows, or as many of equal weight as would say as much (Kish).
    """

    mean: float
    variance: float
    units: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Harm:
    """Paired outcomes of N rows.

    Attributes:
        change: (N,) student minus teacher: -1 where the teacher alone is right, 1 where the student
            alone is, 0 where both or none are.
        weight: (N,) or None.
        cluster: (N,) codes, or None.
    """

    change: Signs
    weight: Floats | None = None
    cluster: Ints | None = None

    def __len__(self) -> int:
        return len(self.change)

    def take(self, rows: Bools) -> "Harm":
        """Some of the rows."""
        return Harm(
            change=self.change[rows],
            weight=None if self.weight is None else self.weight[rows],
            cluster=None if self.cluster is None else self.cluster[rows],
        )

    def over(self, rows: Bools) -> Change | None:
        """The mean change over some of the rows; None for too few rows, or fewer than 8 clusters.

        The variance has one row, or cluster, more that differs: outcomes that are all alike by luck
        are not certain.
        """
        if self.cluster is not None:
            return self._over_clusters(rows)
        if self.weight is None:
            n = int(np.count_nonzero(rows))
            lost = int(np.count_nonzero(rows & (self.change < 0)))
            won = int(np.count_nonzero(rows & (self.change > 0)))
            return _change(n, won - lost, won + lost, n)
        w, d = self.weight[rows], self.change[rows]
        mass = float(w.sum())
        units = mass**2 / float(w @ w) if mass else 0.0
        return _change(mass, float(w @ d), float(w @ (d * d)), units)

    def _over_clusters(self, rows: Bools) -> Change | None:
        assert self.cluster is not None
        members = self.cluster[rows]
        weight = np.ones(len(members)) if self.weight is None else self.weight[rows]
        mass = np.bincount(members, weight)
        shares = design(mass)
        units, largest = float(shares.effective[0]), float(shares.largest[0])
        if too_few(units):
            return None
        total = float(mass.sum())
        change = np.bincount(members, weight * self.change[rows])
        mean = float(change.sum()) / total
        off = (change - mean * mass) / total
        sampled = float(off @ off) * float(correction(units, largest))
        return Change(mean=mean, variance=sampled + 1 / units**2, units=units)


def _change(mass: float, change: float, square: float, units: float) -> Change | None:
    if units < 2:
        return None
    mean = change / mass
    second = (square / mass * units + 1) / (units + 2)
    return Change(mean=mean, variance=(second - mean**2) / units, units=units)


def excess(inside: Change | None, rest: Change | None) -> float:
    """How much more is lost inside than in the rest, in standard errors; 0 where nothing is lost.

    >>> some = Change(mean=-0.12, variance=0.0009, units=100)
    >>> round(excess(some, Change(mean=-0.02, variance=0.0007, units=900)), 6)
    2.5
    """
    if inside is None or rest is None or inside.mean >= 0:
        return 0.0
    return (rest.mean - inside.mean) / sqrt(inside.variance + rest.variance)


def harm_of(rows: Rows, scores: Scores) -> Harm | None:
    """The outcomes, or None where a subject gave none.

    An answer that is missing counts as wrong for the student and as right for the teacher.
    """
    student, teacher = scores["student"], scores["teacher"]
    if not (isinstance(student, Score) and isinstance(teacher, Score)):
        return None
    right = np.asarray(student.values, np.bool_) & student.valid
    was_right = np.asarray(teacher.values, np.bool_) | ~teacher.valid
    change = right.astype(np.int8) - was_right.astype(np.int8)
    return Harm(change=change, weight=rows.weight, cluster=rows.cluster)
