"""How many rows would decide a check that these rows leave open, if what was seen is true.

At that number the check passes, or fails, with chance 0.8: a check that is inside its limit by the
test that lets it pass, one that is beyond by the test that fails it, at its share of alpha. Where
that takes more than ten times the rows at hand no number is named: the data say too little of the
distance, and nobody would collect them.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kdaudit.basis import (
    NOTHING,
    ORDER,
    Reference,
    bounded,
    contrast_weights,
    difference_counts,
    is_binary,
    ratio_counts,
    share_counts,
    unit,
)
from kdaudit.claims import SIGN, zero_rule
from kdaudit.estimate import Estimate
from kdaudit.results import Better, Check, Finding, Fixed, LeastRatio, Limit, Means, Table
from kdaudit.stats import linear
from kdaudit.stats.arrays import BoolArray, FloatArray
from kdaudit.stats.counts import Counts
from kdaudit.stats.exact_power import exact_power, share_power
from kdaudit.stats.exact_retention import kept_power, lost_power
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.least_ratio import Ratios
from kdaudit.stats.power import power_of_mean

CHANCE = 0.8
MOST = 10  # times the rows at hand
POINTS = 1024  # of the rule for contrasts, which has no closed form

Power = Callable[[int], float]


def needed_rows(
    check: Check, finding: Finding, measured: Estimate, alpha: float, share: float
) -> int | None:
    """Rows that would decide a check with chance 0.8; None for more than ten times those at hand.

    Args:
        check: the limit.
        finding: what is held against it.
        measured: the claim's value and interval, on the scale of the limit.
        alpha: one-sided level.
        share: of alpha that the check has where a failure is to be shown, in (0, 1].
    """
    n = measured.n
    power = _power(check, finding, measured, alpha, share)
    if power is None or not power(MOST * n) >= CHANCE:
        return None
    low, high = n, MOST * n
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= CHANCE else (middle, high)
    return high


def _power(
    check: Check, finding: Finding, measured: Estimate, alpha: float, share: float
) -> Power | None:
    floor = check.limit in (Limit.KEEP, Limit.AT_LEAST)
    inside = measured.value >= check.value if floor else measured.value <= check.value
    level = alpha if inside else alpha * share
    basis = finding.basis
    if isinstance(basis, Fixed):
        return _of_interval(check, measured, basis, level, inside=inside)
    if isinstance(basis, LeastRatio):
        return _of_ratios(check, basis, alpha, level, inside=inside)
    if not isinstance(basis, Table | Means):
        return None
    if is_binary(basis):
        return _of_counts(check, finding.better, basis, measured.n, level, inside=inside)
    assert isinstance(basis, Means)
    if finding.better is Better.ZERO and check.limit is Limit.MARGIN:
        return _of_contrast(check, basis, alpha, share)
    return _of_mean(check, finding, basis, measured, (alpha, level), inside=inside)


# ------------------------------------------------------------------------------------ 0/1 scores


def _of_counts(
    check: Check, better: Better, basis: Table | Means, n: int, level: float, *, inside: bool
) -> Power | None:
    """By adding up every table that the test would reject."""
    if _counts(check, basis) is None:
        return None

    def power(rows: int) -> float:
        # A table's counts are shares of the rows; what clustered rows are worth is worked out anew.
        counts = _counts(check, basis if isinstance(basis, Table) else scaled(basis, rows / n))
        assert counts is not None
        many = rows if isinstance(basis, Table) else max(1, round(counts.n))
        risk = tail(counts.normal_level(1 - 2 * level))
        return _chance(check, better, counts, many, risk, inside=inside)

    return power


def _counts(check: Check, basis: Table | Means) -> Counts | None:
    if check.limit in (Limit.AT_MOST, Limit.AT_LEAST):
        return share_counts(basis, "student")
    if check.limit is Limit.KEEP:
        return ratio_counts(basis, check.against, check.value)
    return difference_counts(basis, check.against)


def _chance(
    check: Check, better: Better, counts: Counts, many: int, risk: float, *, inside: bool
) -> float:
    """Chance that so many effective rows decide."""
    if check.limit in (Limit.AT_MOST, Limit.AT_LEAST):
        return _of_share(check, counts, many, risk, inside=inside)
    if check.limit is Limit.KEEP:
        return _of_kept(check.value, counts, many, risk, inside=inside)
    gains, losses, below, above = counts.n10, counts.n01, counts.below, counts.above
    if better is not Better.HIGHER:
        gains, losses, below, above = losses, gains, above, below
    harm, discordance = (losses - gains) / counts.n, counts.discordance
    edge = check.value - below if inside else check.value + above
    if not -1 < edge < 1:
        return 0.0
    if inside:
        return exact_power(many, discordance, -harm, -edge, alpha=risk)
    return exact_power(many, discordance, harm, edge, alpha=risk)


def _of_share(check: Check, counts: Counts, many: int, risk: float, *, inside: bool) -> float:
    ones = (counts.n11 + counts.n10) / counts.n
    if (check.limit is Limit.AT_LEAST) == inside:  # it is to be shown above the limit
        return share_power(many, ones, min(check.value + counts.below, 1.0), alpha=risk)
    edge = max(check.value - counts.above, 0.0)
    return share_power(many, 1 - ones, 1 - edge, alpha=risk)


def _of_kept(keep: float, counts: Counts, many: int, risk: float, *, inside: bool) -> float:
    right = counts.n11 + counts.n01
    wrong, teacher = counts.n - right, right / counts.n
    # Effective counts are no whole numbers, and rounding may leave more than all.
    lost = min(1.0, counts.n01 / right) if right else 0.0
    won = min(1.0, counts.n10 / wrong) if wrong > NOTHING * counts.n else 0.0
    edge = keep + counts.below / teacher if inside else keep - counts.above / teacher
    if not 0 < edge <= 1:
        return 0.0
    rights = max(1, round(many * teacher))
    shown = kept_power if inside else lost_power
    return shown(rights, many - rights, lost, won, edge, alpha=risk)


# ---------------------------------------------------------------------------------- other scores


def scaled(basis: Means, scale: float) -> Means:
    """The basis of ``scale`` times as many rows, and units, that are as these are."""
    dependence = basis.dependence
    return replace(
        basis,
        covariance=tuple(tuple(x / scale for x in row) for row in basis.covariance),
        df=basis.df * scale,
        n=round(basis.n * scale),
        clusters=round(basis.clusters * scale),
        effective=None if basis.effective is None else basis.effective * scale,
        largest=None if basis.largest is None else basis.largest / scale,
        dependence=None
        if dependence is None
        else replace(
            dependence,
            rows=dependence.rows * scale,
            apart=dependence.apart / scale,
            joined=dependence.joined / scale,
            cubes=dependence.cubes / scale**2,
        ),
    )


def _of_mean(
    check: Check,
    finding: Finding,
    basis: Means,
    measured: Estimate,
    levels: tuple[float, float],
    *,
    inside: bool,
) -> Power | None:
    alpha, level = levels
    weights, limit, value = _held(check, basis, measured)
    if weights is None:
        return None
    both = finding.better is Better.ZERO and not inside
    distance = abs(value - limit)

    def power(rows: int) -> float:
        some = bounded(scaled(basis, rows / basis.n), weights, alpha)
        return _shown(some, distance, _sampled(basis, weights, rows), level / (2 if both else 1))

    return power


def _held(
    check: Check, basis: Means, measured: Estimate
) -> tuple[list[float] | None, float, float]:
    """Weights of what is held against a limit, the limit, and the value, on the basis' scale."""
    log = basis.scale == "log"
    if check.limit in (Limit.AT_MOST, Limit.AT_LEAST):
        if log and not (check.value > 0 and measured.value > 0):
            return None, 0.0, 0.0
        told: Callable[[float], float] = math.log if log else float
        return unit(0, len(basis.mean)), told(check.value), told(measured.value)
    if check.limit is Limit.KEEP and log:
        weights = contrast_weights(basis, check.against, 1.0)
        return weights, math.log(check.value) if check.value > 0 else 0.0, math.log(measured.value)
    if check.limit is Limit.KEEP:
        weights = contrast_weights(basis, check.against, check.value)
        index = ORDER.index(check.against)
        gap = basis.mean[0] - check.value * basis.mean[index] if weights else 0.0
        return weights, 0.0, gap
    return contrast_weights(basis, check.against, 1.0), check.value, measured.value


def _sampled(basis: Means, weights: list[float], rows: int) -> float:
    """Standard error of so many rows, without what is allowed for besides."""
    used = [i for i, w in enumerate(weights) if w]
    total = math.fsum(weights[i] * basis.covariance[i][j] * weights[j] for i in used for j in used)
    return math.sqrt(max(total, 0.0) * basis.n / rows)


def _shown(some: linear.Combination, distance: float, se: float, level: float) -> float:
    """Chance that a bound with the error of ``some`` leaves out what lies ``distance`` away."""
    from scipy.special import stdtrit

    whole = some.se + some.inflation * some.unknown
    if whole <= 0:
        return float(distance > some.unknown)
    if se <= 1e-9 * whole:  # nothing varied: the bound is where it is
        reach = -float(stdtrit(some.df, level)) * whole
        return float(distance - some.unknown > reach)
    wider = -float(stdtrit(some.df, level)) * (whole - se)
    room = distance - some.unknown - wider
    return power_of_mean(se, room, alpha=level, df=max(some.df, 1.0))


def _of_contrast(check: Check, basis: Means, alpha: float, share: float) -> Power | None:
    """The rule |S| - |T| is judged by, over draws of S and T as so many rows would give them."""
    index = ORDER.index(check.against)
    if index >= len(basis.mean):
        return None
    if not basis.own_known:
        return None  # only the change is known, and no number of rows tells its direction
    s, t = basis.mean[0], basis.mean[index]
    unknown = basis.unknown[0] + basis.unknown[index]
    z = _normals()

    def power(rows: int) -> float:
        some = scaled(basis, rows / basis.n)
        ends = _ends(some, check.against, alpha)
        a, b, c = (some.covariance[i][j] for i, j in ((0, 0), (0, index), (index, index)))
        root = math.sqrt(max(a, 1e-300))
        drawn_s = s + root * z[0]
        drawn_t = t + b / root * z[0] + math.sqrt(max(c - b * b / max(a, 1e-300), 0.0)) * z[1]
        passed = _passes(drawn_s, drawn_t, check.value, ends, alpha)
        failed = _fails(drawn_s, drawn_t, check.value, ends, alpha * share)
        return float(np.mean(passed | failed)) if unknown < check.value or unknown == 0 else 0.0

    return power


Ends = dict[tuple[float, float], linear.Combination]


def _ends(basis: Means, reference: Reference, alpha: float) -> Ends:
    index = ORDER.index(reference)

    def mix(a: float, b: float) -> linear.Combination:
        weights = [0.0] * len(basis.mean)
        weights[0], weights[index] = a, b
        return bounded(basis, weights, alpha)

    pairs = [(a, b) for a in (1.0, -1.0) for b in (1.0, -1.0)]
    return {pair: mix(*pair) for pair in [*pairs, (0.0, 1.0)]}


def _reach(some: linear.Combination, level: float) -> float:
    """How far a bound at ``level`` lies from the value."""
    return some.value - linear.lower(some, level)


def _passes(s: FloatArray, t: FloatArray, margin: float, ends: Ends, alpha: float) -> BoolArray:
    left = alpha * (1 - SIGN)
    sure = _reach(ends[0.0, 1.0], SIGN * alpha / 2)
    passed = np.zeros(s.shape, np.bool_)
    for low, high, chosen in (
        (1.0, 1.0, t > sure),
        (-1.0, -1.0, t < -sure),
        (-1.0, 1.0, np.abs(t) <= sure),
    ):
        rule = zero_rule(low, high)
        inside = [a * s + b * t + _reach(ends[a, b], left) <= margin for a, b in rule.sides]
        passed |= chosen & inside[0] & inside[1]
    return np.asarray(passed, np.bool_)


def _fails(s: FloatArray, t: FloatArray, margin: float, ends: Ends, level: float) -> BoolArray:
    beyond = {
        pair: pair[0] * s + pair[1] * t - _reach(ends[pair], level / 2) >= margin
        for pair in ends
        if pair[0]
    }
    upwards, downwards = (beyond[a, 1.0] & beyond[a, -1.0] for a in (1.0, -1.0))
    return np.asarray(upwards | downwards, np.bool_)


def _normals() -> FloatArray:
    """(2, POINTS) points that fill the plane as two independent normals do: a rank-1 lattice."""
    from scipy.special import ndtri

    golden = (math.sqrt(5) - 1) / 2
    k = np.arange(POINTS) + 0.5
    return np.asarray(ndtri(np.stack([k / POINTS, (k * golden) % 1.0])), np.float64)


def _of_interval(
    check: Check, measured: Estimate, basis: Fixed, level: float, *, inside: bool
) -> Power | None:
    """From an interval alone: its half-width shrinks as the root of the rows."""
    if basis.level >= 1:
        return None
    upper = (check.limit is not Limit.AT_LEAST) == inside
    half = measured.high - measured.value if upper else measured.value - measured.low
    if not inside:
        half = max(measured.high - measured.value, measured.value - measured.low)
    if half <= 0:
        return None
    se, distance = half / normal_quantile(tail(basis.level)), abs(check.value - measured.value)
    if not inside and basis.least_p is not None and basis.least_p > level:
        return None
    return lambda rows: power_of_mean(
        se * math.sqrt(measured.n / rows), distance, alpha=level, df=basis.df or math.inf
    )


def _of_ratios(
    check: Check, basis: LeastRatio, alpha: float, level: float, *, inside: bool
) -> Power | None:
    """By the ratio that decides: the one whose bound is nearest."""
    ratios = basis.student
    if check.limit is Limit.KEEP:
        teacher = check.against == "teacher"
        ratios = basis.versus_teacher if teacher else basis.versus_baseline
    if not isinstance(ratios, Ratios) or not check.value > 0:
        return None
    z, edge = normal_quantile(alpha), math.log(check.value)
    steps = [(log - edge) / ratios.error(k, z) for k, log in enumerate(ratios.log)]
    k = int(np.argmin(steps))
    distance = abs(ratios.log[k] - edge)
    risk = level if inside else level / len(ratios.log)
    return lambda rows: power_of_mean(
        ratios.error(k, z) * math.sqrt(ratios.n / rows),
        distance,
        alpha=risk,
        df=max(ratios.df[k], 1.0),
    )
