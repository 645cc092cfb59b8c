"""Intervals of the paired difference for few rows: second opinions on Tango's."""

import math

import numpy as np

from kdaudit.stats.interval import Interval, normal_quantile, tail

# Points of the integral over the share of differing rows; its error is below 1e-6.
POINTS = 4000


def bonett_price_difference_interval(n10: int, n01: int, n: int, level: float) -> Interval:
    """Normal interval after adding one row to either side, after Bonett and Price (2012).

    Journal of Educational and Behavioral Statistics 37:479.

    Args:
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n: all rows, above 0.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval in [-1, 1].

    Raises:
        ValueError: for counts that do not fit in n, or a level outside (0, 1).

    >>> low, high = bonett_price_difference_interval(6, 16, 161, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '-0.1195 -0.0032'
    """
    _check(n10, n01, n)
    first, second = (n10 + 1) / (n + 2), (n01 + 1) / (n + 2)
    centre = first - second
    reach = normal_quantile(tail(level)) * math.sqrt((first + second - centre**2) / (n + 2))
    return Interval(max(-1.0, centre - reach), min(1.0, centre + reach))


def dirichlet_difference_interval(n10: int, n01: int, n: int, level: float) -> Interval:
    """Posterior interval of student - teacher under Dirichlet(1/2) shares of the four cells.

    For n below about 50, where normal intervals cover too little. The share of rows that differ
    is Beta(n10 + n01 + 1, n - n10 - n01 + 1), the student's part of it an independent
    Beta(n10 + 1/2, n01 + 1/2); the distribution of the difference is their integral, without
    random draws.

    Args:
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n: all rows, above 0.
        level: two-sided coverage in (0, 1), equal tails.

    Returns:
        The interval in (-1, 1), ends to within 1e-5.

    Raises:
        ValueError: for counts that do not fit in n, or a level outside (0, 1).

    >>> low, high = dirichlet_difference_interval(6, 16, 161, 0.95)
    >>> f"{low:.3f} {high:.3f}"
    '-0.120 -0.006'
    """
    from scipy.optimize import brentq
    from scipy.special import betainc, betaincinv

    _check(n10, n01, n)
    alpha = tail(level)
    chances = (np.arange(POINTS) + 0.5) / POINTS
    differing = betaincinv(n10 + n01 + 1, n - n10 - n01 + 1, chances)

    def excess(difference: float, chance: float) -> float:
        part = np.clip((1 + difference / differing) / 2, 0, 1)
        return float(betainc(n10 + 0.5, n01 + 0.5, part).mean()) - chance

    low, high = (
        float(brentq(excess, -1, 1, args=(chance,), xtol=1e-9)) for chance in (alpha, 1 - alpha)
    )
    return Interval(low, high)


def _check(n10: int, n01: int, n: int) -> None:
    if not (n > 0 and n10 >= 0 and n01 >= 0 and n10 + n01 <= n):
        raise ValueError(f"a table needs n > 0 and counts in [0, n], got {n10}, {n01} of {n}")
