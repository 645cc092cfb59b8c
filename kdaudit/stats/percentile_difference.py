"""The difference of two percentiles of requests that ran in blocks.

Beyond p99 of 300 requests lie three. Blocks drawn from them never hold a value above the largest,
so their percentiles spread too little: an interval of the difference at 90 % then errs on one side
with chance 0.16, where the slower of both has the heavier tail. Where a tail holds few values, the
interval is therefore joined with one that is made of the two percentiles' own exact intervals.
"""

import math
from typing import NamedTuple

import numpy as np

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.bootstrap import block_bootstrap, percentile_bootstrap_interval
from kdaudit.stats.interval import Interval
from kdaudit.stats.order_statistics import percentile, percentile_interval

FEW = 20  # values beyond a percentile, below which resampling does not tell how it may lie off


class InBlocks(NamedTuple):
    """(n,) finite values and the codes, from 0, of the blocks they ran in."""

    values: FloatArray
    block: IntArray


def percentile_difference(
    one: InBlocks,
    other: InBlocks,
    p: float,
    level: float,
    *,
    replicates: int,
    rng: np.random.Generator,
) -> Interval | None:
    """Interval of one percentile minus another, by resampling blocks that both ran in.

    Requests that follow each other are alike, so blocks are drawn, not requests (Kalibera and Jones
    2013); a block brings the values of both. Where fewer than `FEW` values lie beyond one of the
    percentiles, the interval also holds that of Zou and Donner (2008), Statistics in Medicine
    27:1693, from both order-statistics intervals and the correlation that the draws show.

    Args:
        one: values of the first; blocks of equal code are the same block.
        other: of the second.
        p: share in (0, 1).
        level: two-sided level.
        replicates: draws.
        rng: their generator.

    Returns:
        The interval; None with fewer than two blocks, or too few values for order statistics where
        they are needed.

    >>> block = np.arange(200) // 20
    >>> base = np.random.default_rng(0).exponential(size=200)
    >>> low, high = percentile_difference(
    ...     InBlocks(base + 1, block), InBlocks(base, block), 0.5, 0.9,
    ...     replicates=200, rng=np.random.default_rng(1),
    ... )
    >>> round(low, 9), round(high, 9)
    (1.0, 1.0)
    """
    count = int(max(one.block.max(initial=-1), other.block.max(initial=-1))) + 1
    if count < 2:
        return None
    distinct = [np.unique(side.values, return_inverse=True) for side in (one, other)]
    cells = [
        _counts(side.block, which, (count, len(values)))
        for side, (values, which) in zip((one, other), distinct, strict=True)
    ]

    def statistic(sums: FloatArray) -> FloatArray:
        parts = np.split(sums, [len(distinct[0][0])], axis=1)
        picked = [
            values[
                np.argmax(np.cumsum(part, axis=1) >= p * part.sum(axis=1)[:, None] - 1e-9, axis=1)
            ]
            for (values, _), part in zip(distinct, parts, strict=True)
        ]
        return np.asarray(np.stack(picked, axis=1), np.float64)

    draws = block_bootstrap(np.hstack(cells), statistic, replicates=replicates, rng=rng)
    apart = draws[:, 0] - draws[:, 1]
    drawn = percentile_bootstrap_interval(apart, level)
    if np.ptp(apart) == 0:  # of two that are the same, request by request
        return drawn
    if min(len(one.values), len(other.values)) * min(p, 1 - p) >= FEW:
        return drawn
    joined = _recovered(one.values, other.values, p, level, _together(draws))
    if joined is None:
        return None
    return Interval(min(drawn.low, joined.low), max(drawn.high, joined.high))


def _together(draws: FloatArray) -> float:
    """Correlation of the two percentiles over draws, in [0, 1]; 0 where one does not vary."""
    off = draws - draws.mean(axis=0)
    spread = math.sqrt(float((off[:, 0] ** 2).sum()) * float((off[:, 1] ** 2).sum()))
    return max(0.0, min(1.0, float((off[:, 0] * off[:, 1]).sum()) / spread)) if spread > 0 else 0.0


def _recovered(
    one: FloatArray, other: FloatArray, p: float, level: float, correlation: float
) -> Interval | None:
    """Interval of a difference from the intervals of both, with variances recovered from these."""
    first, second = (percentile_interval(np.sort(x), p, level) for x in (one, other))
    if first is None or second is None:
        return None
    x, y = percentile(one, p), percentile(other, p)

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a + b * b - 2 * correlation * a * b))

    return Interval(
        x - y - reach(x - first.low, second.high - y),
        x - y + reach(first.high - x, y - second.low),
    )


def _counts(block: IntArray, which: IntArray, shape: tuple[int, int]) -> FloatArray:
    """(K, V) how often each value occurs in each block."""
    counts = np.zeros(shape)
    np.add.at(counts, (block, which), 1.0)
    return counts
