"""Max-T over many overlapping slices of rows, from sums over cells."""

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import BoolArray, FloatArray
from kdaudit.stats.max_t import DRAWS, Family, family_from_factor, unit_triangle


def family_from_cells(
    rows: ArrayLike,
    total: ArrayLike,
    squares: ArrayLike,
    membership: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Family:
    """Join the mean differences of K slices, each a union of cells; slices may overlap.

    A cell holds rows that belong to the same slices. With independent rows the sums of squares and
    products over cells give the exact multiplier covariance of all slices, so that the cost
    depends on K and the cells, not on the rows.

    The variance of one row's difference in slice s is smoothed, ``(Σd² + 1) / (n + 2) - mean²``:
    for d in {-1, 0, 1} this adds one differing row to n, so that slices in which hardly any row
    differs do not take over the maximum. The drawn statistics are scaled by the same error, and so
    spread less than 1 in such slices.

    Args:
        rows: (C,) rows per cell, not negative.
        total: (C,) sum of the rows' differences d, each in [-1, 1].
        squares: (C,) sum of d², between total²/rows and rows.
        membership: (C, K) whether the slice holds the cell.
        rng: the generator.
        draws: how many, a multiple of 1,000.

    Returns:
        The family of K mean differences, with infinite degrees of freedom.

    Raises:
        ValueError: for shapes that do not fit, sums no d in [-1, 1] can have, or a slice without
            rows.

    >>> from kdaudit.stats import max_t
    >>> slices = [[True, False], [True, True]]
    >>> rng = np.random.default_rng(0)
    >>> family = family_from_cells([600, 400], [-6, -40], [30, 60], slices, rng=rng)
    >>> family.value.tolist(), max_t.p_below(family, -0.05).round(2).tolist()
    ([-0.046, -0.1], [0.66, 0.01])
    """
    cells = np.stack([np.asarray(x, np.float64) for x in (rows, total, squares)])
    held = np.asarray(membership, np.bool_)
    if cells.ndim != 2 or held.ndim != 2 or held.shape[0] != cells.shape[1]:
        raise ValueError(f"needs (C,) sums and (C, K), got {cells.shape[1:]} and {held.shape}")
    count, sums, square = cells
    # Cauchy and Schwarz: no differences have a smaller sum of squares for their sum.
    if not ((count >= 0) & (square <= count) & (sums**2 <= count * square * (1 + 1e-9))).all():
        raise ValueError("no differences in [-1, 1] have these sums")
    n, d, q = _shared(cells, held)
    if not (np.diag(n) > 0).all():
        raise ValueError("every slice holds at least one row")
    mean = np.diag(d) / np.diag(n)
    # Σ (d - mean_s)(d - mean_t) over the rows that slices s and t share.
    products = q - mean[:, None] * d - d * mean + mean[:, None] * mean * n
    variance = (np.diag(q) + 1) / (np.diag(n) + 2) - mean**2
    scale = np.sqrt(np.diag(n) * variance)
    shrunk = np.sqrt(np.maximum(np.diag(products), 0)) / scale
    factor = unit_triangle(products) * np.minimum(shrunk, 1)[:, None]
    return family_from_factor(mean, scale / np.diag(n), factor, df=np.inf, rng=rng, draws=draws)


def _shared(cells: FloatArray, held: BoolArray) -> list[FloatArray]:
    """Sum each of ``cells`` over the cells that two slices share: (K, K) each."""
    from scipy.sparse import csr_array

    # A row lies in few of many slices, so that most of the products are of zeros.
    inside = csr_array(held, dtype=np.float64)
    return [
        np.asarray((inside.T @ inside.multiply(sums[:, None])).toarray(), np.float64)
        for sums in cells
    ]
