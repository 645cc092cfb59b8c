"""Score statistics of a paired 2x2 table.

Counts are in the order n11, n10, n01, n00, and the first digit is the student: n10 rows are right
for the student only, n01 for the teacher only. Rows are independent and weigh the same; with
clusters or weights use `kdaudit.stats.linear`.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.interval import Interval, normal_quantile, tail
from kdaudit.stats.proportions import clopper_pearson, wilson


def tango_z(n10: ArrayLike, n01: ArrayLike, n: ArrayLike, difference: ArrayLike) -> FloatArray:
    """Score statistic of "the true difference student - teacher is ``difference``".

    Tango (1998), Statistics in Medicine 17:891. It falls as ``difference`` rises, and is standard
    normal for large n where the hypothesis is true.

    Args:
        n10: rows only the student gets right; all four arguments broadcast.
        n01: rows only the teacher gets right.
        n: all rows, above 0.
        difference: hypothetical difference of shares. Where the data cannot come from it, as
            beyond ±1, the statistic is infinite; 0/0 (no discordance, difference 0) counts as 0.

    Returns:
        z, in the broadcast shape.

    >>> f"{tango_z(6, 16, 161, -0.15):.5f}"
    '2.66792'
    """
    a, b, n, d = np.broadcast_arrays(
        *(np.asarray(x, np.float64) for x in (n10, n01, n, difference))
    )
    # z(a, b, d) = -z(b, a, -d). With d >= 0 no square root below takes a difference of large
    # terms, so nothing cancels near the ends.
    swap = d < 0
    a, b, d = np.where(swap, b, a), np.where(swap, a, b), np.abs(d)
    gap = a - b - n * d
    spread = _tango_variance(a, b, n, d)
    z = _standardise(gap, n * spread)
    return np.asarray(np.where(swap, -z, z), np.float64)


def _tango_variance(a: FloatArray, b: FloatArray, n: FloatArray, d: FloatArray) -> FloatArray:
    """Variance of one row's difference, at the likeliest shares that differ by d >= 0.

    The likeliest share q of teacher-only rows solves 2q² + linear·q + constant = 0.
    """
    linear = (-(a + b) + (2 * n - a + b) * d) / n
    constant = -b / n * d * (1 - d)
    root = np.sqrt(np.maximum(linear * linear - 8 * constant, 0))
    large = np.where(linear > 0, linear + root, 1)
    q = np.where(linear > 0, -2 * constant / large, (root - linear) / 4)
    # Beyond 1 no shares exist at all: no variance, hence an infinite statistic.
    return np.where(d < 1, 2 * q + d * (1 - d), 0)


def _spread_of_one(a: float, b: float, n: float, d: float) -> float:
    """`_tango_variance` of one table: a search for a bound asks for it twenty times."""
    if d >= 1:
        return 0.0
    linear = (-(a + b) + (2 * n - a + b) * d) / n
    constant = -b / n * d * (1 - d)
    root = math.sqrt(max(linear * linear - 8 * constant, 0.0))
    q = -2 * constant / (linear + root) if linear > 0 else (root - linear) / 4
    return 2 * q + d * (1 - d)


def tango_interval(n10: float, n01: float, n: float, level: float) -> Interval:
    """Score interval of the paired difference of shares, after Tango (1998).

    Args:
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n: all rows, above 0.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval in [-1, 1]; without discordance ±z²/(n + z²), never a point. When every row
        is student only the upper end is exactly 1, when every row is teacher only the lower -1.

    Raises:
        ValueError: for counts that do not fit in n, n <= 0, or a level outside (0, 1).

    >>> low, high = tango_interval(6, 16, 161, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '-0.1240 -0.0054'
    """
    _check(n, n10, n01)
    z = normal_quantile(tail(level))
    # At the extremes the bounds have closed forms, and the search below a second, false root.
    if n10 + n01 == 0:
        return Interval(-z * z / (n + z * z), z * z / (n + z * z))
    far = (n - z * z) / (n + z * z)
    if n10 == n:
        return Interval(far, 1.0)
    if n01 == n:
        return Interval(-1.0, -far)
    return Interval(-_tango_upper(n01, n10, n, z), _tango_upper(n10, n01, n, z))


def _tango_upper(n10: float, n01: float, n: float, z: float) -> float:
    a, b, rows = float(n10), float(n01), float(n)

    def excess(d: float) -> float:
        first, second = (a, b) if d >= 0 else (b, a)
        return a - b - rows * d + z * math.sqrt(rows * _spread_of_one(first, second, rows, abs(d)))

    return _root(excess, (n10 - n01) / n, 1.0)


def tango_p_below(n10: float, n01: float, n: float, limit: float) -> float:
    """One-sided p-value of "difference >= limit" against "difference < limit".

    At most alpha exactly when the upper end of the interval at level 1 - 2 alpha is at most
    ``limit``.

    >>> f"{tango_p_below(16, 6, 161, 0.15):.6f}"
    '0.003816'
    """
    from scipy.special import ndtr

    _check(n, n10, n01)
    return float(ndtr(tango_z(n10, n01, n, limit)))


def tango_p_above(n10: float, n01: float, n: float, limit: float) -> float:
    """One-sided p-value of "difference <= limit" against "difference > limit".

    With ``limit = -margin`` this is the test of non-inferiority.

    >>> f"{tango_p_above(6, 16, 161, -0.15):.6f}"
    '0.003816'
    """
    return tango_p_below(n01, n10, n, -limit)


def newcombe_interval(
    n11: float, n10: float, n01: float, n00: float, level: float, *, corrected: bool = True
) -> Interval:
    """Hybrid score interval of the paired difference: a second opinion in closed form.

    Newcombe (1998), Statistics in Medicine 17:2635: method 10, which joins the Wilson intervals of
    both shares by their correlation.

    Args:
        n11: rows both get right.
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n00: rows both get wrong.
        level: two-sided coverage in (0, 1).
        corrected: whether a positive correlation is shrunk by a continuity correction.

    Returns:
        The interval in [-1, 1].

    Raises:
        ValueError: for negative counts, an empty table, or a level outside (0, 1).

    >>> low, high = newcombe_interval(59, 6, 16, 80, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '-0.1186 -0.0046'
    """
    n = n11 + n10 + n01 + n00
    _check(n, n11, n10, n01, n00)
    student, teacher = n11 + n10, n11 + n01
    product = float(n11 * n00 - n10 * n01)
    if corrected and product >= 0:
        product = max(0.0, product - n / 2)
    margins = math.sqrt(student) * math.sqrt(n - student) * math.sqrt(teacher)
    margins *= math.sqrt(n - teacher)
    phi = product / margins if margins > 0 else 0.0
    s, t = student / n, teacher / n
    s_low, s_high = wilson(student, n, level)
    t_low, t_high = wilson(teacher, n, level)

    def reach(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one + other * other - 2 * phi * one * other))

    return Interval(
        max(-1.0, s - t - reach(s - s_low, t_high - t)),
        min(1.0, s - t + reach(s_high - s, t - t_low)),
    )


def mcnemar_exact(n10: int, n01: int) -> float:
    """Two-sided exact p-value of "neither subject is right more often"; 1 without discordance.

    >>> round(mcnemar_exact(6, 16), 6)
    0.052479
    """
    from scipy.special import bdtr

    _check(max(n10 + n01, 1), n10, n01)
    return min(1.0, 2 * float(bdtr(min(n10, n01), n10 + n01, 0.5)))


def mcnemar_mid_p(n10: int, n01: int) -> float:
    """Two-sided mid-p value: the exact one less the chance of the very count observed.

    Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91.

    >>> round(mcnemar_mid_p(6, 16), 6)
    0.03469
    """
    from scipy.special import bdtr

    _check(max(n10 + n01, 1), n10, n01)
    fewer, trials = min(n10, n01), n10 + n01
    below = float(bdtr(fewer - 1, trials, 0.5)) if fewer else 0.0
    return min(1.0, below + float(bdtr(fewer, trials, 0.5)))


def mcnemar_asymptotic(n10: int, n01: int, *, corrected: bool = False) -> float:
    """Two-sided chi-square p-value of McNemar (1947); 1 without discordance.

    Args:
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        corrected: whether Edwards' continuity correction is applied.

    >>> round(mcnemar_asymptotic(6, 16), 6), round(mcnemar_asymptotic(6, 16, corrected=True), 6)
    (0.033006, 0.055009)
    """
    _check(max(n10 + n01, 1), n10, n01)
    if n10 + n01 == 0:
        return 1.0
    gap = max(0.0, abs(n10 - n01) - (1.0 if corrected else 0.0))
    return math.erfc(gap / math.sqrt(2 * (n10 + n01)))


def tang_z(
    n11: ArrayLike, n10: ArrayLike, n01: ArrayLike, n00: ArrayLike, ratio: ArrayLike
) -> FloatArray:
    """Score statistic of "the student's share is ``ratio`` times the teacher's".

    Tang, Tang and Chan (2003), Statistics in Medicine 22:1217. It falls as ``ratio`` rises.

    Args:
        n11: rows both get right; all five arguments broadcast.
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n00: rows both get wrong.
        ratio: hypothetical ratio, at least 0 and finite; 0/0 counts as 0.

    Returns:
        z, in the broadcast shape.

    >>> f"{tang_z(59, 6, 16, 80, 0.75):.5f}"
    '1.92205'
    """
    counts = (np.asarray(x, np.float64) for x in (n11, n10, n01, n00, ratio))
    both, a, b, neither, ratio = np.broadcast_arrays(*counts)
    # As for Tango: swapping the subjects inverts the ratio, and above 1 nothing cancels.
    swap = ratio < 1
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    with np.errstate(divide="ignore"):
        ratio = np.where(swap, 1 / ratio, ratio)
    possible = np.isfinite(ratio)
    finite = np.where(possible, ratio, 1)
    gap = both + a - (both + b) * finite
    variance = np.where(possible, _tang_variance(both, a, b, neither, finite), 0)
    gap = np.where(possible, gap, -np.sign(both + b))
    z = _standardise(gap, variance)
    return np.asarray(np.where(swap, -z, z), np.float64)


def _tang_variance(
    both: FloatArray, a: FloatArray, b: FloatArray, neither: FloatArray, ratio: FloatArray
) -> FloatArray:
    """Variance of (both + a) - ratio (both + b) at the likeliest shares with ratio >= 1.

    The likeliest share q of teacher-only rows solves (1 + ratio) q² + linear·q + constant = 0.
    """
    n = both + a + b + neither
    some = both + a + b
    linear = ((both + b) * ratio * ratio - (some + b)) / n
    constant = -b / n * (ratio - 1) * (some / n)
    root = np.sqrt(np.maximum(linear * linear - 4 * (1 + ratio) * constant, 0))
    large = np.where(linear > 0, linear + root, 1)
    q = np.where(linear > 0, -2 * constant / large, (root - linear) / (2 * (1 + ratio)))
    return n * (1 + ratio) * q + some * (ratio - 1)


def tang_interval(n11: float, n10: float, n01: float, n00: float, level: float) -> Interval:
    """Score interval of the ratio student / teacher of shares, after Tang et al. (2003).

    Args:
        n11: rows both get right.
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n00: rows both get wrong.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval in [0, inf]. The lower end is 0 when the student is never right, the upper
        end ``inf`` when the teacher never is; (0, inf) when neither is.

    Raises:
        ValueError: for negative counts, an empty table, or a level outside (0, 1).

    >>> low, high = tang_interval(59, 6, 16, 80, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '0.7476 0.9876'
    """
    _check(n11 + n10 + n01 + n00, n11, n10, n01, n00)
    z = normal_quantile(tail(level))
    inverse = _tang_upper(n11, n01, n10, n00, z)
    return Interval(1 / inverse if inverse else math.inf, _tang_upper(n11, n10, n01, n00, z))


def _tang_upper(n11: float, n10: float, n01: float, n00: float, z: float) -> float:
    student, teacher = n11 + n10, n11 + n01
    if teacher == 0:
        return math.inf
    # At the extremes the bound has a closed form, and the search below a second, false root.
    if student == 0:
        return z * z / n01
    if n10 + n01 == 0:
        return 1 + z * z / n11

    def excess(log_ratio: float) -> float:
        return float(tang_z(n11, n10, n01, n00, math.exp(log_ratio))) + z

    start = math.log(student / teacher)
    step = 1.0
    while excess(start + step) > 0:
        step *= 2
    return math.exp(_root(excess, start, start + step))


def tang_p_below(n11: float, n10: float, n01: float, n00: float, limit: float) -> float:
    """One-sided p-value of "ratio >= limit" against "ratio < limit".

    Raises:
        ValueError: for negative counts, an empty table, or a limit that is negative or infinite.

    >>> f"{tang_p_below(59, 16, 6, 80, 1 / 0.75):.5f}"
    '0.02730'
    """
    from scipy.special import ndtr

    return float(ndtr(_tang_z_at(n11, n10, n01, n00, limit)))


def tang_p_above(n11: float, n10: float, n01: float, n00: float, limit: float) -> float:
    """One-sided p-value of "ratio <= limit" against "ratio > limit": the test of retention.

    Raises:
        ValueError: for negative counts, an empty table, or a limit that is negative or infinite.

    >>> f"{tang_p_above(59, 6, 16, 80, 0.75):.5f}"
    '0.02730'
    """
    from scipy.special import ndtr

    return float(ndtr(-_tang_z_at(n11, n10, n01, n00, limit)))


def _tang_z_at(n11: float, n10: float, n01: float, n00: float, limit: float) -> float:
    _check(n11 + n10 + n01 + n00, n11, n10, n01, n00)
    if not 0 <= limit < math.inf:
        raise ValueError(f"a ratio of shares is finite and not negative, got {limit}")
    return float(tang_z(n11, n10, n01, n00, limit))


def odds_ratio_interval(n10: int, n01: int, level: float) -> Interval:
    """Exact interval of the odds of student-only against teacher-only rows, n10 / n01.

    Returns:
        The interval in [0, inf]; ``inf`` above when n01 is 0, and (0, inf) without discordance.

    Raises:
        ValueError: for negative counts or a level outside (0, 1).

    >>> low, high = odds_ratio_interval(5, 0, 0.9)
    >>> f"{low:.3f} {high}"
    '1.219 inf'
    """
    _check(max(n10 + n01, 1), n10, n01)
    if n10 + n01 == 0:
        return Interval(0.0, math.inf)
    low = clopper_pearson(n10, n10 + n01, level).low
    inverse = clopper_pearson(n01, n10 + n01, level).low
    return Interval(low / (1 - low), (1 - inverse) / inverse if inverse else math.inf)


def _check(n: float, *counts: float) -> None:
    if not (n > 0 and all(count >= 0 for count in counts) and sum(counts) <= n):
        raise ValueError(f"a table needs n > 0 and counts in [0, n], got {counts} of {n}")


def _standardise(gap: FloatArray, variance: FloatArray) -> FloatArray:
    certain = np.where(gap == 0, 0, np.copysign(np.inf, gap))
    z = gap / np.sqrt(np.where(variance > 0, variance, 1))
    return np.where(variance > 0, z, certain)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    # Bounds near 0 are small numbers of their own: precision is relative, not absolute.
    return float(brentq(function, low, high, xtol=1e-300, maxiter=2000))
