"""Intervals of functions of several means: ratios by Fieller, other smooth functions by delta."""

import math

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.interval import Interval, tail


def fieller_interval(  # the facts of two means
    top: float,
    bottom: float,
    covariance: ArrayLike,
    df: float,
    level: float,
) -> Interval | None:
    """Interval of a ratio of two means: the shares r that ``top - r·bottom = 0`` does not reject.

    Fieller (1954), JRSS B 16:175. The set is an interval only where the denominator is shown to
    differ from zero.

    Args:
        top: mean of the numerator.
        bottom: mean of the denominator.
        covariance: (2, 2) of (top, bottom).
        df: degrees of freedom of Student's t.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval, or None where the denominator's own interval includes 0.

    >>> low, high = fieller_interval(0.8, 0.9, [[4e-4, 1e-4], [1e-4, 2e-4]], 500, 0.9)
    >>> f"{low:.4f} {high:.4f}"
    '0.8534 0.9249'
    >>> fieller_interval(0.8, 0.01, [[4e-4, 1e-4], [1e-4, 2e-4]], 500, 0.9) is None
    True
    """
    from scipy.special import stdtrit

    sigma = np.asarray(covariance, np.float64)
    t = -float(stdtrit(df, tail(level)))
    a = bottom * bottom - t * t * float(sigma[1, 1])
    if not a > 0:
        return None
    b = top * bottom - t * t * float(sigma[0, 1])
    c = top * top - t * t * float(sigma[0, 0])
    root = math.sqrt(max(b * b - a * c, 0.0))
    return Interval((b - root) / a, (b + root) / a)


def delta_interval(
    value: float, gradient: ArrayLike, covariance: ArrayLike, df: float, level: float
) -> Interval:
    """Interval of a smooth function of S means by its first-order variance, ``g'Σg``.

    Args:
        value: the function at the means.
        gradient: (S,) its gradient g there.
        covariance: (S, S) of the means.
        df: degrees of freedom of Student's t.
        level: two-sided coverage in (0, 1).

    >>> low, high = delta_interval(0.5, [1.0, -1.0], [[4e-4, 0], [0, 5e-4]], 1e6, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '0.4412 0.5588'
    """
    from scipy.special import stdtrit

    g, sigma = np.asarray(gradient, np.float64), np.asarray(covariance, np.float64)
    reach = -float(stdtrit(df, tail(level))) * math.sqrt(max(float(g @ sigma @ g), 0.0))
    return Interval(value - reach, value + reach)
