"""Rows of a cluster in a group, added up: what the means of clustered groups follow from."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.clusters import correction, degrees_of_freedom, design
from kdaudit.stats.group_sums import TINY, Rows, averages
from kdaudit.stats.means import JointMeans, joint_means


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The rows of a cluster in a group, as one: their residuals are summed anyway.

    Sorted by group; within it, an entry is a whole unit.
    """

    values: FloatArray  # (S, E) means
    code: IntArray  # (E,) group
    cluster: IntArray  # (E,)
    mass: FloatArray  # (E,) weight of all its rows
    n: IntArray  # (E,) rows

    @classmethod
    def of(cls, rows: Rows) -> "Entries":
        """Add up rows that have clusters."""
        assert rows.cluster is not None
        width = int(rows.cluster.max(initial=0)) + 1
        pairs, at = _numbered(rows.code * width + rows.cluster)
        mass = np.bincount(at, rows.weight, pairs.size).astype(np.float64)
        return cls(
            averages(np.array(rows.scores, np.float64), at, rows.weight, mass),
            pairs // width,
            pairs % width,
            mass,
            np.bincount(at, minlength=pairs.size).astype(np.int64),
        )

    def of_groups(self, groups: int) -> list[slice]:
        """The entries of each group."""
        edges = np.searchsorted(self.code, np.arange(groups + 1))
        return [slice(start, end) for start, end in pairwise(edges)]

    def mean(self, some: slice) -> JointMeans | None:
        """The means over the entries of one group."""
        mass = self.mass[some]
        if mass.size < 2:
            return None
        joint = joint_means(self.values[:, some], clusters=np.arange(mass.size), weights=mass)
        return None if joint is None else replace(joint, n=int(self.n[some].sum()))

    def contrasts(self, groups: int) -> list[JointMeans | None]:
        """Each group against the rest: what a cluster has in the rest is all it has, less that."""
        size = int(self.cluster.max(initial=-1)) + 1
        overall = (self.values * self.mass).sum(axis=1) / max(self.mass.sum(), TINY)
        # Of scores about their mean nothing large cancels.
        inside = (self.values - overall[:, None]) * self.mass
        every = np.array([np.bincount(self.cluster, row, size) for row in inside], np.float64)
        mass = np.bincount(self.cluster, self.mass, size).astype(np.float64)
        return [
            _clustered_contrast(
                inside[:, some], self.mass[some], self.cluster[some], every, mass, self.n[some]
            )
            for some in self.of_groups(groups)
        ]


def _clustered_contrast(
    inside: FloatArray,
    weight: FloatArray,
    cluster: IntArray,
    every: FloatArray,
    mass: FloatArray,
    n: IntArray,
) -> JointMeans | None:
    """`joint_contrast` of one group, from (S, E) sums of its entries and (S, C) of all clusters."""
    outside, rest = every.copy(), mass.copy()
    outside[:, cluster] -= inside
    rest[cluster] -= weight
    sides = [design(weight), design(np.maximum(rest, 0.0))]
    if min(int(side.units[0]) for side in sides) < 2:
        return None
    mean, other = inside.sum(axis=1) / weight.sum(), outside.sum(axis=1) / rest.sum()
    residuals = (other[:, None] * rest - outside) / rest.sum()
    residuals[:, cluster] += (inside - mean[:, None] * weight) / weight.sum()
    effective = min(float(side.effective[0]) for side in sides)
    larger = max(float(correction(side.effective, side.largest)[0]) for side in sides)
    return JointMeans(
        mean=mean - other,
        covariance=np.einsum("su,tu->st", residuals, residuals) * larger,
        df=float(degrees_of_freedom(effective)),
        n=int(n.sum()),
        clusters=min(int(side.units[0]) for side in sides),
        effective=effective,
        largest=max(float(side.largest[0]) for side in sides),
    )


def _numbered(keys: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct keys in order, and the position of each key among them."""
    size = int(keys.max(initial=-1)) + 1
    if size > 16 * keys.size:
        found, position = np.unique(keys, return_inverse=True)
        return found, position.astype(np.int64)
    # Where there is room for counts, counting is several times as fast as sorting.
    found = np.flatnonzero(np.bincount(keys, minlength=size))
    number = np.empty(size, np.int64)
    number[found] = np.arange(found.size)
    return found, number[keys]
