"""Two-sided intervals and the tails they leave out."""

from typing import NamedTuple


class Interval(NamedTuple):
    """The two ends of an interval, ``low`` at most ``high``; an end may be infinite."""

    low: float
    high: float


def tail(level: float) -> float:
    """Give the chance left outside one end of a two-sided interval, ``(1 - level) / 2``.

    Raises:
        ValueError: unless 0 < level < 1.

    >>> tail(0.5)
    0.25
    """
    if not 0 < level < 1:
        raise ValueError(f"a level is a coverage strictly between 0 and 1, got {level}")
    return (1 - level) / 2


def normal_quantile(alpha: float) -> float:
    """Give z with upper tail ``alpha`` under the standard normal.

    Raises:
        ValueError: unless 0 < alpha < 1.

    >>> round(normal_quantile(0.025), 4)
    1.96
    """
    from scipy.special import ndtri

    if not 0 < alpha < 1:
        raise ValueError(f"a tail is a chance strictly between 0 and 1, got {alpha}")
    return -float(ndtri(alpha))
