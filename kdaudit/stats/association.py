"""How two events go together in paired rows: relative risk, phi and kappa, by the delta method."""

import math
from typing import NamedTuple

from numpy.typing import ArrayLike

from kdaudit.stats.delta import delta_interval
from kdaudit.stats.interval import Interval


class Measured(NamedTuple):
    """A value and its interval."""

    value: float
    interval: Interval


def relative_risk(
    first: float, second: float, both: float, covariance: ArrayLike, df: float, level: float
) -> Measured | None:
    """How much likelier the second event is where the first happens than where it does not.

    Args:
        first: share of rows with the first event.
        second: share with the second.
        both: share with both.
        covariance: (3, 3) of (first, second, both).
        df: degrees of freedom of Student's t.
        level: two-sided coverage in (0, 1).

    Returns:
        The ratio with an interval on the log scale; None where one of its four shares is 0.

    >>> found = relative_risk(0.17, 0.14, 0.12, [[0] * 3] * 3, 499, 0.95)
    >>> f"{found.value:.1f}"
    '29.3'
    """
    alone = second - both
    if not (both > 0 and alone > 1e-12 and first < 1):
        return None
    ratio = (both / first) / (alone / (1 - first))
    gradient = [-1 / first - 1 / (1 - first), -1 / alone, 1 / both + 1 / alone]
    log = delta_interval(math.log(ratio), gradient, covariance, df, level)
    return Measured(ratio, Interval(math.exp(log.low), math.exp(log.high)))


def phi(
    first: float, second: float, both: float, covariance: ArrayLike, df: float, level: float
) -> Measured | None:
    """The correlation of the two events; None where one of them is certain.

    >>> found = phi(0.17, 0.14, 0.12, [[0] * 3] * 3, 499, 0.95)
    >>> f"{found.value:.3f}"
    '0.738'
    """
    spread = first * (1 - first) * second * (1 - second)
    if not spread > 0:
        return None
    value = (both - first * second) / math.sqrt(spread)

    def slope(one: float, other: float) -> float:
        return -other / math.sqrt(spread) - value * (1 - 2 * one) / (2 * one * (1 - one))

    gradient = [slope(first, second), slope(second, first), 1 / math.sqrt(spread)]
    return _within(value, delta_interval(value, gradient, covariance, df, level))


def kappa(
    first: float, second: float, both: float, covariance: ArrayLike, df: float, level: float
) -> Measured | None:
    """Cohen's (1960) agreement beyond chance; None where chance alone agrees everywhere.

    >>> found = kappa(0.17, 0.14, 0.12, [[0] * 3] * 3, 499, 0.95)
    >>> f"{found.value:.4f}"
    '0.7332'
    """
    alike = 1 - first - second + 2 * both
    expected = first * second + (1 - first) * (1 - second)
    if not expected < 1:
        return None
    value = (alike - expected) / (1 - expected)
    by_alike, by_expected = 1 / (1 - expected), (alike - 1) / (1 - expected) ** 2
    gradient = [
        -by_alike + by_expected * (2 * second - 1),
        -by_alike + by_expected * (2 * first - 1),
        2 * by_alike,
    ]
    return _within(value, delta_interval(value, gradient, covariance, df, level))


def _within(value: float, found: Interval) -> Measured:
    # Rounding may put the value of two that agree on every row just above 1.
    kept = min(max(value, -1.0), 1.0)
    return Measured(
        kept, Interval(min(max(found.low, -1.0), kept), max(min(found.high, 1.0), kept))
    )
