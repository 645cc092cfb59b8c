"""Rows by distinct claim: all that order-based errors of a model's confidence depend on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray, IntArray


# Arrays have no single truth value, so a generated __eq__ would only raise.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """N rows in G levels of equal claims, rising.

    Attributes:
        order: (N,) row numbers, sorted by claim.
        rows: (G,) rows of each level, at least 1.
        claimed: (G,) the claim.
        mass: (G,) the level's weight: its rows, where all weigh the same.
        happened: (G,) that of the rows in which what was claimed happened; at most ``mass``.
    """

    order: IntArray
    rows: IntArray
    claimed: FloatArray
    mass: FloatArray
    happened: FloatArray

    def by_row(self, values: FloatArray) -> FloatArray:
        """(N,) each row's entry of (G,) values, in the rows' own order."""
        out = np.empty(self.order.size)
        out[self.order] = np.repeat(values, self.rows)
        return out


def levels(claimed: ArrayLike, happened: ArrayLike, weights: ArrayLike | None = None) -> Levels:
    """Sort rows once by what they claim.

    Args:
        claimed: (N,) finite numbers, N >= 1.
        happened: (N,) 0 or 1.
        weights: (N,) of the rows, at least 0; None for equal ones.

    Raises:
        ValueError: for shapes that do not fit, claims that are not finite, or no weight at all.

    >>> found = levels([0.9, 0.5, 0.9, 0.6], [1, 0, 0, 1])
    >>> found.claimed.tolist(), found.mass.tolist(), found.happened.tolist()
    ([0.5, 0.6, 0.9], [1.0, 1.0, 2.0], [0.0, 1.0, 1.0])
    """
    said, was = np.asarray(claimed, np.float64), np.asarray(happened, np.float64)
    if said.ndim != 1 or said.shape != was.shape:
        raise ValueError(f"claims and outcomes are one row each, got {said.shape}, {was.shape}")
    if not np.isfinite(said).all():
        raise ValueError("claims are finite; rows without an answer make none")
    weight = None if weights is None else np.asarray(weights, np.float64)
    if not (said.size if weight is None else weight.shape == said.shape and weight.sum() > 0):
        raise ValueError("at least one row has weight, and weights are one per row")
    order = np.argsort(said, kind="stable")
    ordered = said[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    rows = np.diff(np.append(starts, said.size)).astype(np.int64)
    sorted_weight = np.ones(said.size) if weight is None else weight[order]
    return Levels(
        order=order.astype(np.int64),
        rows=rows,
        claimed=ordered[starts],
        mass=np.add.reduceat(sorted_weight, starts),
        happened=np.add.reduceat(sorted_weight * was[order], starts),
    )
