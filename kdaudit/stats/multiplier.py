"""Gaussian multipliers: draws of the error of linear statistics, from counts of equal rows."""

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray

CHUNK_BYTES = 64_000_000


def multiplier_draws(
    counts: ArrayLike, influence: FloatArray, *, replicates: int, rng: np.random.Generator
) -> FloatArray:
    """Draw the joint error of Q estimates by weighing each row's influence with a normal.

    The n_c rows of a cell have the same influence, and a sum of n_c standard normals is one normal
    times √n_c, so that the cost depends on the cells only (Chernozhukov, Chetverikov and Kato
    2013). Over the draws, the covariance is ``Σ n_c φ_c φ_cᵀ``.

    Args:
        counts: (C,) rows per cell, not negative.
        influence: (C, Q) what one row of the cell contributes to the error of each estimate, such
            as ``(d - mean) / n`` of a mean.
        replicates: draws, at least 1.
        rng: the generator; the draws do not depend on how they are chunked.

    Returns:
        (replicates, Q) draws around 0; memory beyond that stays near 64 MB.

    Raises:
        ValueError: for shapes that do not fit, a negative count, or no replicates.

    >>> d, counts = np.array([-1.0, 0, 1]), np.array([30, 940, 30])
    >>> draws = multiplier_draws(counts, d[:, None] / 1000, replicates=4000,
    ...                          rng=np.random.default_rng(0))
    >>> f"{draws.std():.4f} {(0.06 / 1000) ** 0.5:.4f}"
    '0.0077 0.0077'
    """
    rows = np.asarray(counts, np.float64)
    if rows.ndim != 1 or influence.ndim != 2 or influence.shape[:1] != rows.shape:
        raise ValueError(f"needs (C,) and (C, Q), got {rows.shape} and {influence.shape}")
    if not ((rows >= 0) & (rows < np.inf)).all() or replicates < 1:
        raise ValueError("counts are not negative, and at least one replicate is drawn")
    scaled = np.sqrt(rows)[:, None] * influence
    chunk = max(1, CHUNK_BYTES // (8 * max(1, rows.size)))
    return np.concatenate(
        [
            rng.standard_normal((min(chunk, replicates - start), rows.size)) @ scaled
            for start in range(0, replicates, chunk)
        ]
    )
