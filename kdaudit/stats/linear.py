"""One-sided bounds and p-values of a linear combination of means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from kdaudit.stats.interval import Interval, tail

Numbers = Sequence[float] | NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """A weighted sum of means, and all that its bounds need.

    Attributes:
        value: the estimate, with unknown scores at the centre of their range.
        se: standard error, with the terms for what was not seen; the same for every alpha.
        df: degrees of freedom of Student's t.
        unknown: the most the estimate could move had the unknown scores been known.
        inflation: the most the sampled part of ``se`` could grow, per unit of ``unknown``.
    """

    value: float
    se: float
    df: float
    unknown: float
    inflation: float


def combine(  # noqa: PLR0913 - the fields of a finding's basis, and what is asked of them
    mean: Numbers,
    covariance: Sequence[Numbers] | NDArray[np.floating],
    df: float,
    coefficients: Numbers,
    *,
    effective: float,
    largest: float,
    span: float,
    unknown: Sequence[float],
    z: float,
    inflation: float | None = None,
    beyond: float = 0.0,
) -> Combination:
    """Weigh S means by ``coefficients`` c, with an error that is never zero by luck.

    **Standard error.** ``se = shift + √(c'Σc + floor²)`` with

        floor = z·span / (2·effective)
        shift = z·span/2 · √(largest / effective).

    When all C units happen to agree c'Σc is 0 though a share p of the population may differ by
    ``span``: that sample has chance (1 - p)^C, so p up to about z²/C must be allowed for. Where a
    few differ, a mean too low by luck comes with a variance too low, and a test that studentises
    with it errs too often. Both are mended as Wilson's score interval mends them for a share: over
    C units that weigh the same, shift = floor = z·span/2C, the bound of K rare differences is that
    of a Poisson score test, ``(K + z²/2 + z·√(K + z²/4))·span/C``, and without any it is
    z²·span/C, Tango's z²/(C + z²) to first order. Units that do not weigh the same make the mean
    more skewed, as Σp³ <= largest/effective says, hence the larger shift: without it, tests on
    clusters of Zipf sizes that agree within err with chance 0.08 instead of 0.05. Where many units
    differ the terms are of order 1/C beside 1/√C, and fade.

    **Unknown scores.** Each unknown score is put at the centre of its range and can be off by half
    that range at most; ``unknown`` adds these halves, weighted as the mean weighs its rows. Let δ
    be the errors of the weighted scores, summed per unit: Σ|δ_k| <= U = Σ|c_k|·unknown_k. The
    estimate then moves by at most U. The units' residuals move by ``δ - p·Σδ = Σ δ_k (e_k - p)``,
    where p are the units' shares of the mean and e_k is the unit vector, so their norm moves by at
    most ``U·max‖e_k - p‖``, and ``‖e_k - p‖² = 1 - 2p_k + Σp² <= 1 + Σp²``. The correction of the
    covariance, `kdaudit.stats.clusters.correction`, is at most (1 - max p)⁻², so with the factor

        inflation = √(1 + 1/effective) / (1 - largest)

    no completion of the data moves ``estimate ± t·se`` by more than ``(1 + t·inflation)·U``. It is
    nearly 1 for many units that weigh the same.

    Args:
        mean: (S,) means or contrasts.
        covariance: (S, S) their covariance, correction included.
        df: degrees of freedom, above 0; may be infinite.
        coefficients: (S,) weights of the combination.
        effective: units of equal weight that would say as much, 1/Σp² for the units' shares p of
            the mean, at least 1; of a contrast, the smaller of both sides'.
        largest: max p, in (0, 1); of a contrast, the larger of both sides'.
        span: how far one unit can move the combined score; at least 0.
        unknown: (S,) the most each mean could move, at least 0.
        z: normal quantile of the one-sided level, at least 0; it sets the terms for what was not
            seen once for bounds and p-values alike, so that they agree.
        inflation: that of the units, where ``effective`` and ``largest`` are what their rows are
            worth; theirs if None.
        beyond: how far the sum may lie beyond its bound since a heavy unit has not differed yet,
            see `kdaudit.stats.dependence.Worth.unseen`; the bound goes as far, where the shift
            above does not.

    Raises:
        ValueError: for shapes that do not fit, or a number out of its range.

    >>> same = combine([0.8, 0.8], [[2e-4, 2e-4], [2e-4, 2e-4]], 799, [1, -1],
    ...                effective=800, largest=1 / 800, span=1, unknown=[0, 0], z=1.645)
    >>> same.value, round(1.645 * same.se, 6), round(1.645**2 / (800 + 1.645**2), 6)
    (0.0, 0.003383, 0.003371)
    """
    # Few numbers: NumPy takes longer to look at them than Python to add them up.
    c, means, sigma = _floats(coefficients), _floats(mean), [_floats(row) for row in covariance]
    size = len(c)
    if len(means) != size or len(sigma) != size or any(len(row) != size for row in sigma):
        raise ValueError(f"shapes do not fit: {len(means)}, {list(map(len, sigma))}, {size}")
    if len(unknown) != size or not all(0 <= u < math.inf for u in unknown):
        raise ValueError(f"unknown has {size} finite numbers, none negative; got {unknown}")
    if not (1 <= effective < math.inf and 0 < largest < 1 and df > 0):
        raise ValueError(
            f"needs two units, and degrees of freedom: {effective=}, {largest=}, {df=}"
        )
    if not (0 <= span < math.inf and 0 <= z < math.inf):
        raise ValueError(f"out of range: {span=}, {z=}")
    if not all(map(math.isfinite, (*c, *means, *chain.from_iterable(sigma)))):
        raise ValueError("means, covariance and coefficients are finite")
    # Without means of weight 0: a third subject may not move the last digit of a pair.
    used = [i for i, weight in enumerate(c) if weight]
    # Rounding can leave the variance of a perfect match just below zero.
    sampled = max(0.0, math.fsum(c[i] * sigma[i][j] * c[j] for i in used for j in used))
    unseen = z * span / 2
    return Combination(
        value=math.fsum(c[i] * means[i] for i in used),
        se=max(unseen * math.sqrt(largest / effective), beyond / z if z > 0 else 0.0)
        + math.hypot(math.sqrt(sampled), unseen / effective),
        df=df,
        unknown=math.fsum(abs(weight) * far for weight, far in zip(c, unknown, strict=True)),
        inflation=error_growth(effective, largest) if inflation is None else inflation,
    )


def error_growth(effective: float, largest: float) -> float:
    """How much a standard error over units can grow, per unit of unknown scores; see `combine`.

    >>> round(error_growth(100, 0.01), 4)
    1.0151
    """
    return math.sqrt(1 + 1 / effective) / (1 - largest)


def _floats(numbers: Numbers) -> list[float]:
    return [float(number) for number in numbers]


def lower(combination: Combination, alpha: float) -> float:
    """Bound that the true value exceeds with confidence 1 - alpha, whatever the unknown scores.

    Args:
        combination: the estimate.
        alpha: chance in (0, 0.5] that the bound is wrong.

    Raises:
        ValueError: for an alpha outside (0, 0.5].

    >>> round(lower(Combination(value=0.1, se=0.02, df=99, unknown=0, inflation=1), 0.05), 4)
    0.0668
    """
    return combination.value - _reach(combination, alpha)


def upper(combination: Combination, alpha: float) -> float:
    """Bound that the true value stays below with confidence 1 - alpha; see `lower`.

    >>> round(upper(Combination(value=0.1, se=0.02, df=99, unknown=0, inflation=1), 0.05), 4)
    0.1332
    """
    return combination.value + _reach(combination, alpha)


def interval(combination: Combination, level: float) -> Interval:
    """Two-sided interval: both one-sided bounds at ``(1 - level) / 2``.

    Raises:
        ValueError: for a level outside (0, 1).

    >>> low, high = interval(Combination(value=0, se=1, df=10, unknown=0, inflation=1), 0.95)
    >>> f"{low:.3f} {high:.3f}"
    '-2.228 2.228'
    """
    alpha = tail(level)
    return Interval(lower(combination, alpha), upper(combination, alpha))


def p_above(combination: Combination, limit: float) -> float:
    """One-sided p-value of "value <= limit" against "value > limit", at the worst unknown scores.

    At most alpha exactly when ``lower(combination, alpha) >= limit``.

    Raises:
        ValueError: for a limit that is not finite.

    >>> round(p_above(Combination(value=0.1, se=0.05, df=30, unknown=0, inflation=1), 0), 4)
    0.0273
    """
    return _p(combination, combination.value - limit)


def p_below(combination: Combination, limit: float) -> float:
    """One-sided p-value of "value >= limit" against "value < limit"; see `p_above`.

    >>> round(p_below(Combination(value=-0.1, se=0.05, df=30, unknown=0, inflation=1), 0), 4)
    0.0273
    """
    return _p(combination, limit - combination.value)


def _reach(combination: Combination, alpha: float) -> float:
    from scipy.special import stdtrit

    # Above one half t is negative, and a larger error would bring the bound nearer.
    if not 0 < alpha <= 0.5:
        raise ValueError(f"a bound errs with a chance above 0 and at most 0.5, got {alpha}")
    return combination.unknown - float(stdtrit(combination.df, alpha)) * _scale(combination)


def _p(combination: Combination, distance: float) -> float:
    from scipy.special import stdtr

    known = distance - combination.unknown
    if not math.isfinite(known):
        raise ValueError("a limit is a finite number")
    scale = _scale(combination)
    if scale == 0:  # a score that cannot vary: its value is certain
        return 0.5 if known == 0 else float(known < 0)
    return float(stdtr(combination.df, -known / scale))


def _scale(combination: Combination) -> float:
    return combination.se + combination.inflation * combination.unknown
