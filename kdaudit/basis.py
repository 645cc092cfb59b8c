"""Intervals recomputed from a finding's basis: no rows, no suite, no model.

Suites print what these functions say, and the contract decides by them (`kdaudit.claims`), so the
number on the card and the number that decided are the same number.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import LeastRatio, Means, Table
from kdaudit.stats import least_ratio, linear
from kdaudit.stats.counts import Counts, difference_interval, share_interval
from kdaudit.stats.dependence import Worth, worth
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.least_ratio import Ratios

Reference = Literal["teacher", "baseline"]
Subject = Literal["student", "teacher", "baseline"]
ORDER: tuple[Subject, ...] = ("student", "teacher", "baseline")

EXACT = "Clopper-Pearson, conservative"
FEW = 10  # differing rows below which a score interval may cover more often than it says
NO_BASELINE = NotMeasured("the audit has no baseline")
# Third moment of a clustered score over its variance, in spans: that of rows of which a tenth lose
# all they can. With less, losses of nearly all confidence in Zipf-sized clusters pass too often.
SKEWED = 0.8
NOTHING = 1e-12  # a share this small is none: what rounding left of it


def own(basis: Table | Means | LeastRatio, subject: Subject, level: float) -> Measurement:
    """One subject's own value: exact for 0/1 scores, Student's t for other means."""
    if isinstance(basis, LeastRatio):
        ratios: Ratios | NotMeasured = getattr(basis, subject)
        return ratios if isinstance(ratios, NotMeasured) else of_ratios(ratios, level)
    index = ORDER.index(subject)
    if isinstance(basis, Means) and index >= len(basis.mean):
        return NO_BASELINE
    if is_binary(basis):
        counts = share_counts(basis, subject)
        if counts is None:
            return NO_BASELINE
        low, high = share_interval(counts, level)
        value, n = share_value(basis, subject)
        return Estimate(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=n,
            level=level,
            method=EXACT
            if isinstance(basis, Table)
            else _effective("Korn-Graubard", basis, counts),
        )
    assert isinstance(basis, Means)
    estimate = estimated(basis, unit(index, len(basis.mean)), level)
    if basis.bounds is None:
        return estimate
    # Student's t and corrected means know no ends of the scale; what is printed stays on it.
    value, low, high = (
        min(max(x, basis.bounds[0]), basis.bounds[1])
        for x in (estimate.value, estimate.low, estimate.high)
    )
    return replace(estimate, value=value, low=low, high=high)


def of_ratios(ratios: Ratios, level: float) -> Estimate:
    """The least of several ratios."""
    low, high = least_ratio.interval(ratios, tail(level))
    return Estimate(
        value=least_ratio.value(ratios),
        low=low,
        high=high,
        n=ratios.n,
        level=level,
        method=least_ratio.METHOD,
    )


def difference(basis: Table | Means, reference: Reference, level: float) -> Measurement:
    """Student minus reference: Tango's score interval for 0/1 scores, paired t otherwise."""
    if is_binary(basis):
        counts = difference_counts(basis, reference)
        if counts is None:
            return NO_BASELINE
        low, high = difference_interval(counts, level)
        value, n = difference_value(basis, reference)
        if isinstance(basis, Table):
            few = counts.n10 + counts.n01 < FEW or min(counts.n10, counts.n01) == 0
            method = "Tango score, conservative" if few else "Tango score"
        else:
            method = _effective("Rao-Scott Tango score", basis, counts)
        # Between means that are all but equal rounding may leave the value outside.
        low, high = min(low, value), max(high, value)
        return Estimate(value=value, low=low, high=high, n=n, level=level, method=method)
    assert isinstance(basis, Means)
    weights = contrast_weights(basis, reference, 1.0)
    return NO_BASELINE if weights is None else _on_scale(basis, estimated(basis, weights, level))


def _effective(method: str, basis: Means, counts: Counts) -> str:
    units = f"{basis.clusters} clusters" if basis.clustered else f"{basis.n} unequal rows"
    return f"{method}, {units} worth {counts.n:.4g} rows, {basis.df:.1f} df, conservative"


def is_binary(basis: Table | Means) -> bool:
    """Whether the basis has paired counts: whole ones, or those that clustered rows are worth."""
    return isinstance(basis, Table) or (
        basis.dependence is not None and basis.dependence.binary and basis.scale == "identity"
    )


def share_counts(basis: Table | Means, subject: Subject) -> Counts | None:
    """Counts of one subject's 1s and 0s, for tests of its share; None without that subject."""
    if isinstance(basis, Table):
        found = _successes(basis, subject)
        if found is None:
            return None
        return Counts(n11=found[0], n10=0, n01=0, n00=found[1] - found[0])
    index = ORDER.index(subject)
    if index >= len(basis.mean):
        return None
    share = _clean(basis.mean[index])
    return _counts(basis, (share, 0.0, 0.0, 1 - share), unit(index, len(basis.mean)), (1.0, 0.0))


def difference_counts(basis: Table | Means, reference: Reference) -> Counts | None:
    """Paired counts for tests of student minus reference; None without that reference."""
    return ratio_counts(basis, reference, 1.0)


def ratio_counts(basis: Table | Means, reference: Reference, share: float) -> Counts | None:
    """Paired counts for tests of student - share · reference; None without that reference."""
    if isinstance(basis, Table):
        pair = pair_counts(basis, reference)
        return None if pair is None else Counts(n11=pair[0], n10=pair[1], n01=pair[2], n00=pair[3])
    weights = contrast_weights(basis, reference, share)
    if weights is None:
        return None
    return _counts(basis, _cells(basis, ORDER.index(reference)), weights, (1.0, -share))


def share_value(basis: Table | Means, subject: Subject) -> tuple[float, int]:
    """The subject's share itself, and the rows it is of."""
    if isinstance(basis, Means):
        return basis.mean[ORDER.index(subject)], basis.n
    found = _successes(basis, subject)
    assert found is not None
    return found[0] / found[1], found[1]


def difference_value(basis: Table | Means, reference: Reference) -> tuple[float, int]:
    """Student minus reference itself, and the rows it is of."""
    if isinstance(basis, Means):
        return basis.mean[0] - basis.mean[ORDER.index(reference)], basis.n
    pair = pair_counts(basis, reference)
    assert pair is not None
    n = sum(pair)
    return (pair[1] - pair[2]) / n, n


Cells = tuple[float, float, float, float]


def _cells(basis: Means, index: int) -> Cells:
    """Shares of rows in the paired table of the student and another subject."""
    assert basis.dependence is not None
    one, other = basis.mean[0], basis.mean[index]
    both = basis.dependence.spread[0][index] + one * other
    both = min(max(both, one + other - 1, 0.0), one, other)
    return _clean(both), _clean(one - both), _clean(other - both), _clean(1 - one - other + both)


def _clean(share: float) -> float:
    return 0.0 if share < NOTHING else 1.0 if share > 1 - NOTHING else share


def _counts(
    basis: Means, cells: Cells, weights: Sequence[float], pair: tuple[float, float]
) -> Counts:
    """What the rows are worth for one contrast, as a table.

    Args:
        basis: of 0/1 scores, with the dependence of its rows.
        cells: shares of rows that score 11, 10, 01 and 00.
        weights: of the means, for the variance.
        pair: the same two weights, of the student and the other.
    """
    found = worth_of(basis, weights)
    values = (pair[0] + pair[1], pair[0], pair[1], 0.0)
    mean = math.fsum(p * x for p, x in zip(cells, values, strict=True))
    second = math.fsum(p * (x - mean) ** 2 for p, x in zip(cells, values, strict=True))
    third = math.fsum(p * (x - mean) ** 3 for p, x in zip(cells, values, strict=True))
    assert basis.dependence is not None
    # Of a handful of rows that differ it is not known which way rows differ: one more, the other
    # way, is counted with them.
    skewness = third / (second + 1 / basis.dependence.rows) if second > NOTHING else 0.0
    return Counts(
        n11=cells[0] * found.rows,
        n10=cells[1] * found.rows,
        n01=cells[2] * found.rows,
        n00=cells[3] * found.rows,
        df=basis.df,
        below=found.unseen(skewness),
        above=found.unseen(-skewness),
    )


def worth_of(basis: Means, weights: Sequence[float]) -> Worth:
    """What the rows are worth for a weighted sum of the means, missing answers allowed for."""
    assert basis.dependence is not None
    units, largest = effective_units(basis), heaviest_share(basis)
    missing = basis.filled or basis.unknown
    return worth(
        basis.dependence,
        basis.covariance,
        weights,
        span=basis.span,
        moved=math.fsum(abs(w) * f for w, f in zip(weights, missing, strict=False)),
        inflation=linear.error_growth(units, largest),
    )


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
    units, largest = effective_units(basis), heaviest_share(basis)
    effective, heavy, beyond, span = units, largest, 0.0, span_of(basis, weights)
    if basis.dependence is not None and basis.clustered and any(weights):
        found = worth_of(basis, weights)
        # Not more than there are rows, nor less than if every cluster were one row.
        effective = min(max(basis.n / found.effect, units), float(basis.n))
        heavy = min(max(found.heavy, 1 / effective), largest)
        beyond = found.unseen(-SKEWED * span)
    return linear.combine(
        basis.mean,
        basis.covariance,
        basis.df,
        list(weights),
        effective=effective,
        largest=heavy,
        span=span,
        unknown=basis.unknown,
        z=normal_quantile(alpha),
        inflation=linear.error_growth(units, largest),
        beyond=beyond,
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
