"""Means of several scores of the same rows, and contrasts of means, with joint covariance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdaudit.stats.arrays import BoolArray, FloatArray
from kdaudit.stats.clusters import correction, degrees_of_freedom, design
from kdaudit.stats.dependence import Dependence


# Arrays have no single truth value, so a generated __eq__ would only raise.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointMeans:
    """S means, or contrasts of means, estimated from the same rows.

    Attributes:
        mean: (S,) the means, or contrasts.
        covariance: (S, S) their estimated covariance.
        df: degrees of freedom of Student's t.
        n: rows the means rest on; of a contrast, those of the side that has fewer.
        clusters: independent units (rows, where no clusters are declared); of a contrast, those
            of the side that has fewer.
        effective: units of equal weight that would say as much; of a contrast, those of the side
            that says less.
        largest: share of the heaviest unit in its mean; of a contrast, the larger of both sides'.
        dependence: how the rows hang together; None where all are independent and weigh the same.
    """

    mean: FloatArray
    covariance: FloatArray
    df: float
    n: int
    clusters: int
    effective: float
    largest: float
    dependence: Dependence | None = None


def joint_means(
    scores: ArrayLike, *, clusters: ArrayLike | None = None, weights: ArrayLike | None = None
) -> JointMeans | None:
    """Means of S score series over the same rows, with their joint covariance.

    Every row, or cluster of rows, contributes its weighted residual ``w (x - mean) / sum(w)``; the
    covariance is the sum of their outer products, the cluster-robust one of a least-squares
    constant (Liang and Zeger 1986), times `kdaudit.stats.clusters.correction`. Where units weigh
    the same that is C / (C - 1) over C units, and without clusters the sample covariance over n.

    Args:
        scores: (S, N) finite scores; bool and float32 are computed in float64.
        clusters: (N,) codes counted from 0; rows of one code may depend on each other. Codes
            without rows are no units.
        weights: (N,) finite weights, at least 0; a row of weight 0 is no row.

    Returns:
        The means with one degree of freedom less than effective units; None with fewer than two
        units, whose spread cannot be estimated.

    Raises:
        ValueError: for shapes that do not fit, scores that are not finite, or bad weights.

    >>> both = joint_means([[1, 1, 0, 0], [1, 1, 1, 0]])
    >>> both.mean.tolist(), both.n, both.df
    ([0.5, 0.75], 4, 3.0)
    >>> joint_means([[1, 1, 0, 0]], clusters=[0, 0, 0, 0]) is None
    True
    """
    rows = _Rows.of(scores, clusters, weights)
    side = rows.side(np.ones(rows.values.shape[1], np.bool_))
    if side is None:
        return None
    return JointMeans(
        mean=side.mean,
        covariance=_products(side.residuals) * side.correction,
        df=float(degrees_of_freedom(side.effective)),
        n=side.n,
        clusters=side.clusters,
        effective=side.effective,
        largest=side.largest,
        dependence=None if rows.plain else side.dependence(),
    )


def joint_contrast(
    scores: ArrayLike,
    *,
    group: BoolArray,
    rest: BoolArray | None = None,
    clusters: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> JointMeans | None:
    """Contrasts mean(group) - mean(rest) of S score series, with their joint covariance.

    Without clusters the sides are independent and their covariances add. With clusters, a cluster
    may have rows on both sides: its residuals are summed over both, with the larger of both sides'
    corrections. The degrees of freedom are those of the side that has fewer.

    Args:
        scores: (S, N) finite scores; bool and float32 are computed in float64.
        group: (N,) the rows of the group.
        rest: (N,) the rows it is held against; all others if None. Rows in neither are ignored.
        clusters: (N,) codes counted from 0.
        weights: (N,) finite weights, at least 0; a row of weight 0 is no row.

    Returns:
        The contrasts; None when either side has fewer than two units.

    Raises:
        ValueError: for shapes that do not fit, sides that share rows, scores that are not finite,
            or bad weights.

    >>> contrast = joint_contrast([[1, 1, 0, 1, 0, 0]], group=np.arange(6) < 3)
    >>> round(float(contrast.mean[0]), 4), contrast.n, contrast.df
    (0.3333, 3, 2.0)
    """
    rows = _Rows.of(scores, clusters, weights)
    inside = np.asarray(group, np.bool_)
    outside = ~inside if rest is None else np.asarray(rest, np.bool_)
    if not inside.shape == outside.shape == rows.values.shape[1:]:
        raise ValueError(f"group and rest mark each of the {rows.values.shape[1]} rows")
    if (inside & outside).any():
        raise ValueError("group and rest share rows, so there is nothing to contrast")
    one, other = rows.side(inside), rows.side(outside)
    if one is None or other is None:
        return None
    if rows.codes is None:
        covariance = _products(one.residuals) * one.correction
        covariance += _products(other.residuals) * other.correction
    else:
        covariance = _products(one.residuals - other.residuals)
        covariance *= max(one.correction, other.correction)
    effective = min(one.effective, other.effective)
    return JointMeans(
        mean=one.mean - other.mean,
        covariance=covariance,
        df=float(degrees_of_freedom(effective)),
        n=min(one.n, other.n),
        clusters=min(one.clusters, other.clusters),
        effective=effective,
        largest=max(one.largest, other.largest),
        dependence=None if rows.plain else contrasted(one.dependence(), other.dependence()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    mean: FloatArray  # (S,)
    residuals: FloatArray  # (S, units), the share of each unit in the error of the mean
    n: int
    clusters: int
    effective: float
    largest: float
    apart: float  # sum of the squared shares of the rows
    cubes: float  # sum of the cubed shares of the units
    spread: FloatArray  # (S, S)

    @property
    def correction(self) -> float:
        return float(correction(self.effective, self.largest))

    def dependence(self) -> Dependence:
        return Dependence(
            rows=float(self.n),
            apart=self.apart,
            joined=1 / self.effective,
            cubes=self.cubes,
            spread=as_tuples(self.spread),
        )


def as_tuples(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    """The same numbers as tuples of floats, as files hold them."""
    return tuple(tuple(row) for row in matrix.tolist())


def contrasted(one: Dependence, other: Dependence) -> Dependence:
    """How the rows of a contrast hang together, from those of its two sides."""
    rows = 1 / (1 / one.rows + 1 / other.rows)
    return Dependence(
        rows=rows,
        apart=one.apart + other.apart,
        joined=one.joined + other.joined,
        cubes=one.cubes + other.cubes,
        spread=tuple(
            tuple(rows * (a / one.rows + b / other.rows) for a, b in zip(x, y, strict=True))
            for x, y in zip(one.spread, other.spread, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    values: FloatArray  # (S, N)
    codes: NDArray[np.integer] | None  # (N,)
    weights: FloatArray | None  # (N,)

    @property
    def plain(self) -> bool:
        """Whether rows are independent and weigh the same."""
        return self.codes is None and self.weights is None

    @classmethod
    def of(
        cls, scores: ArrayLike, clusters: ArrayLike | None, weights: ArrayLike | None
    ) -> "_Rows":
        values = np.asarray(scores, np.float64)
        codes = None if clusters is None else np.asarray(clusters)
        weight = None if weights is None else np.asarray(weights, np.float64)
        if values.ndim != 2:
            raise ValueError(f"scores are (series, rows), got shape {values.shape}")
        for name, column in (("clusters", codes), ("weights", weight)):
            if column is not None and column.shape != values.shape[1:]:
                raise ValueError(
                    f"{name} has one entry per row, {values.shape[1]}; got shape {column.shape}"
                )
        if weight is not None and not ((weight >= 0) & (weight < np.inf)).all():
            raise ValueError("weights are finite and not negative")
        return cls(values, codes, weight)

    def side(self, chosen: BoolArray) -> _Side | None:
        if self.weights is not None:
            chosen = chosen & (self.weights > 0)
        every = bool(chosen.all())
        values = self.values if every else self.values[:, chosen]
        n = values.shape[1]
        if n < 2:
            return None
        share: FloatArray | float = 1 / n
        mean = values.mean(axis=1)
        weights = None if self.weights is None else self.weights[chosen]
        if weights is not None:
            share = weights / weights.sum()
            mean = (values * share).sum(axis=1)
        if not np.isfinite(mean).all():
            raise ValueError("scores are finite; missing ones are the caller's to impute")
        off = values - mean[:, None]
        residuals = off * share
        spread = np.einsum("sn,tn->st", residuals, off)
        if self.codes is None:
            if weights is None:
                return _Side(mean, residuals, n, n, n, 1 / n, 1 / n, n**-2, spread)
            rows = design(weights)
            effective, largest = float(rows.effective[0]), float(rows.largest[0])
            cubes = float(rows.cubes[0])
            return _Side(mean, residuals, n, n, effective, largest, 1 / effective, cubes, spread)
        # Both sides of a contrast need the same columns, so codes without rows keep theirs: zeros.
        size = int(self.codes.max()) + 1
        codes = self.codes if every else self.codes[chosen]
        units = design(np.bincount(codes, weights, size))
        if units.units[0] < 2:
            return None
        sums = np.array([np.bincount(codes, row, minlength=size) for row in residuals], np.float64)
        return _Side(
            mean,
            sums,
            n,
            int(units.units[0]),
            float(units.effective[0]),
            float(units.largest[0]),
            1 / n if weights is None else 1 / float(design(weights).effective[0]),
            float(units.cubes[0]),
            spread,
        )


def _products(residuals: FloatArray) -> FloatArray:
    # Not `@`: the order in which BLAS adds depends on its threads, and verdicts may not.
    products: FloatArray = np.einsum("su,tu->st", residuals, residuals)
    return products
