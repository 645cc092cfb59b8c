"""Areas under ROC curves of several scores of the same rows, with their joint covariance."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.interval import Interval, normal_quantile, tail
from kdaudit.stats.means import JointMeans, joint_contrast
from kdaudit.stats.proportions import clopper_pearson, wilson


def joint_auroc(
    scores: ArrayLike, positive: ArrayLike, *, clusters: ArrayLike | None = None
) -> JointMeans | None:
    """Areas under S ROC curves over the same rows, after DeLong, DeLong and Clarke-Pearson (1988).

    An area is the mean over positive rows of the share of negative rows that score lower, ties
    counting half; the spread of these shares on both sides gives the covariance. Midranks find
    them in O(N log N) (Sun and Xu 2014). With clusters the shares are summed per cluster, over
    both sides (Obuchowski 1997).

    Args:
        scores: (S, N) scores without NaN, a larger one speaking for "positive"; may be infinite.
        positive: (N,) bool, which rows are positive.
        clusters: (N,) codes counted from 0; rows of one code may depend on each other.

    Returns:
        Areas as joint means: contrasts of them, with the rule-of-three term that keeps perfect
        separation from reading as certainty, are `kdaudit.stats.linear`'s, with a span of 1. ``n``
        counts all rows, ``clusters`` the units of the smaller side. None with fewer than two units
        on either side.

    Raises:
        ValueError: for shapes that do not fit, or NaN.

    >>> areas = joint_auroc([[1, 2, 3, 4], [1, 3, 2, 4]], [False, False, True, True])
    >>> areas.mean.tolist(), areas.covariance.tolist()
    ([1.0, 0.75], [[0.0, 0.0], [0.0, 0.125]])
    """
    from scipy.stats import rankdata

    values, inside = np.asarray(scores, np.float64), np.asarray(positive)
    if values.ndim != 2 or inside.shape != values.shape[1:] or inside.dtype != np.bool_:
        raise ValueError(
            f"needs (S, N) scores and (N,) bool, got {values.shape}, {inside.shape} {inside.dtype}"
        )
    if np.isnan(values).any():
        raise ValueError("scores are numbers; missing ones are the caller's to impute")
    m, k = int(inside.sum()), int((~inside).sum())
    if m < 2 or k < 2:
        return None
    ranks = rankdata(values, axis=1)
    shares = np.empty_like(values)
    # A rank among all rows less that among one's own side counts the other side's rows below.
    shares[:, inside] = (ranks[:, inside] - rankdata(values[:, inside], axis=1)) / k
    shares[:, ~inside] = (ranks[:, ~inside] - rankdata(values[:, ~inside], axis=1)) / m - 1
    # Both sides' means are the area, the negative rows' with a minus: their contrast is twice it.
    contrast = joint_contrast(shares, group=inside, clusters=clusters)
    if contrast is None:
        return None
    return replace(contrast, mean=contrast.mean / 2, n=m + k)


def auroc_interval(area: float, variance: float, units: int, level: float) -> Interval:
    """Interval of one area on the scale of log odds, so that it stays within (0, 1).

    Perfect separation has no estimated spread. Pair each unit of the smaller side with one of the
    other: these pairs are independent, and that all of them are in order is a binomial event, so
    Clopper and Pearson's bound for ``units`` of ``units`` holds. Where the spread is 0 between,
    as for scores that are all equal, Wilson's interval for as many units takes its place.

    Args:
        area: in [0, 1].
        variance: of the area, at least 0.
        units: units of the smaller side, at least 1.
        level: two-sided coverage in (0, 1).

    Raises:
        ValueError: for a number out of its range.

    >>> low, high = auroc_interval(1.0, 0.0, 20, 0.95)
    >>> f"{low:.3f} {high:.0f}"
    '0.832 1'
    """
    if not (0 <= area <= 1 and 0 <= variance < math.inf and units >= 1):
        raise ValueError(f"out of range: {area=}, {variance=}, {units=}")
    z = normal_quantile(tail(level))
    if area in {0.0, 1.0}:
        return clopper_pearson(units if area == 1 else 0, units, level)
    if variance == 0:
        return wilson(area * units, units, level)
    odds = math.log(area / (1 - area))
    reach = z * math.sqrt(variance) / (area * (1 - area))
    return Interval(_share(odds - reach), _share(odds + reach))


def _share(log_odds: float) -> float:
    return (1 + math.tanh(log_odds / 2)) / 2
