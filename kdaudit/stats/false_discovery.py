"""Adjustments that bound the expected share of false discoveries in a list."""

from collections.abc import Sequence

import numpy as np

from kdaudit.stats.arrays import FloatArray


def benjamini_hochberg(p: Sequence[float]) -> FloatArray:
    """Adjust p-values so that the expected share of false rejections stays below alpha.

    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57:289: the k-th
    smallest of m is multiplied by m / k, and none exceeds a larger one. Valid for independent or
    positively dependent tests; for a list to explore, never for a verdict.

    Args:
        p: (m,) p-values in [0, 1]; may be empty.

    Returns:
        (m,) adjusted p-values ("q-values") in the given order; list where at most alpha.

    Raises:
        ValueError: for a p-value outside [0, 1].

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    return _adjust(p, penalty=1.0)


def benjamini_yekutieli(p: Sequence[float]) -> FloatArray:
    """As `benjamini_hochberg`, but valid under any dependence: times 1 + 1/2 + ... + 1/m.

    Benjamini and Yekutieli (2001), Annals of Statistics 29:1165.

    >>> benjamini_yekutieli([0.01, 0.04, 0.03]).round(4).tolist()
    [0.055, 0.0733, 0.0733]
    """
    return _adjust(p, penalty=float((1 / np.arange(1, len(p) + 1)).sum()))


def _adjust(p: Sequence[float], *, penalty: float) -> FloatArray:
    values = np.asarray(p, np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values are one row of numbers in [0, 1], got {values.tolist()}")
    order = np.argsort(values, kind="stable")
    scaled = values[order] * penalty * values.size / np.arange(1, values.size + 1)
    adjusted = np.empty_like(values)
    # From the largest down, since a smaller p-value is never the weaker evidence.
    adjusted[order] = np.minimum(1, np.minimum.accumulate(scaled[::-1])[::-1])
    return adjusted
