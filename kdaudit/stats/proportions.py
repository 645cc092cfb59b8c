"""Intervals for one proportion."""

import math

from kdaudit.stats.interval import Interval, normal_quantile, tail


def wilson(successes: float, n: float, level: float) -> Interval:
    """Score interval of a proportion, after Wilson (1927).

    Args:
        successes: count in [0, n]; need not be whole, so that effective counts are allowed.
        n: units, above 0.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval in [0, 1]; exactly 0 or 1 at that end when the estimate is 0 or 1.

    Raises:
        ValueError: for n <= 0, successes outside [0, n], or a level outside (0, 1).

    >>> low, high = wilson(8, 10, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '0.4902 0.9433'
    """
    _check(successes, n)
    z = normal_quantile(tail(level))
    share = successes / n
    shrink = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / shrink
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high)


def clopper_pearson(successes: float, n: float, level: float) -> Interval:
    """Exact interval of a proportion: never covers less than ``level``.

    Clopper and Pearson (1934), through quantiles of the beta distribution.

    Args:
        successes: count in [0, n]; need not be whole, so that effective counts are allowed.
        n: units, above 0.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval in [0, 1].

    Raises:
        ValueError: for n <= 0, successes outside [0, n], or a level outside (0, 1).

    >>> low, high = clopper_pearson(0, 10, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '0.0000 0.3085'
    """
    from scipy.special import betaincinv

    _check(successes, n)
    alpha = tail(level)
    failures = n - successes
    low = 0.0 if successes == 0 else float(betaincinv(successes, failures + 1, alpha))
    # The upper end is the lower end for failures: accurate where 1 - alpha would round.
    high = 1.0 if failures == 0 else 1 - float(betaincinv(failures, successes + 1, alpha))
    return Interval(low, high)


def _check(successes: float, n: float) -> None:
    if not (0 < n < math.inf and 0 <= successes <= n):
        raise ValueError(f"a proportion needs n > 0 and 0 <= successes <= n: {successes} of {n}")
