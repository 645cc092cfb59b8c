"""One-sided bounds and p-values of a linear combination of means."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.interval import Interval, tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """A weighted sum of means, and all that its bounds need.

    Attributes:
        value: the estimate, with unknown scores at the centre of their range.
        se: standard error, with the rule-of-three term; the same for every alpha.
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
    mean: ArrayLike,
    covariance: ArrayLike,
    df: float,
    coefficients: ArrayLike,
    *,
    clusters: int,
    span: float,
    unknown: Sequence[float],
    z: float,
    concentration: float = 1.0,
) -> Combination:
    """Weigh S means by ``coefficients`` c, with an error that is never zero by luck.

    **Standard error.** ``se² = c'Σc + (z·span/clusters)²``. When all C units happen to agree the
    first term is 0 though a share p of the population may differ by ``span``: that sample has
    chance (1 - p)^C, so p up to about z²/C must be allowed for. Adding z·span/C to the standard
    error in quadrature does: the bound z·se is then z²·span/C, which is Tango's z²/(C + z²) to
    first order. Where units do differ the term is of order 1/C beside 1/√C, and fades.

    **Unknown scores.** Each unknown score is put at the centre of its range and can be off by half
    that range at most; ``unknown`` adds these halves, weighted as the mean weighs its rows. Let δ
    be the errors of the weighted scores, summed per unit: Σ|δ_k| <= U = Σ|c_k|·unknown_k. The
    estimate then moves by at most U. The units' residuals move by ``δ - p·Σδ = Σ δ_k (e_k - p)``,
    where p are the units' shares of the mean and e_k is the unit vector, so their norm moves by at
    most ``U·max‖e_k - p‖``, and ``‖e_k - p‖² = 1 - 2p_k + Σp² <= 1 + Σp²``. With the correction
    C / (C - 1) that is a factor

        inflation = sqrt(C / (C - 1) · (1 + Σp²)),

    so no completion of the data moves ``estimate ± t·se`` by more than ``(1 + t·inflation)·U``.
    Subtracting a weighted mean does not contract by itself: with one small and one large unit the
    norm grows by nearly √2, hence Σp². It is C⁻¹ for units that weigh the same, and then the
    factor is nearly 1; 1 is safe for any.

    Args:
        mean: (S,) means or contrasts.
        covariance: (S, S) their covariance, correction C / (C - 1) included.
        df: degrees of freedom, at least 1; may be infinite.
        coefficients: (S,) weights of the combination.
        clusters: independent units C, at least 2.
        span: how far one unit can move the combined score; at least 0.
        unknown: (S,) the most each mean could move, at least 0.
        z: normal quantile of the one-sided level, at least 0; it sets the rule-of-three term once
            for bounds and p-values alike, so that they agree.
        concentration: Σp², the squared shares of the units in the mean, in (0, 1]; 1/C where all
            weigh the same; of a contrast, the larger of the two sides'.

    Raises:
        ValueError: for shapes that do not fit, or a number out of its range.

    >>> same = combine([0.8, 0.8], [[2e-4, 2e-4], [2e-4, 2e-4]], 799, [1, -1],
    ...                clusters=800, span=1, unknown=[0, 0], z=1.645)
    >>> same.value, round(1.645 * same.se, 6), round(1.645**2 / (800 + 1.645**2), 6)
    (0.0, 0.003383, 0.003371)
    """
    c = np.asarray(coefficients, np.float64)
    means, sigma = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    if not (c.ndim == 1 and means.shape == c.shape and sigma.shape == c.shape * 2):
        raise ValueError(f"shapes do not fit: {means.shape}, {sigma.shape}, {c.shape}")
    if len(unknown) != c.size or not all(0 <= u < math.inf for u in unknown):
        raise ValueError(f"unknown has {c.size} finite numbers, none negative; got {unknown}")
    if not (clusters >= 2 and df >= 1):
        raise ValueError(f"needs two units and one degree of freedom: {clusters=}, {df=}")
    if not (0 <= span < math.inf and 0 <= z < math.inf and 0 < concentration <= 1):
        raise ValueError(f"out of range: {span=}, {z=}, {concentration=}")
    if not all(np.isfinite(numbers).all() for numbers in (c, means, sigma)):
        raise ValueError("means, covariance and coefficients are finite")
    # Rounding can leave the variance of a perfect match just below zero.
    sampled = max(0.0, float(c @ sigma @ c))
    return Combination(
        value=float(c @ means),
        se=math.hypot(math.sqrt(sampled), z * span / clusters),
        df=df,
        unknown=float(np.abs(c) @ np.asarray(unknown, np.float64)),
        inflation=math.sqrt(clusters / (clusters - 1) * (1 + concentration)),
    )


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
