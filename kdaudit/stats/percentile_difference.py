"""The difference of two percentiles of requests that ran in blocks."""

from typing import NamedTuple

import numpy as np

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.bootstrap import block_bootstrap, percentile_bootstrap_interval
from kdaudit.stats.interval import Interval


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
    2013); a block brings the values of both.

    Args:
        one: values of the first; blocks of equal code are the same block.
        other: of the second.
        p: share in (0, 1).
        level: two-sided level.
        replicates: draws.
        rng: their generator.

    Returns:
        The interval; None with fewer than two blocks.

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
        return np.asarray(picked[0] - picked[1], np.float64)

    draws = block_bootstrap(np.hstack(cells), statistic, replicates=replicates, rng=rng)
    return percentile_bootstrap_interval(draws, level)


def _counts(block: IntArray, which: IntArray, shape: tuple[int, int]) -> FloatArray:
    """(K, V) how often each value occurs in each block."""
    counts = np.zeros(shape)
    np.add.at(counts, (block, which), 1.0)
    return counts
