"""Intervals recomputed from a finding's basis: no rows, no suite, no model.

Suites print what these functions say, and the contract decides by them (`kdaudit.claims`), so the
number on the card and the number that decided are the same number.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import Means, Table
from kdaudit.stats import linear, one_sided_table
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.proportions import clopper_pearson

Reference = Literal["teacher", "baseline"]
Subject = Literal["student", "teacher", "baseline"]
ORDER: tuple[Subject, ...] = ("student", "teacher", "baseline")

EXACT = "Clopper-Pearson, conservative"
FEW = 10  # differing rows below which a score interval may cover more often than it says
NO_BASELINE = NotMeasured("the audit has no baseline")


def own(basis: Table | Means, subject: Subject, level: float) -> Measurement:
    """One subject's own value: exact for 0/1 scores, Student's t for other means."""
    if isinstance(basis, Table):
        counts = _successes(basis, subject)
        if counts is None:
            return NO_BASELINE
        right, n = counts
        low, high = clopper_pearson(right, n, level)
        return Estimate(value=right / n, low=low, high=high, n=n, level=level, method=EXACT)
    index = ORDER.index(subject)
    if index >= len(basis.mean):
        return NO_BASELINE
    estimate = estimated(basis, unit(index, len(basis.mean)), level)
    if basis.bounds is None:
        return estimate
    # Student's t knows no ends of the scale; the printed interval stays on it.
    low, high = (
        min(max(end, basis.bounds[0]), basis.bounds[1]) for end in (estimate.low, estimate.high)
    )
    return replace(estimate, low=low, high=high)


def difference(basis: Table | Means, reference: Reference, level: float) -> Measurement:
    """Student minus reference: Tango's score interval for 0/1 scores, paired t otherwise."""
    if isinstance(basis, Table):
        pair = pair_counts(basis, reference)
        if pair is None:
            return NO_BASELINE
        n11, n10, n01, n00 = pair
        n = n11 + n10 + n01 + n00
        low, high = one_sided_table.difference_interval(n10, n01, n, level)
        few = n10 + n01 < FEW or min(n10, n01) == 0
        method = "Tango score, conservative" if few else "Tango score"
        return Estimate(value=(n10 - n01) / n, low=low, high=high, n=n, level=level, method=method)
    weights = contrast_weights(basis, reference, 1.0)
    return NO_BASELINE if weights is None else _on_scale(basis, estimated(basis, weights, level))


def _on_scale(basis: Means, change: Estimate) -> Estimate:
    """A difference with an interval no wider than two such means can differ."""
    if basis.bounds is None or basis.scale == "log":
        return change
    reach = max(basis.bounds[1] - basis.bounds[0], abs(change.value))
    return replace(change, low=max(change.low, -reach), high=min(change.high, reach))


def _successes(table: Table, subject: Subject) -> tuple[int, int] | None:
    n = table.n11 + table.n10 + table.n01 + table.n00
    if subject == "student":
        return table.n11 + table.n10, n
    if subject == "teacher":
        return table.n11 + table.n01, n
    return None if table.baseline is None else (table.baseline[0] + table.baseline[2], n)


def pair_counts(table: Table, reference: Reference) -> tuple[int, int, int, int] | None:
    """The four counts of (student, reference), or None without that reference."""
    if reference == "teacher":
        return table.n11, table.n10, table.n01, table.n00
    return table.baseline


def unit(index: int, size: int) -> list[float]:
    """Weights that pick one of ``size`` means."""
    return [1.0 if i == index else 0.0 for i in range(size)]


def contrast_weights(basis: Means, reference: Reference, share: float) -> list[float] | None:
    """Weights of student - share · reference, or None without that reference."""
    index = ORDER.index(reference)
    if index >= len(basis.mean):
        return None
    weights = [0.0] * len(basis.mean)
    weights[0], weights[index] = 1.0, -share
    return weights


def combined(basis: Means, weights: Sequence[float], alpha: float) -> linear.Combination:
    """The weighted sum of the means, for p-values."""
    units = effective_units(basis)
    return linear.combine(
        basis.mean,
        basis.covariance,
        basis.df,
        list(weights),
        effective=units,
        largest=heaviest_share(basis),
        span=span_of(basis, weights),
        unknown=basis.unknown,
        z=normal_quantile(alpha),
    )


def span_of(basis: Means, weights: Sequence[float]) -> float:
    """How far one unit's answer can move the weighted sum.

    The logarithm of a rate p moves by 1/p, and two subjects that agree show no spread whatever p
    is. A ratio of independent rows by itself shows none at p = 1 only, where that is 1.
    """
    alone = sum(weight != 0 for weight in weights) == 1
    if basis.scale == "log" and alone and not basis.clustered:
        return min(basis.span, 1.0)
    return basis.span


def effective_units(basis: Means) -> float:
    """Independent units, as many of equal weight as would say as much."""
    return basis.clusters if basis.effective is None else basis.effective


def heaviest_share(basis: Means) -> float:
    """Share of the heaviest unit in its mean."""
    return 1 / effective_units(basis) if basis.largest is None else basis.largest


def bounded(basis: Means, weights: Sequence[float], alpha: float) -> linear.Combination:
    """As `combined`, for intervals: worst scores that were filled in may have hidden some spread.

    An answer left out moves the mean to the worse, but it can also make the units more alike, and
    the interval must not gain by that. `linear.combine` derives the most that the error can change.
    """
    combination = combined(basis, weights, alpha)
    moved = sum(abs(w) * f for w, f in zip(weights, basis.filled, strict=False))
    return replace(combination, se=combination.se + combination.inflation * moved)


def estimated(basis: Means, weights: Sequence[float], level: float) -> Estimate:
    """The weighted sum of the means with its two-sided interval, on the scale that is printed."""
    combination = bounded(basis, weights, tail(level))
    low, high = linear.interval(combination, level)
    value = combination.value
    if basis.scale == "log":
        value, low, high = math.exp(value), math.exp(low), math.exp(high)
    return Estimate(
        value=value, low=low, high=high, n=basis.n, level=level, method=method_of(basis)
    )


def method_of(basis: Means) -> str:
    """How an interval of this basis is called.

    It is conservative, by design, wherever few units or few differing answers carry it.
    """
    if basis.effective is None:
        return "t, conservative"
    units = f"{basis.effective:.1f} effective, {basis.df:.1f} df"
    if basis.clustered:
        return f"cluster-robust t, {basis.clusters} clusters, {units}, conservative"
    return f"t, {units}, conservative"


def negated(estimate: Estimate) -> Estimate:
    """The same quantity, told the other way round."""
    # Not by a minus sign, which would print a difference of nothing as -0.
    return Estimate(
        value=0.0 - estimate.value,
        low=0.0 - estimate.high,
        high=0.0 - estimate.low,
        n=estimate.n,
        level=estimate.level,
        method=estimate.method,
    )
