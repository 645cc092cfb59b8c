"""Bootstrap interval corrected for bias and for an error that changes with the value (BCa)."""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.bootstrap import percentile_bootstrap_interval
from kdaudit.stats.interval import Interval, normal_quantile, tail


class BootstrapInterval(NamedTuple):
    """An interval, by which method, and why not by BCa where it is not (else empty)."""

    interval: Interval
    method: Literal["bca", "percentile"]
    reason: str


def acceleration(influence: ArrayLike) -> float:
    """How fast the standard error changes with the value: ``Σφ³ / (6 (Σφ²)^1.5)``.

    Efron (1987), Journal of the American Statistical Association 82:171. Influence takes the place
    of the jackknife, which would compute the statistic once per row.

    Args:
        influence: (U,) finite influences of the units, in any unit; not all 0.

    Raises:
        ValueError: for influences that are not finite or all 0.

    >>> acceleration([-1, -1, 2])
    0.06804138174397717
    """
    phi = np.asarray(influence, np.float64)
    if phi.ndim != 1 or not np.isfinite(phi).all() or not phi.any():
        raise ValueError("influences are one row of finite numbers, not all 0")
    phi /= np.abs(phi).max()  # powers of small numbers vanish
    return float((phi**3).sum() / (6 * (phi**2).sum() ** 1.5))


def bca_interval(
    draws: ArrayLike, estimate: float, influence: ArrayLike, level: float
) -> BootstrapInterval:
    """Interval between two quantiles of the draws, shifted for bias and acceleration.

    Falls back to the percentile interval, and says so, where the correction is undefined: when no
    draws or all lie on one side of the estimate, when a corrected tail holds less than one draw,
    or when no unit has influence.

    Args:
        draws: (B,) finite bootstrap draws of the statistic.
        estimate: its value on the data.
        influence: (U,) influences of the units on it; their scale does not matter.
        level: two-sided coverage in (0, 1).

    Raises:
        ValueError: for no draws, numbers that are not finite, or a level outside (0, 1).

    >>> draws = np.random.default_rng(0).exponential(size=(4000, 50)).mean(axis=1)
    >>> found = bca_interval(draws, 1.0, np.random.default_rng(1).exponential(size=50) - 1, 0.9)
    >>> found.method, found.interval.high - 1 > 1 - found.interval.low
    ('bca', True)
    >>> bca_interval(draws + 9, 1.0, [-1, 1], 0.9).reason
    'every draw lies above the estimate'
    """
    from scipy.special import ndtr, ndtri

    percentile = percentile_bootstrap_interval(draws, level)
    array = np.asarray(draws, np.float64)
    if not math.isfinite(estimate):
        raise ValueError(f"an estimate is a finite number, got {estimate}")
    below = float((array < estimate).mean() + (array == estimate).mean() / 2)
    if not 0 < below < 1:
        side = "above" if below == 0 else "below"
        return _fallback(percentile, f"every draw lies {side} the estimate")
    if not np.any(influence):
        return _fallback(percentile, "no unit has influence on the estimate")
    a, bias = acceleration(influence), float(ndtri(below))
    z = normal_quantile(tail(level))
    shifts = [bias - z, bias + z]
    if min(1 - a * shift for shift in shifts) <= 0:
        return _fallback(percentile, f"the acceleration {a:.3g} is too large")
    low, high = (float(ndtr(bias + shift / (1 - a * shift))) for shift in shifts)
    if array.size * min(low, 1 - high) < 1:
        return _fallback(percentile, f"a corrected tail holds less than one of {array.size} draws")
    ends = np.quantile(array, [low, high], method="inverted_cdf")
    return BootstrapInterval(Interval(float(ends[0]), float(ends[1])), "bca", "")


def _fallback(percentile: Interval, reason: str) -> BootstrapInterval:
    return BootstrapInterval(percentile, "percentile", reason)
