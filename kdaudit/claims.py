"""What is held against a limit, and how sure one can be of it: claims and their p-values.

A claim is recomputed from a finding's basis alone, so stored results can be decided again without
rows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from kdaudit.basis import (
    NO_BASELINE,
    ORDER,
    Reference,
    Subject,
    bounded,
    contrast_weights,
    difference,
    difference_counts,
    estimated,
    is_binary,
    method_of,
    negated,
    of_ratios,
    own,
    pair_counts,
    ratio_counts,
    share_counts,
    unit,
)
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import (
    Basis,
    Better,
    Check,
    Finding,
    Fixed,
    LeastRatio,
    Limit,
    Means,
    PartlyLabelled,
    Table,
)
from kdaudit.stats import counts, least_ratio, linear
from kdaudit.stats.exact_unconditional import MOST, exact_p_below
from kdaudit.stats.interval import tail
from kdaudit.stats.least_ratio import Ratios

# Of alpha, what may be spent on taking a reference of no contrast for a biased one; see
# `_further_from_zero`.
SIGN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A quantity that is held against a limit, and what is known of it.

    Attributes:
        estimate: its value and two-sided interval.
        p_above: one-sided p-value that it is above the limit.
        p_below: one-sided p-value that it is below the limit.
    """

    estimate: Estimate
    p_above: float
    p_below: float


def resting(finding: Finding, limit: Limit) -> Finding:
    """The finding with the basis that a limit of this kind is held against.

    Of partly labelled rows differences rest on all rows, own values and shares on the labelled.
    """
    basis = finding.basis
    if not isinstance(basis, PartlyLabelled):
        return finding
    return replace(finding, basis=basis.compared if limit is Limit.MARGIN else basis.own)


def claim_own(
    finding: Finding, limit: float, alpha: float, subject: Subject = "student"
) -> Claim | NotMeasured:
    """A subject's own value (its size, for ``zero``) against a limit; as a rule the student's."""
    basis, value = resting(finding, Limit.AT_MOST).basis, getattr(finding, subject)
    assert not isinstance(basis, PartlyLabelled)
    if isinstance(basis, NotMeasured):
        return basis
    if isinstance(basis, Fixed):
        return _fixed(value, basis, limit, absolute=finding.better is Better.ZERO)
    if isinstance(value, NotMeasured) and subject != "student":
        return value  # of a score of the pair, the basis has no number of the reference's own
    if isinstance(basis, LeastRatio):
        return _least_ratio(basis, limit, alpha, subject)
    if is_binary(basis):
        return _share(basis, limit, alpha, subject)
    assert isinstance(basis, Means)
    return _own_mean(basis, finding.better, limit, alpha, ORDER.index(subject))


def _share(
    basis: Table | Means, limit: float, alpha: float, subject: Subject
) -> Claim | NotMeasured:
    measured, found = own(basis, subject, 1 - 2 * alpha), share_counts(basis, subject)
    if isinstance(measured, NotMeasured) or found is None:
        return NO_BASELINE
    return Claim(
        estimate=measured,
        p_above=counts.share_p_above(found, limit),
        p_below=counts.share_p_below(found, limit),
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
    )


def _least_ratio(
    basis: LeastRatio, limit: float, alpha: float, subject: Subject
) -> Claim | NotMeasured:
    ratios = getattr(basis, subject)
    if isinstance(ratios, NotMeasured):
        return ratios
    if limit > 1:
        return NotMeasured(f"no group is selected more than the most selected; {limit:g} > 1")
    return _of_ratios(ratios, limit, alpha)


def _of_ratios(ratios: Ratios, limit: float, alpha: float) -> Claim | NotMeasured:
    if not limit > 0:
        return NotMeasured(f"a ratio is always above 0; a limit of {limit:g} asks for nothing")
    return Claim(
        estimate=of_ratios(ratios, 1 - 2 * alpha),
        p_above=least_ratio.p_above(ratios, limit, alpha),
        p_below=least_ratio.p_below(ratios, limit, alpha),
    )


def claim_worse(
    finding: Finding, reference: Reference, margin: float, alpha: float
) -> Claim | NotMeasured:
    """How much worse the student is than the reference, against a margin."""
    basis = _compared(resting(finding, Limit.MARGIN), reference)
    if isinstance(basis, NotMeasured):
        return basis
    if isinstance(basis, Fixed):
        return _fixed_worse(finding, basis, reference, margin)
    # A ratio has no margin, and what rests on two bases was told apart.
    assert not isinstance(basis, LeastRatio | PartlyLabelled)
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


def p_same(finding: Finding, apart: float, alpha: float) -> float:
    """One-sided p-value that student and teacher are less than ``apart`` apart, either way.

    Two one-sided tests (Schuirmann 1987): that nothing is shown to differ is no evidence of it.
    """
    worse = claim_worse(finding, "teacher", apart, alpha)
    better = claim_worse(finding, "teacher", -apart, alpha)
    if not (isinstance(worse, Claim) and isinstance(better, Claim)):
        return 1.0
    return max(worse.p_below, better.p_above)


def _compared(finding: Finding, reference: Reference, *, share: bool = False) -> Basis:
    """The basis of a comparison with the reference, or why there is none.

    A ratio may be a share of the reference's own ratio; a ratio of the pair is no one's own.
    """
    basis = finding.basis
    if isinstance(basis, NotMeasured):
        return basis
    if reference == "teacher" and isinstance(finding.difference, NotMeasured):
        return finding.difference
    if isinstance(basis, LeastRatio) and share:
        return basis
    own_ratios = share and isinstance(basis, Means) and len(basis.mean) > 1
    ratio = isinstance(basis, LeastRatio) or (isinstance(basis, Means) and basis.scale == "log")
    if ratio and not own_ratios:
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
    if is_binary(basis):
        pair = difference_counts(basis, reference)
        assert pair is not None  # `difference` has said so
        more, less = counts.difference_p_above, counts.difference_p_below
        above, below = (more, less) if sign > 0 else (less, more)
        return Claim(
            estimate=worse,
            p_above=above(pair, sign * margin),
            p_below=below(pair, sign * margin),
        )
    assert isinstance(basis, Means)
    weights = contrast_weights(basis, reference, 1.0)
    assert weights is not None
    value = bounded(basis, [sign * w for w in weights], alpha)
    return Claim(
        estimate=worse,
        p_above=linear.p_above(value, margin),
        p_below=linear.p_below(value, margin),
    )


def claim_share(
    finding: Finding, reference: Reference, keep: float, alpha: float
) -> Claim | NotMeasured:
    """The student's share of the reference: Tang's score for 0/1 scores, Fieller's set otherwise.

    The test is that of the contrast s - keep·t, so it needs no division and survives clusters.
    """
    basis = _compared(resting(finding, Limit.KEEP), reference, share=True)
    if isinstance(basis, NotMeasured):
        return basis
    assert not isinstance(basis, PartlyLabelled)
    if isinstance(basis, Fixed):
        return NotMeasured("only its difference was measured, not a share; use margin")
    if isinstance(basis, LeastRatio):
        versus = basis.versus_teacher if reference == "teacher" else basis.versus_baseline
        return versus if isinstance(versus, NotMeasured) else _of_ratios(versus, keep, alpha)
    nothing = NotMeasured(f"the {reference} scores too near to zero; a share of that means nothing")
    if not is_binary(basis):
        assert isinstance(basis, Means)
        return _share_of_means(basis, reference, keep, alpha) or nothing
    pair = ratio_counts(basis, reference, keep)
    return NO_BASELINE if pair is None else _share_of_table(pair, keep, alpha, basis) or nothing


def _share_of_table(
    pair: counts.Counts, keep: float, alpha: float, basis: Table | Means
) -> Claim | None:
    level = 1 - 2 * alpha
    if pair.n11 + pair.n01 == 0:
        return None
    low, high = counts.ratio_interval(pair, level)
    if not math.isfinite(high):
        return None
    value = (pair.n11 + pair.n10) / (pair.n11 + pair.n01)
    n, method = round(pair.n), "Tang score"
    if isinstance(basis, Means):
        n, method = basis.n, f"Rao-Scott Tang score, worth {pair.n:.4g} rows"
    return Claim(
        estimate=Estimate(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=n,
            level=level,
            method=method,
        ),
        p_above=counts.ratio_p_above(pair, keep),
        p_below=counts.ratio_p_below(pair, keep),
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
    value = gap(keep)
    return Claim(
        estimate=Estimate(
            value=ratio, low=low, high=high, n=basis.n, level=1 - 2 * alpha, method="Fieller"
        ),
        p_above=linear.p_above(value, 0.0),
        p_below=linear.p_below(value, 0.0),
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
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroRule:
    """How |S| - |T| is held against a margin: which contrasts must stay inside, which beyond.

    Attributes:
        sides: coefficients (a, b) of aS + bT; all must be shown to be inside the margin.
        spent: part of alpha that choosing them has cost.
    """

    sides: tuple[tuple[float, float], tuple[float, float]]
    spent: float = SIGN


def zero_rule(low: float, high: float) -> ZeroRule:
    """The rule that follows from the interval of T, two-sided at 1 - SIGN·alpha.

    >>> zero_rule(0.01, 0.2).sides, zero_rule(-0.1, 0.1).sides
    (((1.0, -1.0), (-1.0, -1.0)), ((1.0, -1.0), (-1.0, 1.0)))
    """
    if low > 0 or high < 0:
        sign = 1.0 if low > 0 else -1.0
        return ZeroRule(sides=((sign, -sign), (-sign, -sign)))
    return ZeroRule(sides=((1.0, -1.0), (-1.0, 1.0)))


def _further_from_zero(
    basis: Table | Means, reference: Reference, margin: float, alpha: float
) -> Claim | NotMeasured:
    """|S| - |T| against a margin: repairing a reference's bias passes, reversing it does not.

    With s = sign(T) where T's interval excludes 0, the harm is max(s(S - T), -s(S + T)); both
    bounds must hold. Otherwise T may be 0, and S - T and T - S must both hold. The sign is taken
    from the same rows, so a tenth of alpha is kept for taking T = 0 for a bias, and the bounds have
    the rest: without that, a student at its margin passes with chance 0.06 where T = 0. To say that
    the margin is exceeded no sign of T is assumed: |S| - |T| = max over a of min over b of aS + bT
    (a, b = ±1), a union of intersections, with Bonferroni over a.
    """
    if isinstance(basis, Table):
        return NotMeasured("a contrast cannot rest on one paired table")
    index = ORDER.index(reference)
    if index >= len(basis.mean):
        return NO_BASELINE

    def mix(a: float, b: float) -> linear.Combination:
        weights = [0.0] * len(basis.mean)
        weights[0], weights[index] = a, b
        return bounded(basis, weights, alpha)

    if not basis.own_known:
        return _change_of_contrast(basis, [mix(1.0, -1.0), mix(-1.0, 1.0)], margin, alpha)
    rule = zero_rule(*linear.interval(mix(0.0, 1.0), 1 - SIGN * alpha))
    left = alpha * (1 - rule.spent)
    sides = [mix(a, b) for a, b in rule.sides]
    value = abs(basis.mean[0]) - abs(basis.mean[index])
    exceeded = min(max(linear.p_above(mix(a, b), margin) for b in (1.0, -1.0)) for a in (1.0, -1.0))
    within = max(linear.p_below(side, margin) for side in sides)
    lowest = max(min(linear.lower(mix(a, b), alpha / 2) for b in (1.0, -1.0)) for a in (1.0, -1.0))
    highest = max(linear.upper(side, left) for side in sides)
    return Claim(
        estimate=Estimate(
            value=value,
            low=min(lowest, value),
            high=max(highest, value),
            n=basis.n,
            level=1 - 2 * alpha,
            method=f"intersection-union of {method_of(basis)}",
        ),
        p_above=min(1.0, 2 * exceeded),
        p_below=min(1.0, within / (1 - rule.spent)),
    )


def _change_of_contrast(
    basis: Means, sides: Sequence[linear.Combination], margin: float, alpha: float
) -> Claim:
    """|S| - |T| against a margin where only S - T is known: it is at most |S - T|.

    Whether a change is for the worse cannot be told then, so a margin is never shown to be
    exceeded.
    """
    value = abs(sides[0].value)
    highest = max(value, *(linear.upper(side, alpha) for side in sides))
    return Claim(
        estimate=Estimate(
            value=value,
            low=-highest,
            high=highest,
            n=basis.n,
            level=1 - 2 * alpha,
            method=f"size of the change, its sign unknown; {method_of(basis)}",
        ),
        p_above=1.0,
        p_below=max(linear.p_below(side, margin) for side in sides),
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
    """What an interval made at one level says.

    Where the interval excludes the limit, the p-value is at most the risk of that level. How much
    smaller it is follows from how many of its half-widths the value lies from the limit, by
    Student's t, and by the wider half of a skewed interval.
    """
    if isinstance(measured, NotMeasured):
        return measured
    if absolute:
        return NotMeasured("the size of a contrast cannot be had from one interval")
    return Claim(
        estimate=measured,
        p_above=_beyond(measured, basis, limit),
        p_below=_beyond(negated(measured), basis, -limit),
    )


def _beyond(measured: Estimate, basis: Fixed, limit: float) -> float:
    """P-value that the value is above the limit, from its interval."""
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    if basis.level >= 1:  # counted: what is above is so for certain
        return 0.0 if measured.low > limit else 1.0
    risk = tail(basis.level)
    if not measured.low > limit:
        return 1.0
    if basis.least_p is None:
        return risk
    half = max(measured.value - measured.low, measured.high - measured.value)
    if half <= 0:
        return basis.least_p
    steps = (measured.value - limit) / half
    if basis.df is None:
        p = float(ndtr(float(ndtri(risk)) * steps))
    else:
        p = float(stdtr(basis.df, float(stdtrit(basis.df, risk)) * steps))
    return min(risk, max(p, basis.least_p))


def exact_p_exceeded(check: Check, finding: Finding) -> float:
    """Exact p-value that few rows exceed a margin; 0 where the test is exact or safe already.

    Shares are tested exactly whatever their rows, and t tests are wider than they need to be. The
    score test of a paired difference errs too often where rows are few. That of a share of the
    reference does so a little, and is left as it is: in 8 to 20 rows with chance 0.067, not 0.05.
    """
    basis, margin = resting(finding, check.limit).basis, check.value
    if check.limit is not Limit.MARGIN or not isinstance(basis, Table) or not 0 <= margin < 1:
        return 0.0
    pair = pair_counts(basis, check.against)
    if pair is None or sum(pair) > MOST:
        return 0.0
    _, gains, losses, _ = pair
    if finding.better is not Better.HIGHER:
        gains, losses = losses, gains
    return exact_p_below(gains, losses, sum(pair), -margin)


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
