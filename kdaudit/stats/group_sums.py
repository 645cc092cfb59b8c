"""Sums over the rows of groups, from which means and their spread follow; those of two merge."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.clusters import correction
from kdaudit.stats.dependence import Dependence
from kdaudit.stats.means import as_tuples

Scores = Sequence[ArrayLike] | NDArray[np.generic]


TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Sums over the rows of a group; those of two groups merge.

    Scatter is about the mean that the squared weights give, since sums of squares about a mean
    merge without cancelling; ``spread`` is about the mean.
    """

    n: int
    weight: float  # Σw
    heaviest: float  # max w
    mean: FloatArray  # (S,) Σwx / Σw
    square: float  # Σw²
    centre: FloatArray  # (S,) Σw²x / Σw²
    scatter: FloatArray  # (S, S) Σw² (x - centre)(x - centre)'
    spread: FloatArray | None = None  # (S, S) Σw (x - mean)(x - mean)'; None without weights

    @property
    def dependence(self) -> Dependence | None:
        """How the rows hang together; None where all weigh the same."""
        if self.spread is None:
            return None
        return Dependence(
            rows=float(self.n),
            apart=1 / self.effective,
            joined=1 / self.effective,
            cubes=0.0,  # every row is a unit, so that nothing depends on them
            spread=as_tuples(self.spread / self.weight),
        )

    @property
    def effective(self) -> float:
        """Rows of equal weight that would say as much."""
        return self.weight**2 / self.square

    @property
    def largest(self) -> float:
        """Share of the heaviest row."""
        return self.heaviest / self.weight

    @property
    def covariance(self) -> FloatArray:
        """(S, S) of the mean."""
        step = self.centre - self.mean
        about_mean = self.scatter + self.square * np.outer(step, step)
        return about_mean * (correction(self.effective, self.largest) / self.weight**2)

    def merge(self, other: "Part") -> "Part":
        """The sums over the rows of both."""
        if not other.n:
            return self
        if not self.n:
            return other
        weight, square = self.weight + other.weight, self.square + other.square
        step, share = other.centre - self.centre, other.square / square
        apart = other.mean - self.mean
        spread = None
        if self.spread is not None and other.spread is not None:
            between = self.weight * other.weight / weight * np.outer(apart, apart)
            spread = self.spread + other.spread + between
        return Part(
            n=self.n + other.n,
            weight=weight,
            heaviest=max(self.heaviest, other.heaviest),
            mean=self.mean + (other.weight / weight) * apart,
            square=square,
            centre=self.centre + share * step,
            scatter=self.scatter + other.scatter + self.square * share * np.outer(step, step),
            spread=spread,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
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
    ) -> "Rows":
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
class Sums:
    """The `Part` of each of G groups, side by side."""

    n: FloatArray  # (G,)
    weight: FloatArray
    heaviest: FloatArray
    mean: FloatArray  # (S, G)
    square: FloatArray
    centre: FloatArray  # (S, G)
    scatter: FloatArray  # (G, S, S)
    spread: FloatArray | None = None  # (G, S, S)

    def parts(self) -> list[Part]:
        """One of each group."""
        return [
            Part(
                n=int(self.n[g]),
                weight=float(self.weight[g]),
                heaviest=float(self.heaviest[g]),
                mean=self.mean[:, g],
                square=float(self.square[g]),
                centre=self.centre[:, g],
                scatter=self.scatter[g],
                spread=None if self.spread is None else self.spread[g],
            )
            for g in range(len(self.n))
        ]

    def gathered(self, group: IntArray, groups: int) -> "Sums":
        """The sums of groups made of these: about their own means first, then of the means."""
        some = np.flatnonzero((group >= 0) & (self.n > 0))
        to = group[some]
        weight, square = (
            np.bincount(to, x[some], groups).astype(np.float64) for x in (self.weight, self.square)
        )
        heaviest = np.zeros(groups)
        np.maximum.at(heaviest, to, self.heaviest[some])
        centre = averages(self.centre[:, some], to, self.square[some], square)
        size = len(centre)
        scatter = _scatter(self.centre[:, some], to, self.square[some], centre)
        for s in range(size):
            for t in range(size):
                scatter[:, s, t] += np.bincount(to, self.scatter[some, s, t], groups)
        return Sums(
            n=np.bincount(to, self.n[some], groups).astype(np.float64),
            weight=weight,
            heaviest=heaviest,
            mean=averages(self.mean[:, some], to, self.weight[some], weight),
            square=square,
            centre=centre,
            scatter=scatter,
        )


def group_parts(rows: Rows, groups: int) -> list[Part]:
    """The sums of each group, of rows that are independent."""
    return _sums(rows, groups).parts()


def _sums(rows: Rows, groups: int) -> Sums:
    if rows.weight is None:
        return unweighted(*by_pattern(rows), groups)
    code, values = rows.code, np.array(rows.scores, np.float64)
    squared = np.square(rows.weight)
    weight, square = (
        np.bincount(code, w, groups).astype(np.float64) for w in (rows.weight, squared)
    )
    heaviest = np.zeros(groups)
    np.maximum.at(heaviest, code, rows.weight)
    centre = averages(values, code, squared, square)
    mean = averages(values, code, rows.weight, weight)
    return Sums(
        n=np.bincount(code, minlength=groups).astype(np.float64),
        weight=weight,
        heaviest=heaviest,
        mean=mean,
        square=square,
        centre=centre,
        scatter=_scatter(values, code, squared, centre),
        spread=_scatter(values, code, rows.weight, mean),
    )


def unweighted(code: IntArray, values: FloatArray, n: FloatArray | None, groups: int) -> Sums:
    """Of rows that weigh the same, or of ``n`` such rows each with 0/1 scores."""
    weight = np.bincount(code, n, groups).astype(np.float64)
    mean = averages(values, code, n, weight)
    scatter = (
        _scatter(values, code, n, mean)
        if n is None
        else _scatter_of_counts(values, code, n, groups)
    )
    return Sums(
        n=weight,
        weight=weight,
        heaviest=np.ones(groups),
        mean=mean,
        square=weight,
        centre=mean,
        scatter=scatter,
    )


def by_pattern(rows: Rows) -> tuple[IntArray, FloatArray, FloatArray | None]:
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


def averages(
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


def others(parts: list[Part]) -> list[Part]:
    """Of each group, all the others: merged from both ends, for the total less a group cancels."""
    size = len(parts[0].mean) if parts else 0
    nothing = Part(
        n=0,
        weight=0.0,
        heaviest=0.0,
        mean=np.zeros(size),
        square=0.0,
        centre=np.zeros(size),
        scatter=np.zeros((size, size)),
    )
    before = list(accumulate(parts, Part.merge, initial=nothing))
    after = list(accumulate(reversed(parts), Part.merge, initial=nothing))[::-1]
    return [before[g].merge(after[g + 1]) for g in range(len(parts))]
