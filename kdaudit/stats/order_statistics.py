"""Percentiles, with intervals that assume nothing of the distribution."""

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.interval import Interval, tail


def percentile(values: ArrayLike, p: float) -> float:
    """Smallest value that at least a share ``p`` of the values does not exceed.

    It is always one of the values (numpy's ``inverted_cdf``), so that no two versions interpolate
    differently.

    Args:
        values: (n,) finite values, n >= 1, in any order.
        p: share in [0, 1].

    Raises:
        ValueError: for no values, values that are not finite, or a share outside [0, 1].

    >>> percentile([3.0, 1.0, 2.0, 10.0], 0.5)
    2.0
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError("a percentile needs one row of finite values, at least one")
    if not 0 <= p <= 1:
        raise ValueError(f"a percentile is given as a share in [0, 1], got {p}")
    return float(np.quantile(array, p, method="inverted_cdf"))


def percentile_interval(sorted_values: ArrayLike, p: float, level: float) -> Interval | None:
    """Interval of a percentile between two order statistics.

    How many of n values lie below the true percentile is Binomial(n, p), whatever the
    distribution; the ends are the values at the ranks of its tails (Conover 1999, §3.2).

    Args:
        sorted_values: (n,) independent finite values in rising order.
        p: share in (0, 1).
        level: two-sided coverage in (0, 1), never less than stated.

    Returns:
        The interval; None when n is too small for either end to exist: an upper end needs
        ``p^n <= (1 - level) / 2``, which is 299 values for p99 at a level of 0.90.

    Raises:
        ValueError: for values out of order or not finite, or a share or level out of range.

    >>> percentile_interval(np.arange(1, 1001), 0.99, 0.95)
    Interval(low=983.0, high=997.0)
    >>> percentile_interval(np.arange(298), 0.99, 0.90) is None
    True
    """
    from scipy.stats import binom

    array = np.asarray(sorted_values, np.float64)
    if array.ndim != 1 or not np.isfinite(array).all() or not (np.diff(array) >= 0).all():
        raise ValueError("values are one row of finite numbers in rising order")
    if not 0 < p < 1:
        raise ValueError(f"a percentile is given as a share strictly between 0 and 1, got {p}")
    alpha = tail(level)
    if array.size == 0:
        return None
    low = int(binom.ppf(alpha, array.size, p))
    high = int(binom.ppf(1 - alpha, array.size, p)) + 1
    if low < 1 or high > array.size:
        return None
    return Interval(float(array[low - 1]), float(array[high - 1]))
