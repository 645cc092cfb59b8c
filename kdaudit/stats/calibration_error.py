"""Binned calibration errors: how far claimed probabilities lie from what happened, bin by bin.

A claim is a probability given to an event: a confidence that the answer is right, or the
probability of one class. What happened is 0 or 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.levels import Levels

MOST_SWEPT = 1000


def equal_width_bins(claimed: ArrayLike, bins: int) -> IntArray:
    """Code each claim by its bin [k/bins, (k+1)/bins); the last bin holds 1 too.

    Args:
        claimed: (N,) numbers in [0, 1].
        bins: how many bins, at least 1.

    Returns:
        (N,) codes in [0, bins); bins may be empty.

    Raises:
        ValueError: for a claim outside [0, 1], or no bins.

    >>> equal_width_bins([0.0, 0.2, 0.29, 1.0], 5).tolist()
    [0, 1, 1, 4]
    """
    values = _claims(claimed, bins)
    codes = np.minimum((values * bins).astype(np.int64), bins - 1)
    # The product may round across an edge, as 0.29 * 100 = 28.999…: compared with the edges, it
    # is right. That is several times faster than a binary search for each claim.
    edges = np.append(np.arange(bins) / bins, 2.0)
    codes -= values < edges[codes]
    codes += values >= edges[codes + 1]
    return codes


def equal_mass_bins(claimed: ArrayLike, bins: int) -> IntArray:
    """Code each claim by bins that hold equally many rows, as far as ties allow.

    Edges are the largest values of ``bins`` runs of equal length, to within a row, of the sorted
    claims. Equal claims always share a bin; bins that ties leave empty are dropped. Where there are
    no more distinct claims than bins, as in models of few bits, each distinct claim is its own bin.

    Args:
        claimed: (N,) numbers in [0, 1].
        bins: most bins, at least 1.

    Returns:
        (N,) codes from 0 in rising order of the claims, all in use.

    Raises:
        ValueError: for a claim outside [0, 1], or no bins.

    >>> equal_mass_bins([0.9, 0.1, 0.4, 0.7, 0.8, 0.8, 0.8, 0.8], 3).tolist()
    [2, 0, 0, 0, 1, 1, 1, 1]
    >>> equal_mass_bins([0.9, 0.1, 0.8, 0.8, 0.8, 0.8], 3).tolist()
    [2, 0, 1, 1, 1, 1]
    """
    values = _claims(claimed, bins)
    if values.size == 0:
        return np.zeros(0, np.int64)
    ordered = np.sort(values)
    new = np.append(True, ordered[1:] != ordered[:-1])
    if np.count_nonzero(new) <= bins:
        edges = ordered[new]
    else:
        run, longer = divmod(values.size, bins)
        cuts = np.arange(1, bins)
        edges = np.unique(ordered[run * cuts + np.minimum(cuts, longer) - 1])
    return np.searchsorted(edges, values, side="left").astype(np.int64)


def bins_are_values(claimed: ArrayLike, codes: IntArray) -> bool:
    """Whether each bin holds one distinct claim, so that nothing is averaged away within bins.

    Args:
        claimed: (N,) the claims.
        codes: (N,) bin of each, from 0.

    >>> bins_are_values([0.5, 0.5, 0.75], np.array([0, 0, 1]))
    True
    """
    values = np.asarray(claimed, np.float64)
    if values.size == 0:
        return True
    one = np.zeros(int(codes.max()) + 1)
    one[codes] = values
    return bool((one[codes] == values).all())


def _claims(claimed: ArrayLike, bins: int) -> FloatArray:
    values = np.asarray(claimed, np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("claims are one row of numbers in [0, 1]")
    if bins < 1:
        raise ValueError(f"at least one bin is needed, got {bins}")
    return values


# Arrays have no single truth value, so a generated __eq__ would only raise.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reliability:
    """What was claimed and what happened, per bin that holds rows.

    Attributes:
        count: (M,) rows, at least 1.
        share: (M,) the bin's share of all weight; they sum to 1.
        claimed: (M,) mean claim.
        happened: (M,) share of rows in which it happened.
        effective: (M,) rows of equal weight that would say as much (Kish).
    """

    count: IntArray
    share: FloatArray
    claimed: FloatArray
    happened: FloatArray
    effective: FloatArray


def reliability(
    claimed: ArrayLike, happened: ArrayLike, codes: IntArray, weights: ArrayLike | None = None
) -> Reliability:
    """Average claims and outcomes over bins; bins without rows or weight are dropped.

    Args:
        claimed: (N,) numbers in [0, 1].
        happened: (N,) 0 or 1, or anything between.
        codes: (N,) bin of each row, from 0.
        weights: (N,) of the rows, at least 0; None for equal ones.

    Raises:
        ValueError: for lengths that differ.

    >>> reliability([0.6, 0.8, 0.9], [1, 0, 1], np.array([3, 3, 4])).claimed.round(3).tolist()
    [0.7, 0.9]
    """
    said, was = np.asarray(claimed, np.float64), np.asarray(happened, np.float64)
    count = np.bincount(codes).astype(np.int64)
    mass = squares = count.astype(np.float64)
    if weights is not None:
        weight = np.asarray(weights, np.float64)
        mass = np.bincount(codes, weight).astype(np.float64)
        squares = np.bincount(codes, weight * weight).astype(np.float64)
        said, was = said * weight, was * weight
    held = (count > 0) & (mass > 0)
    kept = mass[held]
    return Reliability(
        count=count[held],
        share=kept / kept.sum(),
        claimed=np.bincount(codes, said)[held] / kept,
        happened=np.bincount(codes, was)[held] / kept,
        effective=kept * kept / squares[held],
    )


def expected_calibration_error(diagram: Reliability) -> float:
    """Mean over rows of their bin's |happened - claimed| (Naeini et al. 2015); in [0, 1].

    For display: with few rows per bin it is far from 0 even for a calibrated model.

    Raises:
        ValueError: without rows.

    >>> expected_calibration_error(reliability([0.5, 0.5, 1], [1, 1, 1], np.array([0, 0, 1])))
    0.3333333333333333
    """
    if diagram.count.size == 0:
        raise ValueError("no rows, so no calibration error")
    return float((diagram.share * np.abs(diagram.happened - diagram.claimed)).sum())


def swept_calibration_error(claims: Levels) -> tuple[float, int]:
    """Expected calibration error over the most equal-mass bins whose outcomes still rise.

    ECE-sweep (Roelofs et al. 2022): a calibrated model's outcomes rise with its claims, so bins are
    made finer until noise breaks the order. Less biased than a number of bins fixed in advance.

    Args:
        claims: what was claimed, in [0, 1], and what happened.

    Returns:
        The error, in [0, 1], and the bins in use, at most 1,000.

    >>> from kdaudit.stats.levels import levels
    >>> swept_calibration_error(levels([0.25, 0.5, 0.5, 0.75], [0, 1, 0, 1]))
    (0.125, 3)
    """
    ends = np.cumsum(claims.rows)
    said = np.cumsum(np.append(0.0, claims.mass * claims.claimed))
    was = np.cumsum(np.append(0.0, claims.happened))
    mass = np.cumsum(np.append(0.0, claims.mass))
    found = abs(float(said[-1] - was[-1]) / mass[-1]), 1
    for bins in range(2, min(int(ends[-1]), MOST_SWEPT) + 1):
        # A cut among equal claims moves behind the last of them.
        cuts = np.searchsorted(ends, np.arange(1, bins) * ends[-1] // bins) + 1
        edges = np.unique(np.concatenate([[0], cuts, [ends.size]]))
        part = np.diff(mass[edges])
        rate = np.diff(was[edges])[part > 0] / part[part > 0]
        if (np.diff(rate) < 0).any():
            break
        gaps = np.abs(np.diff(was[edges]) - np.diff(said[edges]))
        found = float(gaps.sum() / mass[-1]), edges.size - 1
    return found


def debiased_squared_error(
    count: ArrayLike, sum_claimed: ArrayLike, sum_happened: ArrayLike
) -> FloatArray:
    """Squared calibration error without the bias of small bins.

    Each bin's squared gap less its sampling variance a (1 - a) / (n - 1), weighted by rows
    (Bröcker 2012; Kumar, Liang and Ma 2019). Bins with fewer than two rows add 0. Never clipped
    at 0: clipped values would bias differences between models.

    Args:
        count: (..., M) rows per bin; each table holds at least one row.
        sum_claimed: (..., M) sum of claims per bin.
        sum_happened: (..., M) rows per bin in which it happened.

    Returns:
        (...) estimates; may be negative.

    >>> f"{debiased_squared_error([4, 1], [2.0, 0.9], [3.0, 1.0]):.4f}"
    '0.0000'
    """
    n = np.asarray(count, np.float64)
    filled = np.maximum(n, 1)
    rate = np.asarray(sum_happened, np.float64) / filled
    gap = np.asarray(sum_claimed, np.float64) / filled - rate
    noise = rate * (1 - rate) / np.maximum(n - 1, 1)
    share = n / n.sum(axis=-1, keepdims=True)
    return np.asarray((share * np.where(n > 1, gap * gap - noise, 0)).sum(axis=-1), np.float64)


def debiased_squared_error_of_clusters(
    clusters: ArrayLike,
    count: ArrayLike,
    sum_gap: ArrayLike,
    sum_squared_gap: ArrayLike,
    sum_gap_count: ArrayLike,
    sum_squared_count: ArrayLike,
) -> FloatArray:
    """Squared calibration error without the bias of small bins, where rows come in clusters.

    Rows of a cluster err together, so a bin's gap g is noisier than `debiased_squared_error` takes
    out. Here the noise is the cluster-robust variance of g: with G_c the summed gap of a cluster in
    the bin, and n_c its rows there, ``Σ (G_c - g n_c)² / n² · C / (C - 1)``. Bins with fewer than
    two clusters add 0. Clusters of one row and equal claims give `debiased_squared_error` again.

    All arguments are sums over the clusters of a bin, so that resampled clusters can be added up.

    Args:
        clusters: (..., M) clusters C with rows in the bin.
        count: (..., M) rows n; each table holds at least one row.
        sum_gap: (..., M) Σ G_c, claims less outcomes.
        sum_squared_gap: (..., M) Σ G_c².
        sum_gap_count: (..., M) Σ G_c n_c.
        sum_squared_count: (..., M) Σ n_c².

    Returns:
        (...) estimates; may be negative.

    >>> f"{debiased_squared_error_of_clusters([4], [4], [-1.0], [1.0], [-1.0], [4]):.6f}"
    '0.000000'
    """
    n, units = np.asarray(count, np.float64), np.asarray(clusters, np.float64)
    gap = np.asarray(sum_gap, np.float64) / np.maximum(n, 1)
    spread = (
        np.asarray(sum_squared_gap, np.float64)
        - 2 * gap * np.asarray(sum_gap_count, np.float64)
        + gap * gap * np.asarray(sum_squared_count, np.float64)
    )
    noise = spread / np.maximum(n, 1) ** 2 * units / np.maximum(units - 1, 1)
    share = n / n.sum(axis=-1, keepdims=True)
    return np.asarray((share * np.where(units > 1, gap * gap - noise, 0)).sum(axis=-1), np.float64)
