"""Closed-form intervals of the ratio of two paired shares: second opinions on Tang's.

Counts are in the order n11, n10, n01, n00 of `kdaudit.stats.paired_table`. Rows that both get wrong
say nothing about a ratio, so n00 is not asked for.
"""

import math

from kdaudit.stats.interval import Interval, normal_quantile, tail
from kdaudit.stats.proportions import wilson


def log_wald_ratio_interval(n11: int, n10: int, n01: int, level: float) -> Interval:
    """Normal interval of log(student / teacher): simple, and a point without discordance.

    Args:
        n11: rows both get right.
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval in [0, inf]; (0, inf) when either is never right.

    Raises:
        ValueError: for negative counts or a level outside (0, 1).

    >>> low, high = log_wald_ratio_interval(59, 6, 16, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '0.7597 0.9886'
    """
    _check(n11, n10, n01)
    z = normal_quantile(tail(level))
    student, teacher = n11 + n10, n11 + n01
    if student == 0 or teacher == 0:
        return Interval(0.0, math.inf)
    reach = z * math.sqrt((n10 + n01) / (student * teacher))
    ratio = student / teacher
    return Interval(ratio * math.exp(-reach), ratio * math.exp(reach))


def bonett_price_ratio_interval(n11: int, n10: int, n01: int, level: float) -> Interval:
    """Hybrid score interval of student / teacher, after Bonett and Price (2006).

    Quotient of the ends of two Wilson intervals, among rows that either gets right, whose level is
    lowered so far that the quotient has about the wanted one. Biometrics 62:611.

    Args:
        n11: rows both get right.
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        level: two-sided coverage in (0, 1).

    Returns:
        The interval in [0, inf]; never a point. (0, inf) when neither is ever right.

    Raises:
        ValueError: for negative counts or a level outside (0, 1).

    >>> low, high = bonett_price_ratio_interval(59, 6, 16, 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '0.7579 0.9910'
    """
    from scipy.special import ndtr

    _check(n11, n10, n01)
    z = normal_quantile(tail(level))
    either, student, teacher = n11 + n10 + n01, n11 + n10, n11 + n01
    if either == 0:
        return Interval(0.0, math.inf)
    joint = math.sqrt((n10 + n01 + 2) / ((student + 1) * (teacher + 1)))
    apart = sum(math.sqrt((1 - (x + 1) / (either + 2)) / (x + 1)) for x in (student, teacher))
    each = 2 * float(ndtr(z * joint / apart)) - 1
    s_low, s_high = wilson(student, either, each)
    t_low, t_high = wilson(teacher, either, each)
    return Interval(s_low / t_high, s_high / t_low if t_low > 0 else math.inf)


def _check(*counts: int) -> None:
    if not all(count >= 0 for count in counts):
        raise ValueError(f"counts are not negative, got {counts}")
