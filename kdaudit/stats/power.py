"""How many rows would decide a check, and what the rows at hand can show."""

import math

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.interval import normal_quantile

# From here on Student's t and the normal differ by less than 1e-6.
NORMAL_DF = 1e6


def required_n(variance: float, distance: float, *, alpha: float, power: float = 0.8) -> int:
    """Units for a one-sided test to see ``distance`` with chance ``power``.

    ``(z_alpha + z_power)² · variance / distance²``, rounded up.

    Args:
        variance: variance of one unit's difference, at least 0.
        distance: how far the true value lies from the limit, above 0.
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to decide.

    Returns:
        Units, at least 1.

    Raises:
        ValueError: for a number out of its range; at distance 0 no number of units is enough.

    >>> required_n(0.05, 0.01, alpha=0.05)
    3092
    """
    if not (0 <= variance < math.inf and 0 < distance < math.inf):
        raise ValueError(f"needs variance >= 0 and distance > 0, got {variance} and {distance}")
    z = normal_quantile(alpha) + normal_quantile(1 - power)
    return max(1, math.ceil(z * z * variance / distance / distance))


def required_n_paired(
    discordance: float, difference: float, margin: float, *, alpha: float, power: float = 0.8
) -> int:
    """Rows for a paired test to show that 0/1 scores are not worse by ``margin``.

    The variance of one row's difference is ``discordance - difference²``. The normal
    approximation promises too much for rare discordance: with fewer than about ten differing rows
    expected, the true power is nearer 0.7 than 0.8.

    Args:
        discordance: expected share of rows that only one subject gets right, in [0, 1].
        difference: expected true difference, student - teacher; at most ``discordance`` in size.
        margin: what is tolerated; ``difference + margin`` is above 0.
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to show it.

    Raises:
        ValueError: for a number out of its range.

    >>> required_n_paired(0.05, -0.005, 0.02, alpha=0.05)
    1374
    """
    if not abs(difference) <= discordance <= 1:
        raise ValueError(f"needs |difference| <= discordance <= 1: {difference}, {discordance}")
    variance = discordance - difference * difference
    return required_n(variance, difference + margin, alpha=alpha, power=power)


def zero_discordance_n(margin: float, *, alpha: float) -> int:
    """Rows for two subjects that never differ to pass Tango's test: ``z² (1 - m) / m``.

    Args:
        margin: what is tolerated, in (0, 1).
        alpha: one-sided level in (0, 1).

    Returns:
        Rows, at least 1.

    Raises:
        ValueError: for a margin or alpha outside (0, 1).

    >>> zero_discordance_n(0.02, alpha=0.05)
    133
    """
    if not 0 < margin < 1:
        raise ValueError(f"a margin of shares lies strictly between 0 and 1, got {margin}")
    z = normal_quantile(alpha)
    return max(1, math.ceil(z * z * (1 - margin) / margin))


def power_of_mean(se: float, distance: float, *, alpha: float, df: float = math.inf) -> float:
    """Chance that a one-sided t test sees a true distance from the limit, at a known error.

    After an audit, ``se`` and ``df`` are those it found, so this is what its n could have shown;
    for c times as many units use ``se / √c``.

    Args:
        se: standard error of the mean, above 0.
        distance: true value less limit, in the direction that is tested; may be negative.
        alpha: one-sided level in (0, 1).
        df: degrees of freedom, at least 1; may be infinite.

    Raises:
        ValueError: for a number out of its range.

    >>> round(power_of_mean(0.01, 0.025, alpha=0.05), 3), round(power_of_mean(1, 0, alpha=0.05), 3)
    (0.804, 0.05)
    """
    from scipy.special import ndtr, stdtrit
    from scipy.stats import nct

    _check_mean(se, df)
    if not math.isfinite(distance):
        raise ValueError(f"a distance is a finite number, got {distance}")
    z = normal_quantile(alpha)
    if df > NORMAL_DF:
        return float(ndtr(distance / se - z))
    return float(nct.sf(-float(stdtrit(df, alpha)), df, distance / se))


def smallest_distance(
    se: float, *, alpha: float, power: float = 0.8, df: float = math.inf
) -> float:
    """Least true distance from the limit that a one-sided t test sees with chance ``power``.

    Args:
        se: standard error of the mean, above 0.
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1), above ``alpha``.
        df: degrees of freedom, at least 1; may be infinite.

    Raises:
        ValueError: for a number out of its range.

    >>> round(smallest_distance(0.01, alpha=0.05), 4)
    0.0249
    """
    from scipy.optimize import brentq

    _check_mean(se, df)
    if not 0 < alpha < power < 1:
        raise ValueError(f"needs 0 < alpha < power < 1, got {alpha} and {power}")

    def excess(steps: float) -> float:
        return power_of_mean(1.0, steps, alpha=alpha, df=df) - power

    high = 1.0
    while excess(high) < 0:
        high *= 2
    return se * float(brentq(excess, 0, high, xtol=1e-9))


def design_effect(sizes: ArrayLike, correlation: float) -> float:
    """How many times more rows clusters need: ``1 + (Σm² / Σm - 1) · correlation`` (Kish 1965).

    Args:
        sizes: (C,) rows per cluster, above 0.
        correlation: of two rows of one cluster, in [0, 1].

    Returns:
        At least 1.

    Raises:
        ValueError: for a number out of its range.

    >>> design_effect([5, 5, 5], 0.25)
    2.0
    """
    rows = np.asarray(sizes, np.float64)
    if rows.ndim != 1 or rows.size == 0 or not ((rows > 0) & (rows < np.inf)).all():
        raise ValueError("sizes are one row of numbers above 0")
    if not 0 <= correlation <= 1:
        raise ValueError(f"a correlation within clusters lies in [0, 1], got {correlation}")
    return float(1 + ((rows**2).sum() / rows.sum() - 1) * correlation)


def _check_mean(se: float, df: float) -> None:
    if not (0 < se < math.inf and df >= 1):
        raise ValueError(f"needs se > 0 and a degree of freedom, got {se} and {df}")
