"""Bootstrap over block sums, for statistics that are no means."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.interval import Interval, normal_quantile, tail

CHUNK_BYTES = 64_000_000
FEWEST = 5  # draws in a tail whose quantile is still used


def blocks(
    n: int, clusters: ArrayLike | None, rng: np.random.Generator, most: int = 2000
) -> IntArray:
    """Put rows into at most ``most`` blocks that are resampled as wholes.

    Without clusters the blocks are random and of equal size, to within a row. Clusters are their
    own blocks; more than ``most`` of them are joined at random, never split.

    Args:
        n: rows.
        clusters: (n,) codes of any kind that numpy can sort, or None.
        rng: the generator of the random parts.
        most: most blocks, at least 1.

    Returns:
        (n,) codes from 0, all in use.

    Raises:
        ValueError: for clusters that are not n, or ``most`` below 1.

    >>> np.bincount(blocks(10, None, np.random.default_rng(0), most=4)).tolist()
    [3, 3, 2, 2]
    >>> blocks(4, ["b", "a", "b", "b"], np.random.default_rng(0)).tolist()
    [1, 0, 1, 1]
    """
    if most < 1:
        raise ValueError(f"at least one block is needed, got {most}")
    if clusters is None:
        return rng.permutation(np.arange(n, dtype=np.int64) % most)
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    if codes.shape != (n,):
        raise ValueError(f"clusters has one code per row, {n}; got shape {codes.shape}")
    if names.size > most:
        codes = rng.permutation(np.arange(names.size, dtype=np.int64) % most)[codes]
    return codes.astype(np.int64)


def block_bootstrap(
    sums: FloatArray,
    statistic: Callable[[FloatArray], FloatArray],
    *,
    replicates: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw a statistic of sums from resampled blocks.

    Each replicate draws K of the K blocks with replacement and adds their sums, so the cost does
    not depend on the number of rows. The blocks must carry the counts too: resampled sums have no
    fixed number of rows, so shares are ratios of sums.

    Args:
        sums: (K, P) sums of P additive quantities per block, K >= 2.
        statistic: maps (B, P) resampled sums to (B,) or (B, Q) values, row by row.
        replicates: draws, at least 1.
        rng: the generator; the draws do not depend on how they are chunked.

    Returns:
        (replicates,) or (replicates, Q) draws; memory beyond that stays near 64 MB.

    Raises:
        ValueError: for fewer than two blocks or no replicates.

    >>> rows = np.stack([np.arange(200.0), np.ones(200)], axis=1)
    >>> rng = np.random.default_rng(0)
    >>> draws = block_bootstrap(rows, lambda s: s[:, 0] / s[:, 1], replicates=4000, rng=rng)
    >>> f"{draws.std():.0f} {rows[:, 0].std() / 200**0.5:.0f}"
    '4 4'
    """
    if sums.ndim != 2 or sums.shape[0] < 2 or replicates < 1:
        raise ValueError(f"needs two blocks and a replicate, got {sums.shape} and {replicates}")
    count, width = sums.shape
    # Drawn indices, counted weights and their float copy live at once, beside the sums.
    chunk = max(1, CHUNK_BYTES // (8 * (3 * count + 2 * width)))
    draws = []
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        # Multinomial weights by counting drawn blocks: faster than `rng.multinomial`.
        drawn = rng.integers(count, size=(size, count))
        drawn += count * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)
        draws.append(np.asarray(statistic(weights.astype(np.float64) @ sums), np.float64))
    return np.concatenate(draws)


def percentile_bootstrap_interval(draws: ArrayLike, level: float) -> Interval:
    """Interval between the two tail quantiles of bootstrap draws (Efron's percentile method).

    Where a tail holds fewer than five draws, their quantile says little of it: the interval then
    reaches at least as far as a normal tail through the fifth draw would.

    Args:
        draws: (B,) finite draws of one statistic.
        level: two-sided coverage in (0, 1).

    Raises:
        ValueError: for no draws, draws that are not finite, or a level outside (0, 1).

    >>> percentile_bootstrap_interval(np.arange(100), 0.9)
    Interval(low=4.0, high=94.0)
    """
    alpha = tail(level)
    array = np.asarray(draws, np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError("an interval needs one row of finite draws, at least one")
    low, high = np.quantile(array, [alpha, 1 - alpha], method="inverted_cdf")
    known = min(FEWEST / array.size, 0.25)
    if alpha < known - 1e-12:
        centre, *ends = np.quantile(array, [0.5, known, 1 - known], method="inverted_cdf")
        reach = normal_quantile(alpha) / normal_quantile(known)
        low = min(low, centre - (centre - ends[0]) * reach)
        high = max(high, centre + (ends[1] - centre) * reach)
    return Interval(float(low), float(high))
