"""Differences between two independent samples: for models that were not asked the same rows.

An unpaired comparison is a weaker claim. It cannot tell harder questions from a worse model, so no
check passes on it.
"""

import math

from kdaudit.stats.interval import Interval, tail
from kdaudit.stats.proportions import wilson


def newcombe_unpaired_interval(
    successes: int, n: int, other_successes: int, other_n: int, level: float
) -> Interval:
    """Hybrid score interval of the difference of two independent shares.

    Newcombe (1998), Statistics in Medicine 17:873: method 10, which joins two Wilson intervals.

    Args:
        successes: count in [0, n].
        n: units, above 0.
        other_successes: of the share that is subtracted.
        other_n: its units.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval in [-1, 1].

    Raises:
        ValueError: for counts that do not fit or a level outside (0, 1).

    >>> low, high = newcombe_unpaired_interval(56, 70, 48, 80, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '0.0524 0.3339'
    """
    low, high = wilson(successes, n, level)
    other_low, other_high = wilson(other_successes, other_n, level)
    one, other = successes / n, other_successes / other_n
    return Interval(
        one - other - math.hypot(one - low, other_high - other),
        one - other + math.hypot(high - one, other - other_low),
    )


def welch_interval(
    difference: float, se: float, df: float, other_se: float, other_df: float, *, level: float
) -> Interval:
    """Interval by Student's t of the difference of two independent means with unequal variances.

    Welch (1947), Biometrika 34:28, with Satterthwaite's degrees of freedom.

    Args:
        difference: mean less other mean, finite.
        se: standard error of the mean, at least 0; cluster-robust where units are clusters.
        df: its degrees of freedom, at least 1.
        other_se: standard error of the mean that is subtracted.
        other_df: its degrees of freedom.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval; a point where both errors are 0.

    Raises:
        ValueError: for a number out of its range.

    >>> low, high = welch_interval(0.1, 0.03, 20, 0.04, 10, level=0.95)
    >>> f"{low:.4f} {high:.4f}"
    '-0.0040 0.2040'
    """
    from scipy.special import stdtrit

    alpha = tail(level)
    if not (math.isfinite(difference) and min(se, other_se) >= 0 and min(df, other_df) >= 1):
        raise ValueError(f"out of range: {difference=}, {se=}, {df=}, {other_se=}, {other_df=}")
    joint = math.hypot(se, other_se)
    if joint == 0:
        return Interval(difference, difference)
    # Shares of the variance, not variances: the fourth powers of small errors vanish.
    share, other = (se / joint) ** 2, (other_se / joint) ** 2
    degrees = 1 / (share**2 / df + other**2 / other_df)
    reach = -float(stdtrit(degrees, alpha)) * joint
    return Interval(difference - reach, difference + reach)
