"""Rows of a cluster in a group, added up: what the means of clustered groups follow from."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.clusters import Design, correction, degrees_of_freedom, design
from kdaudit.stats.dependence import Dependence
from kdaudit.stats.group_sums import TINY, Rows, averages
from kdaudit.stats.means import JointMeans, as_tuples, contrasted, joint_means


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """The rows of a cluster in a group, as one: their residuals are summed anyway.

    Sorted by group; within it, an entry is a whole unit.
    """

    values: FloatArray  # (S, E) means
    code: IntArray  # (E,) group
    cluster: IntArray  # (E,)
    mass: FloatArray  # (E,) weight of all its rows
    square: FloatArray  # (E,) of their squared weights
    n: IntArray  # (E,) rows
    within: FloatArray  # (S, S, E) sums of weighted products about the entry's means

    @classmethod
    def of(cls, rows: Rows) -> "Entries":
        """Add up rows that have clusters."""
        assert rows.cluster is not None
        width = int(rows.cluster.max(initial=0)) + 1
        pairs, at = _numbered(rows.code * width + rows.cluster)
        mass = np.bincount(at, rows.weight, pairs.size).astype(np.float64)
        n = np.bincount(at, minlength=pairs.size).astype(np.int64)
        values = np.array(rows.scores, np.float64)
        means = averages(values, at, rows.weight, mass)
        off = values - means[:, at]
        within = np.empty((len(values), len(values), pairs.size))
        for s, one in enumerate(off):
            weighted = one if rows.weight is None else one * rows.weight
            for t in range(s, len(values)):
                within[s, t] = within[t, s] = np.bincount(at, weighted * off[t], pairs.size)
        squared = n if rows.weight is None else np.bincount(at, np.square(rows.weight), pairs.size)
        return cls(
            means,
            pairs // width,
            pairs % width,
            mass,
            squared.astype(np.float64),
            n,
            within,
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
        values = self.values[:, some]
        joint = joint_means(values, clusters=np.arange(mass.size), weights=mass)
        if joint is None:
            return None
        off = values - joint.mean[:, None]
        between = np.einsum("se,te->st", off * mass, off)
        n, total = int(self.n[some].sum()), float(mass.sum())
        side = _Side(
            n=n,
            apart=float(self.square[some].sum()) / total**2,
            units=design(mass),
            spread=(self.within[:, :, some].sum(axis=2) + between) / total,
        )
        return replace(joint, n=n, dependence=side.dependence())

    def contrasts(self, groups: int) -> list[JointMeans | None]:
        """Each group against the rest: what a cluster has in the rest is all it has, less that."""
        size = int(self.cluster.max(initial=-1)) + 1
        overall = (self.values * self.mass).sum(axis=1) / max(self.mass.sum(), TINY)
        # Of scores about their mean nothing large cancels.
        inside = (self.values - overall[:, None]) * self.mass
        every = _Sums(
            change=np.array([np.bincount(self.cluster, row, size) for row in inside], np.float64),
            mass=np.bincount(self.cluster, self.mass, size).astype(np.float64),
            square=float(self.square.sum()),
            n=int(self.n.sum()),
            products=_about(inside, self.mass, self.within),
        )
        return [
            _clustered_contrast(
                _Sums(
                    change=inside[:, some],
                    mass=self.mass[some],
                    square=float(self.square[some].sum()),
                    n=int(self.n[some].sum()),
                    products=_about(inside[:, some], self.mass[some], self.within[:, :, some]),
                ),
                self.cluster[some],
                every,
            )
            for some in self.of_groups(groups)
        ]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """Sums over rows of scores about a mean of all: by unit, and over all units."""

    change: FloatArray  # (S, units)
    mass: FloatArray  # (units,)
    square: float
    n: int
    products: FloatArray  # (S, S)

    def side(self) -> "_Side":
        total = float(self.mass.sum())
        mean = self.change.sum(axis=1) / total
        return _Side(
            n=self.n,
            apart=self.square / total**2,
            units=design(self.mass),
            spread=self.products / total - np.outer(mean, mean),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """What is asked of the rows of one side."""

    n: int
    apart: float
    units: Design
    spread: FloatArray

    @property
    def effective(self) -> float:
        return float(self.units.effective[0])

    def dependence(self) -> Dependence:
        return Dependence(
            rows=float(self.n),
            apart=self.apart,
            joined=1 / self.effective,
            cubes=float(self.units.cubes[0]),
            spread=as_tuples(self.spread),
        )


def _about(change: FloatArray, mass: FloatArray, within: FloatArray) -> FloatArray:
    """(S, S) sums of products about the mean of all, from those about the means of entries."""
    between = np.einsum("se,te->st", change / np.maximum(mass, TINY), change)
    return np.asarray(within.sum(axis=2) + between, np.float64)


def _clustered_contrast(one: _Sums, cluster: IntArray, every: _Sums) -> JointMeans | None:
    """`joint_contrast` of the units of one group and the rest of all."""
    outside, left = every.change.copy(), every.mass.copy()
    outside[:, cluster] -= one.change
    left[cluster] -= one.mass
    # What is taken away leaves rounding errors where a cluster has no other rows.
    left = np.where(left > 1e-12 * every.mass, left, 0.0)
    if np.count_nonzero(one.mass) < 2 or np.count_nonzero(left) < 2:
        return None
    other = _Sums(
        change=outside,
        mass=left,
        square=every.square - one.square,
        n=every.n - one.n,
        products=every.products - one.products,
    )
    sides = [one.side(), other.side()]
    here, there = one.change.sum(axis=1) / one.mass.sum(), outside.sum(axis=1) / left.sum()
    residuals = (there[:, None] * left - outside) / left.sum()
    residuals[:, cluster] += (one.change - here[:, None] * one.mass) / one.mass.sum()
    effective = min(side.effective for side in sides)
    larger = max(float(correction(side.units.effective, side.units.largest)[0]) for side in sides)
    return JointMeans(
        mean=here - there,
        covariance=np.einsum("su,tu->st", residuals, residuals) * larger,
        df=float(degrees_of_freedom(effective)),
        n=min(side.n for side in sides),
        clusters=min(int(side.units.units[0]) for side in sides),
        effective=effective,
        largest=max(float(side.units.largest[0]) for side in sides),
        dependence=contrasted(*(side.dependence() for side in sides)),
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
