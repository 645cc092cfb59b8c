"""The least of several ratios: a rate over that of the group with the highest rate.

Which group truly has the highest rate is not known: its rate was the highest of several drawn ones.
The true ratio to it is the least of the true ratios to all groups, and at most 1. So its lower
bound is the least of their lower bounds, without any correction: whichever group it truly is, that
bound holds (an intersection-union test). Its upper bound is the least of their upper bounds with
Bonferroni's correction over the groups: each of them bounds it from above.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from kdaudit.stats.interval import Interval, normal_quantile

FARTHEST = 700.0  # a logarithm beyond which a ratio is no number of a computer
METHOD = "least of t on log ratios, Bonferroni above"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """A group's rate over each of H other groups' rates, on the log scale.

    Attributes:
        log: (H,) logarithms of the ratios, H >= 1.
        se: (H,) their standard errors.
        df: (H,) degrees of freedom of Student's t, at least 1.
        shift: (H,) added to the error for each z, since few answers may differ by luck; as `floor`
            see `kdaudit.stats.linear.combine`.
        floor: (H,) joined to the error for each z.
        slack: (H,) added to the error for missing answers.
        n: rows of the group.
        most: what the least of them cannot exceed: 1 for ratios of one subject, whose most selected
            group is 1 itself; None where there is no such end.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    log: tuple[float, ...]
    se: tuple[float, ...]
    df: tuple[float, ...]
    shift: tuple[float, ...]
    floor: tuple[float, ...]
    slack: tuple[float, ...]
    n: int
    most: float | None = None

    def error(self, index: int, z: float) -> float:
        """Standard error of one ratio's logarithm, with what was not seen."""
        sampled = math.hypot(self.se[index], z * self.floor[index])
        return z * self.shift[index] + sampled + self.slack[index]


def value(ratios: Ratios) -> float:
    """The least of the ratios.

    >>> value(Ratios(log=(-0.5, 0.2), se=(0.1, 0.1), df=(50, 50), shift=(0, 0), floor=(0, 0),
    ...              slack=(0, 0), n=60)).__round__(4)
    0.6065
    """
    return _capped(ratios, min(ratios.log))


def interval(ratios: Ratios, alpha: float) -> Interval:
    """One-sided bounds at ``alpha`` each; see the module.

    >>> ratios = Ratios(log=(-0.5, 0.2), se=(0.1, 0.1), df=(50, 50), shift=(0, 0), floor=(0, 0),
    ...                 slack=(0, 0), n=60)
    >>> low, high = interval(ratios, 0.05)
    >>> f"{low:.3f} {high:.3f}"
    '0.513 0.741'
    """
    from scipy.special import stdtrit

    many, z = len(ratios.log), normal_quantile(alpha)
    lows, highs = [], []
    for k, log in enumerate(ratios.log):
        error = ratios.error(k, z)
        lows.append(log + float(stdtrit(ratios.df[k], alpha)) * error)
        highs.append(log - float(stdtrit(ratios.df[k], alpha / many)) * error)
    found = value(ratios)
    low, high = _capped(ratios, min(lows)), _capped(ratios, min(highs))
    return Interval(min(low, found), max(high, found))


def p_above(ratios: Ratios, limit: float, alpha: float) -> float:
    """One-sided p-value of "least <= limit" against "above", of a limit above 0.

    ``alpha`` sets the terms for what was not seen once for bounds and p-values, so that they agree.
    """
    return max(_p(ratios, k, log - math.log(limit), alpha) for k, log in enumerate(ratios.log))


def p_below(ratios: Ratios, limit: float, alpha: float) -> float:
    """One-sided p-value of "least >= limit" against "below"; see `p_above`."""
    least = min(_p(ratios, k, math.log(limit) - log, alpha) for k, log in enumerate(ratios.log))
    return min(1.0, len(ratios.log) * least)


def _p(ratios: Ratios, index: int, distance: float, alpha: float) -> float:
    from scipy.special import stdtr

    error = ratios.error(index, normal_quantile(alpha))
    return float(stdtr(ratios.df[index], -distance / error))


def _capped(ratios: Ratios, log: float) -> float:
    ratio = math.exp(min(log, FARTHEST))
    return ratio if ratios.most is None else min(ratio, ratios.most)
