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
    bounded,
    combined,
    contrast_weights,
    difference,
    effective_units,
    estimated,
    method_of,
    negated,
    own,
    pair_counts,
    unit,
)
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import Basis, Better, Finding, Fixed, Means, Table
from kdaudit.stats import linear, paired_table
from kdaudit.stats.power import required_n, zero_discordance_n


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


def claim_own(finding: Finding, limit: float, alpha: float) -> Claim | NotMeasured:
    """The student's own value (its size, for ``zero``) against a limit."""
    basis = finding.basis
    if isinstance(basis, NotMeasured):
        return basis
    if isinstance(basis, Fixed):
        return _fixed(finding.student, basis, limit, absolute=finding.better is Better.ZERO)
    if isinstance(basis, Means):
        return _own_mean(basis, finding.better, limit, alpha)
    right, n = basis.n11 + basis.n10, basis.n11 + basis.n10 + basis.n01 + basis.n00
    share, spread = right / n, math.sqrt(max(limit * (1 - limit), 0.0) / n)
    above = _normal_tail((share - limit) / spread) if spread else float(share <= limit)
    measured = own(basis, "student", 1 - 2 * alpha)
    assert isinstance(measured, Estimate)  # a table always has a student
    return Claim(
        estimate=measured,
        p_above=above,
        p_below=1 - above if spread else float(share >= limit),
        needed_n=_needed(share * (1 - share), abs(share - limit), alpha, 1.0),
    )


def _own_mean(basis: Means, better: Better, limit: float, alpha: float) -> Claim | NotMeasured:
    weights = unit(0, len(basis.mean))
    if better is Better.ZERO:
        return _size(basis, weights, limit, alpha)
    if basis.scale == "log" and not limit > 0:
        return NotMeasured(f"a ratio is always above 0; a limit of {limit:g} asks for nothing")
    scaled = math.log(limit) if basis.scale == "log" else limit
    value = combined(basis, weights, alpha)
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


def _compared(finding: Finding, reference: Reference) -> Basis:
    """The basis of a comparison with the reference, or why there is none."""
    basis = finding.basis
    if isinstance(basis, NotMeasured):
        return basis
    if reference == "teacher" and isinstance(finding.difference, NotMeasured):
        return finding.difference
    if isinstance(basis, Means) and basis.scale == "log":
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
            p_above=paired_table.tango_p_below(gains, losses, n, -margin),
            p_below=paired_table.tango_p_above(gains, losses, n, -margin),
            needed_n=_needed(variance, abs(margin - worse.value), alpha, 1.0),
        )
    weights = contrast_weights(basis, reference, 1.0)
    assert weights is not None
    value = combined(basis, [sign * w for w in weights], alpha)
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
    basis = _compared(finding, reference)
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
    low, high = paired_table.tang_interval(*pair, level)
    if not math.isfinite(high):
        return None
    value = (n11 + n10) / (n11 + n01)
    per_row = (n11 * (1 - keep) ** 2 + n10 + n01 * keep**2) / n
    gap = ((n11 + n10) - keep * (n11 + n01)) / n
    return Claim(
        estimate=Estimate(value=value, low=low, high=high, n=n, level=level, method="Tang score"),
        p_above=paired_table.tang_p_above(*pair, keep),
        p_below=paired_table.tang_p_below(*pair, keep),
        needed_n=_needed(per_row - gap**2, abs(gap), alpha, 1.0),
    )


def _share_of_means(basis: Means, reference: Reference, keep: float, alpha: float) -> Claim | None:
    index = ORDER.index(reference)
    if index >= len(basis.mean):
        return None
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
    value = combined(basis, weights, alpha)
    return Claim(
        estimate=Estimate(
            value=ratio, low=low, high=high, n=basis.n, level=1 - 2 * alpha, method="Fieller"
        ),
        p_above=linear.p_above(value, 0.0),
        p_below=linear.p_below(value, 0.0),
        needed_n=_needed_means(basis, weights, abs(value.value), alpha),
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
        return combined(basis, weights, alpha)

    low, high = linear.interval(mix(0.0, 1.0), level)
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
    value = combined(basis, weights, alpha)
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


def _normal_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))


def _needed(variance: float, distance: float, alpha: float, span: float) -> int | None:
    """Rows that decide a distance, at the spread seen and if not one more answer differs."""
    if not distance > 1e-9:
        return None
    by_spread = required_n(max(variance, 0.0), distance, alpha=alpha) if variance > 0 else 1
    by_zero = zero_discordance_n(min(distance / span, 0.999), alpha=alpha)
    return max(by_spread, by_zero)


def _needed_means(
    basis: Means, weights: Sequence[float], distance: float, alpha: float
) -> int | None:
    if not distance > 1e-9:
        return None
    variance = sum(
        a * b * basis.covariance[i][j] for i, a in enumerate(weights) for j, b in enumerate(weights)
    )
    # The covariance is that of clusters already; what not one answer shows counts them again.
    per_cluster = basis.n / effective_units(basis)
    return _needed(
        max(variance, 0.0) * basis.n, distance, alpha, max(basis.span, 1e-9) * per_cluster
    )


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
