"""Means of several scores in many groups at once, and each group against all the others.

A pass over the rows costs the same for one group and for a thousand: what `joint_means` and
`joint_contrast` say of a group follows from sums over its rows, or over its clusters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.clusters import correction, degrees_of_freedom, design
from kdaudit.stats.means import JointMeans, joint_means

Scores = Sequence[ArrayLike] | NDArray[np.generic]

TINY = float(np.finfo(np.float64).tiny)


def grouped_means(
    scores: Scores,
    codes: ArrayLike,
    groups: int,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> list[JointMeans | None]:
    """Means of S score series in each group: `joint_means` of the rows of every group.

    Args:
        scores: (S, N) finite scores; bool and float32 are computed in float64.
        codes: (N,) the group of each row; rows of a code below 0, or of ``groups`` and more, are
            in none.
        groups: how many groups.
        clusters: (N,) codes counted from 0.
        weights: (N,) finite weights, at least 0; a row of weight 0 is no row.

    Returns:
        One per group, in the order of their codes; None where a spread cannot be estimated.

    Raises:
        ValueError: for shapes that do not fit, scores that are not finite, or bad weights.

    >>> found = grouped_means([[1, 0, 1, 1]], [0, 0, 1, 1], 2)
    >>> [one.mean.tolist() for one in found]
    [[0.5], [1.0]]
    """
    rows = _Rows.of(scores, codes, clusters, weights, most=groups)
    if rows.cluster is None:
        return [_mean(part) for part in _parts(rows, groups)]
    entries = _Entries.of(rows)
    return [entries.mean(some) for some in entries.of_groups(groups)]


def grouped_contrasts(
    scores: Scores,
    codes: ArrayLike,
    groups: int,
    *,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> list[JointMeans | None]:
    """Each group against all others: `joint_contrast` of every group and the rest.

    Args:
        scores: (S, N) finite scores; bool and float32 are computed in float64.
        codes: (N,) the group of each row; rows of a code below 0 are in none, rows of ``groups``
            and more only among the rest.
        groups: how many groups to contrast.
        clusters: (N,) codes counted from 0; a cluster may have rows in several groups.
        weights: (N,) finite weights, at least 0; a row of weight 0 is no row.

    Returns:
        One per group, in the order of their codes; None where a spread cannot be estimated.

    Raises:
        ValueError: for shapes that do not fit, scores that are not finite, or bad weights.

    >>> found = grouped_contrasts([[1, 0, 1, 1, 0, 1]], [0, 0, 1, 1, 2, 2], 3)
    >>> [round(float(one.mean[0]), 2) for one in found]
    [-0.25, 0.5, -0.25]
    """
    rows = _Rows.of(scores, codes, clusters, weights)
    if rows.cluster is None:
        parts = _parts(rows, max(groups, int(rows.code.max(initial=-1)) + 1))
        pairs = zip(parts, _others(parts), strict=True)
        return [_contrast(part, rest) for part, rest in islice(pairs, groups)]
    return _Entries.of(rows).contrasts(groups)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """Sums over the rows of a group; those of two groups merge.

    Scatter is about the mean that the squared weights give, since sums of squares about a mean
    merge without cancelling.
    """

    n: int
    weight: float  # Σw
    heaviest: float  # max w
    mean: FloatArray  # (S,) Σwx / Σw
    square: float  # Σw²
    centre: FloatArray  # (S,) Σw²x / Σw²
    scatter: FloatArray  # (S, S) Σw² (x - centre)(x - centre)'

    @property
    def effective(self) -> float:
        return self.weight**2 / self.square

    @property
    def largest(self) -> float:
        return self.heaviest / self.weight

    @property
    def covariance(self) -> FloatArray:
        """(S, S) of the mean."""
        step = self.centre - self.mean
        about_mean = self.scatter + self.square * np.outer(step, step)
        return about_mean * (correction(self.effective, self.largest) / self.weight**2)

    def merge(self, other: "_Part") -> "_Part":
        if not other.n:
            return self
        if not self.n:
            return other
        weight, square = self.weight + other.weight, self.square + other.square
        step, share = other.centre - self.centre, other.square / square
        return _Part(
            n=self.n + other.n,
            weight=weight,
            heaviest=max(self.heaviest, other.heaviest),
            mean=self.mean + (other.weight / weight) * (other.mean - self.mean),
            square=square,
            centre=self.centre + share * step,
            scatter=self.scatter + other.scatter + self.square * share * np.outer(step, step),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows that count."""

    scores: list[NDArray[np.generic]]  # (N,) each
    code: IntArray  # (N,) group
    cluster: IntArray | None  # (N,)
    weight: FloatArray | None  # (N,) above 0; None where all weigh the same

    @classmethod
    def of(
        cls,
        scores: Scores,
        codes: ArrayLike,
        clusters: ArrayLike | None,
        weights: ArrayLike | None,
        most: int | None = None,
    ) -> "_Rows":
        """Check the arguments of `grouped_means`; rows of groups from ``most`` on do not count."""
        code, given = np.asarray(codes, np.int64), [np.asarray(row) for row in scores]
        cluster = None if clusters is None else np.asarray(clusters, np.int64)
        weight = None if weights is None else np.asarray(weights, np.float64)
        for column in (*given, cluster, weight):
            if column is not None and not column.shape == code.shape == (code.size,):
                raise ValueError(
                    f"scores, clusters and weights have one entry per row, as codes have; got "
                    f"shapes {column.shape} and {code.shape}"
                )
        if not all(np.isfinite(row).all() for row in given):
            raise ValueError("scores are finite; missing ones are the caller's to impute")
        kept = code >= 0 if most is None else (code >= 0) & (code < most)
        if weight is not None:
            if not ((weight >= 0) & (weight < np.inf)).all():
                raise ValueError("weights are finite and not negative")
            kept &= weight > 0
            # Shares do not change, and neither huge nor tiny weights leave the floats when squared.
            weight = weight / max(weight.max(initial=0.0), TINY)
        if kept.all():
            return cls(given, code, cluster, weight)
        return cls(
            [row[kept] for row in given],
            code[kept],
            None if cluster is None else cluster[kept],
            None if weight is None else weight[kept],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """The `_Part` of each of G groups, side by side."""

    n: FloatArray  # (G,)
    weight: FloatArray
    heaviest: FloatArray
    mean: FloatArray  # (S, G)
    square: FloatArray
    centre: FloatArray  # (S, G)
    scatter: FloatArray  # (G, S, S)

    def parts(self) -> list[_Part]:
        return [
            _Part(
                n=int(self.n[g]),
                weight=float(self.weight[g]),
                heaviest=float(self.heaviest[g]),
                mean=self.mean[:, g],
                square=float(self.square[g]),
                centre=self.centre[:, g],
                scatter=self.scatter[g],
            )
            for g in range(len(self.n))
        ]

    def gathered(self, group: IntArray, groups: int) -> "_Sums":
        """The sums of groups made of these: about their own means first, then of the means."""
        some = np.flatnonzero((group >= 0) & (self.n > 0))
        to = group[some]
        weight, square = (
            np.bincount(to, x[some], groups).astype(np.float64) for x in (self.weight, self.square)
        )
        heaviest = np.zeros(groups)
        np.maximum.at(heaviest, to, self.heaviest[some])
        centre = _averages(self.centre[:, some], to, self.square[some], square)
        size = len(centre)
        scatter = _scatter(self.centre[:, some], to, self.square[some], centre)
        for s in range(size):
            for t in range(size):
                scatter[:, s, t] += np.bincount(to, self.scatter[some, s, t], groups)
        return _Sums(
            n=np.bincount(to, self.n[some], groups).astype(np.float64),
            weight=weight,
            heaviest=heaviest,
            mean=_averages(self.mean[:, some], to, self.weight[some], weight),
            square=square,
            centre=centre,
            scatter=scatter,
        )


def _parts(rows: _Rows, groups: int) -> list[_Part]:
    """The sums of each group, of rows that are independent."""
    return _sums(rows, groups).parts()


def _sums(rows: _Rows, groups: int) -> _Sums:
    if rows.weight is None:
        return _unweighted(*_cells(rows), groups)
    code, values = rows.code, np.array(rows.scores, np.float64)
    squared = np.square(rows.weight)
    weight, square = (
        np.bincount(code, w, groups).astype(np.float64) for w in (rows.weight, squared)
    )
    heaviest = np.zeros(groups)
    np.maximum.at(heaviest, code, rows.weight)
    centre = _averages(values, code, squared, square)
    return _Sums(
        n=np.bincount(code, minlength=groups).astype(np.float64),
        weight=weight,
        heaviest=heaviest,
        mean=_averages(values, code, rows.weight, weight),
        square=square,
        centre=centre,
        scatter=_scatter(values, code, squared, centre),
    )


def _unweighted(code: IntArray, values: FloatArray, n: FloatArray | None, groups: int) -> _Sums:
    """Of rows that weigh the same, or of ``n`` such rows each with 0/1 scores."""
    weight = np.bincount(code, n, groups).astype(np.float64)
    mean = _averages(values, code, n, weight)
    scatter = (
        _scatter(values, code, n, mean)
        if n is None
        else _scatter_of_counts(values, code, n, groups)
    )
    return _Sums(
        n=weight,
        weight=weight,
        heaviest=np.ones(groups),
        mean=mean,
        square=weight,
        centre=mean,
        scatter=scatter,
    )


class CellSums:
    """Sums over the rows of cells, from which the means of any groups of cells follow.

    A pass over the rows, and any number of groupings of them: what `grouped_means` and
    `grouped_contrasts` say of independent rows that weigh the same.

    >>> sums = CellSums([[1, 0, 1, 1, 0, 1]], [0, 0, 1, 1, 2, 2], 3)
    >>> [round(float(one.mean[0]), 2) for one in sums.contrasts(np.array([0, 1, 1]), 2)]
    [-0.25, 0.25]
    """

    def __init__(self, scores: Scores, cells: ArrayLike, size: int) -> None:
        """Add up.

        Args:
            scores: (S, N) finite scores.
            cells: (N,) the cell of each row, below ``size``; rows below 0 are in none.
            size: K, how many cells.

        Raises:
            ValueError: for shapes that do not fit, or scores that are not finite.
        """
        rows = _Rows.of(scores, cells, None, None)
        code, values, n = _cells(rows)
        # 0/1 scores stay counts: whatever is made of them is exact.
        self._counted = None if n is None else (code, values, n)
        self._sums = None if n is not None else _unweighted(code, values, n, size)

    def _of(self, group: IntArray, groups: int) -> list[_Part]:
        if self._sums is not None:
            return self._sums.gathered(group, groups).parts()
        assert self._counted is not None
        code, values, n = self._counted
        to = group[code]
        inside = to >= 0
        return _unweighted(to[inside], values[:, inside], n[inside], groups).parts()

    def means(self, group: IntArray, groups: int) -> list[JointMeans | None]:
        """As `grouped_means`, of the groups that cells belong to.

        Args:
            group: (K,) the group of each cell, below ``groups``; -1 for none.
            groups: how many.
        """
        return [_mean(part) for part in self._of(group, groups)]

    def contrasts(self, group: IntArray, groups: int) -> list[JointMeans | None]:
        """As `grouped_contrasts`: each group against the cells of all others."""
        parts = self._of(group, groups)
        return [_contrast(part, rest) for part, rest in zip(parts, _others(parts), strict=True)]


def _cells(rows: _Rows) -> tuple[IntArray, FloatArray, FloatArray | None]:
    """Group, scores and number of rows; of 0/1 scores, counted by group and pattern of scores."""
    if not all(row.dtype == np.bool_ for row in rows.scores):
        return rows.code, np.array(rows.scores, np.float64), None
    cell = rows.code.copy()
    for row in rows.scores:
        cell *= 2
        cell += np.asarray(row, np.bool_)
    counts = np.bincount(cell)
    found = np.flatnonzero(counts)
    size = len(rows.scores)
    patterns = [found >> shift & 1 for shift in reversed(range(size))]
    return (
        found >> size,
        np.array(patterns, np.float64).reshape(size, len(found)),
        counts[found].astype(np.float64),
    )


def _averages(
    values: FloatArray, code: IntArray, mass: FloatArray | None, total: FloatArray
) -> FloatArray:
    """(S, G) means by group."""
    sums = [np.bincount(code, row if mass is None else row * mass, total.size) for row in values]
    filled = np.where(total > 0, total, 1.0)
    return np.array(sums, np.float64).reshape(len(values), total.size) / filled


def _scatter(
    values: FloatArray, code: IntArray, mass: FloatArray | None, centre: FloatArray
) -> FloatArray:
    """(G, S, S) sums of products about the centre of each group."""
    size, groups = centre.shape
    off = [row - at[code] for row, at in zip(values, centre, strict=True)]
    scatter = np.zeros((groups, size, size))
    for s in range(size):
        left = off[s] if mass is None else off[s] * mass
        for t in range(s, size):
            scatter[:, s, t] = scatter[:, t, s] = np.bincount(code, left * off[t], groups)
    return scatter


def _scatter_of_counts(
    values: FloatArray, code: IntArray, n: FloatArray, groups: int
) -> FloatArray:
    """As `_scatter`, of 0/1 scores: exact counts, however a further series cuts the cells.

    ``Σxy - ΣxΣy / n`` does not cancel: with counts below 2⁵³ the numerator is a whole number.
    """
    size = len(values)
    count = np.bincount(code, n, groups)
    sums = [np.bincount(code, n * row, count.size) for row in values]
    scatter = np.zeros((count.size, size, size))
    for s in range(size):
        for t in range(s, size):
            both = np.bincount(code, n * values[s] * values[t], count.size)
            numerator = count * both - sums[s] * sums[t]
            scatter[:, s, t] = scatter[:, t, s] = numerator / np.where(count > 0, count, 1.0)
    return scatter


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """The rows of a cluster in a group, as one: their residuals are summed anyway.

    Sorted by group; within it, an entry is a whole unit.
    """

    values: FloatArray  # (S, E) means
    code: IntArray  # (E,) group
    cluster: IntArray  # (E,)
    mass: FloatArray  # (E,) weight of all its rows
    n: IntArray  # (E,) rows

    @classmethod
    def of(cls, rows: _Rows) -> "_Entries":
        assert rows.cluster is not None
        width = int(rows.cluster.max(initial=0)) + 1
        pairs, at = _numbered(rows.code * width + rows.cluster)
        mass = np.bincount(at, rows.weight, pairs.size).astype(np.float64)
        return cls(
            _averages(np.array(rows.scores, np.float64), at, rows.weight, mass),
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


def _others(parts: list[_Part]) -> list[_Part]:
    """Of each group, all the others: merged from both ends, for the total less a group cancels."""
    size = len(parts[0].mean) if parts else 0
    nothing = _Part(
        n=0,
        weight=0.0,
        heaviest=0.0,
        mean=np.zeros(size),
        square=0.0,
        centre=np.zeros(size),
        scatter=np.zeros((size, size)),
    )
    before = list(accumulate(parts, _Part.merge, initial=nothing))
    after = list(accumulate(reversed(parts), _Part.merge, initial=nothing))[::-1]
    return [before[g].merge(after[g + 1]) for g in range(len(parts))]


def _mean(part: _Part) -> JointMeans | None:
    if part.n < 2:
        return None
    return JointMeans(
        mean=part.mean,
        covariance=part.covariance,
        df=float(degrees_of_freedom(part.effective)),
        n=part.n,
        clusters=part.n,
        effective=part.effective,
        largest=part.largest,
    )


def _contrast(one: _Part, rest: _Part) -> JointMeans | None:
    if one.n < 2 or rest.n < 2:
        return None
    effective = min(one.effective, rest.effective)
    return JointMeans(
        mean=one.mean - rest.mean,
        covariance=one.covariance + rest.covariance,
        df=float(degrees_of_freedom(effective)),
        n=one.n,
        clusters=min(one.n, rest.n),
        effective=effective,
        largest=max(one.largest, rest.largest),
    )
