"""Values of N rows laid end to end, a segment per row: the largest, and sums of exponentials."""

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray


def segment_max(values: ArrayLike, start: ArrayLike) -> FloatArray:
    """(N,) the largest value of each segment; -inf of an empty one.

    Args:
        values: (K,) numbers.
        start: (N + 1,) where each segment begins; the last is K.

    >>> segment_max([1.0, 3.0, 2.0], [0, 2, 2, 3]).tolist()
    [3.0, -inf, 2.0]
    """
    given, begin = np.asarray(values, np.float64), np.asarray(start, np.int64)
    largest = np.full(len(begin) - 1, -np.inf)
    filled = np.flatnonzero(np.diff(begin))
    if len(filled):
        largest[filled] = np.maximum.reduceat(given, begin[filled])
    return largest


def segment_logsumexp(values: ArrayLike, start: ArrayLike) -> FloatArray:
    """(N,) ``log Σ exp`` of each segment; -inf of an empty one. It never underflows.

    Args:
        values: (K,) logarithms; -inf is the logarithm of 0.
        start: (N + 1,) where each segment begins; the last is K.

    >>> segment_logsumexp([-1000.0, -1000.0, 0.0], [0, 2, 3]).round(4).tolist()
    [-999.3069, 0.0]
    """
    given, begin = np.asarray(values, np.float64), np.asarray(start, np.int64)
    largest = segment_max(given, begin)
    size = np.diff(begin)
    centre = np.where(np.isfinite(largest), largest, 0.0)
    scaled = np.exp(given - np.repeat(centre, size))
    total = np.zeros(len(size))
    filled = np.flatnonzero(size)
    if len(filled):
        total[filled] = np.add.reduceat(scaled, begin[filled])
    with np.errstate(divide="ignore"):
        return np.asarray(centre + np.log(total), np.float64)
