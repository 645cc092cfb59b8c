"""Score intervals of a paired table, made exact where answers differ one way only.

Tango's and Tang's tests are normal approximations. Where both subjects win some rows they hold
their level; where the student only ever loses (or only ever wins) they are Wilson's test of one
share, and at zero losses that errs with chance e^(-z²) = 0.067 instead of 0.05: no loss in n rows
is no evidence of a rate below z²/n, since 3/n still has chance 0.05. There the other cell is one
binomial count, and its exact interval is joined in: Clopper and Pearson's, which never errs more
often than it says. Of two p-values the larger counts, so that a bound and its p-value agree.

Counts are in the order of `kdaudit.stats.paired_table`; by the same rule nothing here moves to the
better when a right answer is taken away.
"""

import math

from kdaudit.stats import paired_table
from kdaudit.stats.interval import Interval
from kdaudit.stats.power import zero_discordance_n
from kdaudit.stats.proportions import clopper_pearson


def share_p_above(successes: float, n: float, limit: float) -> float:
    """Exact one-sided p-value of "share <= limit" against "share > limit".

    The chance of so many successes or more; it is at most alpha where Clopper and Pearson's lower
    bound at alpha is at least ``limit``.

    Args:
        successes: count in [0, n]; need not be whole, so that effective counts are allowed.
        n: rows, above 0.
        limit: any finite number; a share is certain to be inside [0, 1].

    >>> round(share_p_above(3, 50, 0.01), 4)
    0.0138
    """
    from scipy.special import betainc

    _check(successes, n, limit)
    if limit < 0:  # no share is so small
        return 0.0
    if successes == 0 or limit >= 1:
        return 1.0
    # As Clopper and Pearson's bounds are quantiles of it; the counts need not be whole.
    return float(betainc(successes, n - successes + 1, limit))


def share_p_below(successes: float, n: float, limit: float) -> float:
    """Exact one-sided p-value of "share >= limit" against "share < limit"; see `share_p_above`.

    >>> round(share_p_below(0, 59, 0.05), 4)
    0.0485
    """
    return share_p_above(n - successes, n, 1 - limit)


def difference_interval(n10: float, n01: float, n: float, level: float) -> Interval:
    """Tango's interval of student - teacher, and the exact one as well where a cell is empty.

    Args:
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n: all rows, above 0.
        level: two-sided coverage in (0, 1).

    >>> low, high = difference_interval(6, 16, 161, 0.95)  # Tango's
    >>> f"{low:.4f} {high:.4f}"
    '-0.1240 -0.0054'
    >>> low, high = difference_interval(0, 0, 100, 0.9)  # 3/n rather than z²/n
    >>> f"{low:.4f} {high:.4f}"
    '-0.0295 0.0295'
    """
    low, high = paired_table.tango_interval(n10, n01, n, level)
    if n10 == 0:
        losses = clopper_pearson(n01, n, level)
        low, high = min(low, -losses.high), max(high, 0.0 - losses.low)
    if n01 == 0:
        gains = clopper_pearson(n10, n, level)
        low, high = min(low, gains.low), max(high, gains.high)
    return Interval(low, high)


def difference_p_above(n10: float, n01: float, n: float, limit: float) -> float:
    """One-sided p-value of "student - teacher <= limit" against "above"; see the module.

    >>> difference_p_above(0, 0, 58, -0.05) > 0.05 > difference_p_above(0, 0, 59, -0.05)
    True
    """
    p = paired_table.tango_p_above(n10, n01, n, limit)
    if n10 == 0:
        p = max(p, share_p_below(n01, n, -limit))
    if n01 == 0:
        p = max(p, share_p_above(n10, n, limit))
    return p


def difference_p_below(n10: float, n01: float, n: float, limit: float) -> float:
    """One-sided p-value of "student - teacher >= limit" against "below"; see the module.

    >>> round(difference_p_below(16, 6, 161, 0.15), 6)
    0.003816
    """
    return difference_p_above(n01, n10, n, -limit)


def ratio_interval(n11: float, n10: float, n01: float, n00: float, level: float) -> Interval:
    """Tang's interval of student / teacher, and the exact one as well where a cell is empty.

    Where the student never wins alone, the ratio is the share of the teacher's right answers that
    the student keeps: one binomial count of them.

    Args:
        n11: rows both get right.
        n10: rows only the student gets right.
        n01: rows only the teacher gets right.
        n00: rows both get wrong.
        level: two-sided coverage in (0, 1).

    >>> low, high = ratio_interval(59, 6, 16, 80, 0.95)  # Tang's
    >>> f"{low:.4f} {high:.4f}"
    '0.7476 0.9876'
    >>> low, high = ratio_interval(59, 0, 0, 5, 0.9)
    >>> f"{low:.4f} {high:.4f}"
    '0.9505 1.0521'
    """
    low, high = paired_table.tang_interval(n11, n10, n01, n00, level)
    if n10 == 0 and n11 + n01:
        kept = clopper_pearson(n11, n11 + n01, level)
        low, high = min(low, kept.low), max(high, kept.high)
    if n01 == 0 and n11 + n10:
        shared = clopper_pearson(n11, n11 + n10, level)
        low = min(low, 1 / shared.high)
        high = max(high, 1 / shared.low if shared.low else math.inf)
    return Interval(low, high)


def ratio_p_above(n11: float, n10: float, n01: float, n00: float, limit: float) -> float:
    """One-sided p-value of "student / teacher <= limit" against "above"; see the module.

    >>> round(ratio_p_above(59, 6, 16, 80, 0.75), 4), round(ratio_p_above(59, 0, 0, 5, 0.95), 4)
    (0.0273, 0.0485)
    """
    p = paired_table.tang_p_above(n11, n10, n01, n00, limit)
    if n10 == 0 and n11 + n01:
        p = max(p, share_p_above(n11, n11 + n01, limit))
    if n01 == 0 and n11 + n10 and limit > 0:
        p = max(p, share_p_below(n11, n11 + n10, 1 / limit))
    return p


def ratio_p_below(n11: float, n10: float, n01: float, n00: float, limit: float) -> float:
    """One-sided p-value of "student / teacher >= limit" against "below"; see the module.

    >>> round(ratio_p_below(59, 16, 6, 80, 1 / 0.75), 4)
    0.0273
    """
    p = paired_table.tang_p_below(n11, n10, n01, n00, limit)
    if n10 == 0 and n11 + n01:
        p = max(p, share_p_below(n11, n11 + n01, limit))
    if n01 == 0 and n11 + n10 and limit > 0:
        p = max(p, share_p_above(n11, n11 + n10, 1 / limit))
    return p


def agreement_n(margin: float, *, alpha: float) -> int:
    """Rows for two subjects that never differ to be held within ``margin``.

    So many that a share of ``margin`` would have shown with chance 1 - alpha, ``log(alpha) /
    log(1 - margin)``, about 3/margin; where Tango's z² (1 - margin) / margin is more, so many.

    Args:
        margin: what is tolerated, in (0, 1).
        alpha: one-sided level in (0, 1).

    Raises:
        ValueError: for a margin or alpha outside (0, 1).

    >>> agreement_n(0.02, alpha=0.05), agreement_n(0.02, alpha=0.001)
    (149, 468)
    """
    exact = math.log(alpha) / math.log1p(-margin) if 0 < alpha < 1 and 0 < margin < 1 else 1.0
    return max(math.ceil(exact), zero_discordance_n(margin, alpha=alpha))


def _check(successes: float, n: float, limit: float) -> None:
    if not (n > 0 and 0 <= successes <= n and math.isfinite(limit)):
        raise ValueError(
            f"needs a count in [0, n], n > 0, a finite limit: {successes}, {n}, {limit}"
        )
