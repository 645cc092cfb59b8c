"""Alpha spending: how much chance of error each of several looks at the same rows may take.

Whoever looks once errs with chance alpha. Whoever looks ten times, each time at alpha, and keeps
the best look errs far more often. A spending function says how much of alpha may be gone after a
part of the looks; a look gets what was added since the look before. The chance that any look errs
is at most the sum, which is alpha, however the looks depend on each other (Bonferroni's
inequality). Trials of one treatment use the same functions with wider limits, because their looks
are at sums of the same observations (Lan and DeMets 1983, Biometrika 70:659); looks at different
students have no known dependence, so none is used here.
"""

import math
from typing import Literal

from kdaudit.stats.interval import normal_quantile

Spending = Literal["pocock", "obrien-fleming"]


def spent(alpha: float, part: float, spending: Spending) -> float:
    """Chance of error that may be gone after a part of the looks.

    Args:
        alpha: one-sided chance of error of all looks together, in (0, 1).
        part: looks made over looks planned, in [0, 1].
        spending: ``"pocock"`` gives the first looks most, ``"obrien-fleming"`` nearly nothing
            to the early looks and most to the last ones.

    Raises:
        ValueError: for numbers outside their ranges.

    >>> [round(spent(0.05, part, "pocock"), 4) for part in (0.1, 0.5, 1.0)]
    [0.0079, 0.031, 0.05]
    >>> [round(spent(0.05, part, "obrien-fleming"), 4) for part in (0.1, 0.5, 1.0)]
    [0.0, 0.0056, 0.05]
    """
    from scipy.special import ndtr

    if not (0 < alpha < 1 and 0 <= part <= 1):
        raise ValueError(f"alpha lies in (0, 1) and a part in [0, 1], got {alpha} and {part}")
    if part == 0:
        return 0.0
    if spending == "pocock":
        return alpha * math.log1p((math.e - 1) * part)
    return 2 * float(ndtr(-normal_quantile(alpha / 2) / math.sqrt(part)))
