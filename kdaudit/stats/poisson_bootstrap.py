"""Bootstrap by Poisson weights, for statistics that need every row: quantiles, ranks, areas."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kdaudit.stats.arrays import FloatArray

CHUNK_BYTES = 64_000_000

# Of 65,536 equally likely 16-bit words, how many stand for 0, 1, 2, ... copies of a row: Poisson(1)
# rounded so that the mean and the variance stay exactly 1.
COPIES = (24108, 24110, 12058, 4016, 1004, 201, 33, 5, 1)


def poisson_bootstrap(
    rows: int,
    statistic: Callable[[NDArray[np.uint8]], FloatArray],
    *,
    replicates: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw a statistic of weighted rows, each row drawn a Poisson(1) number of times.

    For large n this is the bootstrap without its fixed number of rows (Hanley and MacGibbon 2006),
    so that a statistic must divide by the sum of the weights: means, ratios, quantiles, never
    totals. Where sums over rows are enough, `kdaudit.stats.bootstrap.block_bootstrap` is a hundred
    times faster; a row of clustered data stands for a whole cluster.

    Args:
        rows: how many, N >= 1.
        statistic: maps (B, N) weights to (B,) or (B, Q) values, row by row. Weights are small
            whole numbers of one byte: convert them to float32 before a product.
        replicates: draws, at least 1; a million rows take about 3 ms each.
        rng: the generator; the draws do not depend on how they are chunked.

    Returns:
        (replicates,) or (replicates, Q) draws; memory beyond that stays near 64 MB.

    Raises:
        ValueError: for no rows or no replicates.

    >>> x = np.arange(900.0)
    >>> draws = poisson_bootstrap(900, lambda w: (w @ x) / w.sum(axis=1), replicates=2000,
    ...                           rng=np.random.default_rng(0))
    >>> f"{draws.std():.0f} {x.std() / 30:.0f}"
    '9 9'
    """
    if rows < 1 or replicates < 1:
        raise ValueError(f"needs a row and a replicate, got {rows} and {replicates}")
    copies = np.repeat(np.arange(len(COPIES), dtype=np.uint8), COPIES)
    # Bytes of the weights and of one float32 copy that the statistic may make of them.
    chunk = max(1, CHUNK_BYTES // (5 * rows))
    draws = []
    for start in range(0, replicates, chunk):
        weights = np.empty((min(chunk, replicates - start), rows), np.uint8)
        for weight in weights:
            np.take(copies, np.frombuffer(rng.bytes(2 * rows), "<u2"), out=weight)
        draws.append(np.asarray(statistic(weights), np.float64))
    return np.concatenate(draws)
