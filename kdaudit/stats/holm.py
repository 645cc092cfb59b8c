"""Holm's adjustment for many tests."""

from collections.abc import Mapping, Sequence

import numpy as np

from kdaudit.stats.arrays import FloatArray


def holm(p: Sequence[float], weights: Sequence[float] | None = None) -> FloatArray:
    """Adjust p-values so that the chance of any false rejection stays below alpha.

    Holm (1979), Scandinavian Journal of Statistics 6:65: the k-th smallest of m is multiplied by
    m - k + 1, and none falls below a smaller one. With weights, each test has the share of alpha
    that its weight has of all weights that are not yet rejected (Benjamini and Hochberg 1997,
    Scandinavian Journal of Statistics 24:407, procedure 2). Valid under any dependence.

    Args:
        p: (m,) p-values in [0, 1]; may be empty.
        weights: (m,) finite, above 0; equal if None.

    Returns:
        (m,) adjusted p-values in the given order; reject where at most alpha.

    Raises:
        ValueError: for a p-value outside [0, 1], or weights that do not fit.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    >>> holm([0.02, 0.04], [3, 1]).round(4).tolist()
    [0.0267, 0.04]
    """
    values = np.asarray(p, np.float64)
    share = np.ones(values.size) if weights is None else np.asarray(weights, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values lie in [0, 1], got {values.tolist()}")
    if share.shape != values.shape or not ((share > 0) & (share < np.inf)).all():
        raise ValueError(f"weights are {values.size} finite numbers above 0, got {share.tolist()}")
    order = np.argsort(values / share, kind="stable")
    # What is left is added up from the end, so that equal weights give whole numbers.
    left = np.cumsum(share[order][::-1])[::-1]
    stepped = np.maximum.accumulate(values[order] * left / share[order])
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def rejected(p: Mapping[str, float], alpha: float) -> frozenset[str]:
    """Names of the tests that reject, by Holm over all of them.

    Args:
        p: by name, p-values in [0, 1].
        alpha: chance of any false rejection.

    >>> sorted(rejected({"lost": 0.02, "new": 0.04}, 0.05))
    ['lost', 'new']
    >>> sorted(rejected({"lost": 0.03, "new": 0.04}, 0.05))
    []
    """
    adjusted = zip(p, holm(list(p.values())), strict=True)
    return frozenset(name for name, one in adjusted if one <= alpha)
