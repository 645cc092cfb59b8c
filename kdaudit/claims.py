"""What is held against a limit, and how sure one can be of it: claims and their p-values.

A claim is recomputed from a finding's basis alone, so stored results can be decided again without
rows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdaudit.basis import (
    NO_BASELINE,
    ORDER,
    Reference,
    Subject,
    bounded,
    contrast_weights,
    difference,
    effective_units,
    estimated,
    heaviest_share,
    method_of,
    negated,
    own,
    pair_counts,
    span_of,
    unit,
)
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import Basis, Better, Finding, Fixed, Means, Table
from kdaudit.stats import linear, one_sided_table
from kdaudit.stats.power import required_n


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A quantity that is held against a limit, and what is known of it.

    Attributes:
        estimate: its value and two-sided interval.
        p_above: one-sided p-value that it is above the limit.
        p_below: one-sided p-value that it is below the limit.
        needed_n: rows at which the distance seen would be decided with power 0.8; None if no
            number of rows would.
    """

    estimate: Estimate
    p_above: float
    p_below: float
    needed_n: int | None


def claim_own(
    finding: Finding, limit: float, alpha: float, subject: Subject = "student"
) -> Claim | NotMeasured:
    """A subject's own value (its size, for ``zero``) against a limit; as a rule the student's."""
    basis, value = finding.basis, getattr(finding, subject)
    if isinstance(basis, NotMeasured):
        return basis
    if isinstance(basis, Fixed):
        return _fixed(value, basis, limit, absolute=finding.better is Better.ZERO)
    if isinstance(value, NotMeasured) and subject != "student":
        return value  # of a score of the pair, the basis has no number of the reference's own
    if isinstance(basis, Means):
        return _own_mean(basis, finding.better, limit, alpha, ORDER.index(subject))
    measured = own(basis, subject, 1 - 2 * alpha)
    assert isinstance(measured, Estimate)  # whoever has a value is in the table
    share = measured.value
    right = round(share * measured.n)
    return Claim(
        estimate=measured,
        p_above=one_sided_table.share_p_above(right, measured.n, limit),
        p_below=one_sided_table.share_p_below(right, measured.n, limit),
        needed_n=_needed(share * (1 - share), abs(share - limit), alpha, 1.0),
    )


def _own_mean(
    basis: Means, better: Better, limit: float, alpha: float, index: int
) -> Claim | NotMeasured:
    weights = unit(index, len(basis.mean))
    if better is Better.ZERO:
        return _size(basis, weights, limit, alpha)
    if basis.scale == "log" and not limit > 0:
        return NotMeasured(f"a ratio is always above 0; a limit of {limit:g} asks for nothing")
    scaled = math.log(limit) if basis.scale == "log" else limit
    value = bounded(basis, weights, alpha)
    return Claim(
        estimate=estimated(basis, weights, 1 - 2 * alpha),
        p_above=linear.p_above(value, scaled),
        p_below=linear.p_below(value, scaled),
        needed_n=_needed_means(basis, weights, abs(value.value - scaled), alpha),
    )


def claim_worse(
    finding: Finding, reference: Reference, margin: float, alpha: float
) -> Claim | NotMeasured:
    """How much worse the student is than the reference, against a margin."""
    basis = _compared(finding, reference)
    if isinstance(basis, NotMeasured):
        return basis
    if isinstance(basis, Fixed):
        return _fixed_worse(finding, basis, reference, margin)
    if finding.better is Better.ZERO:
        return _further_from_zero(basis, reference, margin, alpha)
    return _worse(basis, finding.better, reference, margin, alpha)


def p_worse(finding: Finding, alpha: float) -> float:
    """One-sided p-value that the student is worse than the teacher; 1 where nothing tells."""
    claim = claim_worse(finding, "teacher", 0.0, alpha)
    return claim.p_above if isinstance(claim, Claim) else 1.0


def p_better(finding: Finding, alpha: float) -> float:
    """One-sided p-value that the student is better than the teacher; 1 where nothing tells."""
    claim = claim_worse(finding, "teacher", 0.0, alpha)
    return claim.p_below if isinstance(claim, Claim) else 1.0


def _compared(finding: Finding, reference: Reference, *, share: bool = False) -> Basis:
    """The basis of a comparison with the reference, or why there is none.

    A ratio may be a share of the reference's own ratio; a ratio of the pair is no one's own.
    """
    basis = finding.basis
    if isinstance(basis, NotMeasured):
        return basis
    if reference == "teacher" and isinstance(finding.difference, NotMeasured):
        return finding.difference
    own_ratios = share and isinstance(basis, Means) and len(basis.mean) > 1
    if isinstance(basis, Means) and basis.scale == "log" and not own_ratios:
        return NotMeasured("a ratio is a comparison already; hold it with at_least or at_most")
    return basis


def _worse(
    basis: Table | Means, better: Better, reference: Reference, margin: float, alpha: float
) -> Claim | NotMeasured:
    measured = difference(basis, reference, 1 - 2 * alpha)
    if isinstance(measured, NotMeasured):
        return measured
    sign = -1.0 if better is Better.HIGHER else 1.0
    worse = measured if sign > 0 else negated(measured)
    if isinstance(basis, Table):
        pair = pair_counts(basis, reference)
        assert pair is not None  # `difference` has said so
        gains, losses = (pair[1], pair[2]) if sign < 0 else (pair[2], pair[1])
        n = worse.n
        variance = (gains + losses) / n - worse.value**2
        return Claim(
            estimate=worse,
            p_above=one_sided_table.difference_p_below(gains, losses, n, -margin),
            p_below=one_sided_table.difference_p_above(gains, losses, n, -margin),
            needed_n=_needed(variance, abs(margin - worse.value), alpha, 1.0),
        )
    weights = contrast_weights(basis, reference, 1.0)
    assert weights is not None
    value = bounded(basis, [sign * w for w in weights], alpha)
    return Claim(
        estimate=worse,
        p_above=linear.p_above(value, margin),
        p_below=linear.p_below(value, margin),
        needed_n=_needed_means(basis, weights, abs(value.value - margin), alpha),
    )


def claim_share(
    finding: Finding, reference: Reference, keep: float, alpha: float
) -> Claim | NotMeasured:
    """The student's share of the reference: Tang's score for 0/1 scores, Fieller's set otherwise.

    The test is that of the contrast s - keep·t, so it needs no division and survives clusters.
    """
    basis = _compared(finding, reference, share=True)
    if isinstance(basis, NotMeasured):
        return basis
    if isinstance(basis, Fixed):
        return NotMeasured("only its difference was measured, not a share; use margin")
    nothing = NotMeasured(f"the {reference} scores too near to zero; a share of that means nothing")
    if isinstance(basis, Means):
        return _share_of_means(basis, reference, keep, alpha) or nothing
    pair = pair_counts(basis, reference)
    if pair is None:
        return NO_BASELINE
    return _share_of_table(pair, keep, alpha) or nothing


def _share_of_table(pair: tuple[int, int, int, int], keep: float, alpha: float) -> Claim | None:
    n11, n10, n01, n00 = pair
    n, level = n11 + n10 + n01 + n00, 1 - 2 * alpha
    if n11 + n01 == 0:
        return None
    low, high = one_sided_table.ratio_interval(*pair, level)
    if not math.isfinite(high):
        return None
    value = (n11 + n10) / (n11 + n01)
    per_row = (n11 * (1 - keep) ** 2 + n10 + n01 * keep**2) / n
    gap = ((n11 + n10) - keep * (n11 + n01)) / n
    return Claim(
        estimate=Estimate(value=value, low=low, high=high, n=n, level=level, method="Tang score"),
        p_above=one_sided_table.ratio_p_above(*pair, keep),
        p_below=one_sided_table.ratio_p_below(*pair, keep),
        needed_n=_needed(per_row - gap**2, abs(gap), alpha, 1.0),
    )


def _share_of_means(basis: Means, reference: Reference, keep: float, alpha: float) -> Claim | None:
    index = ORDER.index(reference)
    if index >= len(basis.mean):
        return None
    if basis.scale == "log":
        return _share_of_ratios(basis, reference, keep, alpha)
    bottom = bounded(basis, unit(index, len(basis.mean)), alpha)
    # Without the scores that were only put in its place, the reference must be off zero as well.
    if not linear.lower(bottom, alpha) > (basis.filled[index] if basis.filled else 0):
        return None

    def gap(share: float) -> linear.Combination:
        weights = contrast_weights(basis, reference, share)
        assert weights is not None
        return bounded(basis, weights, alpha)

    ratio = basis.mean[0] / basis.mean[index]
    low = _crossing(lambda share: linear.lower(gap(share), alpha), ratio, -1.0)
    high = _crossing(lambda share: linear.upper(gap(share), alpha), ratio, 1.0)
    weights = contrast_weights(basis, reference, keep)
    assert weights is not None
    value = bounded(basis, weights, alpha)
    return Claim(
        estimate=Estimate(
            value=ratio, low=low, high=high, n=basis.n, level=1 - 2 * alpha, method="Fieller"
        ),
        p_above=linear.p_above(value, 0.0),
        p_below=linear.p_below(value, 0.0),
        needed_n=_needed_means(basis, weights, abs(value.value), alpha),
    )


def _share_of_ratios(basis: Means, reference: Reference, keep: float, alpha: float) -> Claim | None:
    weights = contrast_weights(basis, reference, 1.0)
    if weights is None or not keep > 0:
        return None
    value, limit = bounded(basis, weights, alpha), math.log(keep)
    return Claim(
        estimate=estimated(basis, weights, 1 - 2 * alpha),
        p_above=linear.p_above(value, limit),
        p_below=linear.p_below(value, limit),
        needed_n=_needed_means(basis, weights, abs(value.value - limit), alpha),
    )


def _further_from_zero(
    basis: Table | Means, reference: Reference, margin: float, alpha: float
) -> Claim | NotMeasured:
    """|S| - |T| against a margin: repairing a reference's bias passes, reversing it does not.

    With s = sign(T) where T's interval excludes 0, the harm is max(s(S - T), -s(S + T)); both
    bounds must hold. Otherwise T may be 0, and S - T and T - S must both hold. To say that the
    margin is exceeded no sign of T is assumed: |S| - |T| = max over a of min over b of aS + bT
    (a, b = ±1), a union of intersections, with Bonferroni over a.
    """
    if isinstance(basis, Table):
        return NotMeasured("a contrast cannot rest on one paired table")
    index = ORDER.index(reference)
    if index >= len(basis.mean):
        return NO_BASELINE
    level = 1 - 2 * alpha

    def mix(a: float, b: float) -> linear.Combination:
        weights = [0.0] * len(basis.mean)
        weights[0], weights[index] = a, b
        return bounded(basis, weights, alpha)

    # At alpha/2 a side, since the sign is chosen by the data: at alpha, T = 0 is taken for a bias
    # in one case of ten, and a student at its margin then passes with chance 0.063 in all.
    low, high = linear.interval(mix(0.0, 1.0), 1 - alpha)
    if low > 0 or high < 0:
        sign = 1.0 if low > 0 else -1.0
        sides = (mix(sign, -sign), mix(-sign, -sign))
    else:
        sides = (mix(1.0, -1.0), mix(-1.0, 1.0))
    value = abs(basis.mean[0]) - abs(basis.mean[index])
    exceeded = min(max(linear.p_above(mix(a, b), margin) for b in (1.0, -1.0)) for a in (1.0, -1.0))
    within = max(linear.p_below(side, margin) for side in sides)
    lowest = max(min(linear.lower(mix(a, b), alpha) for b in (1.0, -1.0)) for a in (1.0, -1.0))
    worst = max(sides, key=lambda side: linear.upper(side, alpha))
    weights = [0.0] * len(basis.mean)
    weights[0], weights[index] = 1.0, -1.0
    return Claim(
        estimate=Estimate(
            value=value,
            low=min(lowest, value),
            high=max(linear.upper(worst, alpha), value),
            n=basis.n,
            level=level,
            method=f"intersection-union of {method_of(basis)}",
        ),
        p_above=min(1.0, 2 * exceeded),
        p_below=within,
        needed_n=_needed_means(basis, weights, abs(margin - max(s.value for s in sides)), alpha),
    )


def _size(basis: Means, weights: Sequence[float], limit: float, alpha: float) -> Claim:
    """|S| against a limit."""
    value = bounded(basis, weights, alpha)
    low, high = linear.interval(value, 1 - 2 * alpha)
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return Claim(
        estimate=Estimate(
            value=abs(value.value),
            low=nearest,
            high=max(abs(low), abs(high)),
            n=basis.n,
            level=1 - 2 * alpha,
            method=method_of(basis),
        ),
        p_above=min(1.0, 2 * min(linear.p_above(value, limit), linear.p_below(value, -limit))),
        p_below=max(linear.p_below(value, limit), linear.p_above(value, -limit)),
        needed_n=_needed_means(basis, weights, abs(limit - abs(value.value)), alpha),
    )


def _fixed_worse(
    finding: Finding, basis: Fixed, reference: Reference, margin: float
) -> Claim | NotMeasured:
    measured = finding.difference
    if reference == "baseline":
        measured = basis.baseline or NotMeasured("it was not compared with the baseline")
    if isinstance(measured, NotMeasured):
        return measured
    if finding.better is Better.ZERO:
        return NotMeasured("|S| - |T| cannot be had from one interval of S - T")
    worse = negated(measured) if finding.better is Better.HIGHER else measured
    return _fixed(worse, basis, margin, absolute=False)


def _fixed(
    measured: Measurement, basis: Fixed, limit: float, *, absolute: bool
) -> Claim | NotMeasured:
    """What can be said at one level only: p is that level where the interval excludes the limit."""
    if isinstance(measured, NotMeasured):
        return measured
    if absolute:
        return NotMeasured("the size of a contrast cannot be had from one interval")
    risk = (1 - basis.level) / 2
    return Claim(
        estimate=measured,
        p_above=risk if measured.low > limit else 1.0,
        p_below=risk if measured.high < limit else 1.0,
        needed_n=None,
    )


def _needed(variance: float, distance: float, alpha: float, span: float) -> int | None:
    """Rows that decide a distance, at the spread seen and if not one more answer differs."""
    if not distance > 1e-9:
        return None
    by_spread = required_n(max(variance, 0.0), distance, alpha=alpha) if variance > 0 else 1
    by_zero = one_sided_table.agreement_n(min(distance / span, 0.999), alpha=alpha)
    return max(by_spread, by_zero)


def _needed_means(
    basis: Means, weights: Sequence[float], distance: float, alpha: float
) -> int | None:
    if not distance > 1e-9:
        return None
    variance = sum(
        a * b * basis.covariance[i][j] for i, a in enumerate(weights) for j, b in enumerate(weights)
    )
    # The covariance is that of units already, with their design effect. What not one answer shows
    # counts them again: as many rows per unit as here, in units as unequal as these.
    units = effective_units(basis)
    per_unit = basis.n * (1 / units + math.sqrt(heaviest_share(basis) / units)) / 2
    span = max(span_of(basis, weights), 1e-9)
    return _needed(max(variance, 0.0) * basis.n, distance, alpha, span * per_unit)


def _crossing(bound: Callable[[float], float], start: float, direction: float) -> float:
    """Where a bound of s - share·t, which falls as ``share`` rises, crosses zero."""
    from scipy.optimize import brentq

    step = 0.1
    edge = start + direction * step
    while bound(edge) * direction > 0 or bound(edge) == 0:
        step *= 2
        edge = start + direction * step
        if step > 1e6:
            return edge
    return float(brentq(bound, min(start, edge), max(start, edge), xtol=1e-12))
