"""Power of the tests of paired answers, by adding up every table that they would reject.

They are the tests of `kdaudit.stats.one_sided_table`, those by which checks are decided.
"""

import math
from collections.abc import Callable

import numpy as np

from kdaudit.stats.arrays import BoolArray, FloatArray, IntArray
from kdaudit.stats.interval import normal_quantile
from kdaudit.stats.one_sided_table import agreement_n
from kdaudit.stats.paired_table import tango_z
from kdaudit.stats.power import required_n, required_n_paired

# Counts rarer than this on either side are left out of the sum.
NEGLIGIBLE = 1e-12


def exact_power(
    n: int, discordance: float, difference: float, limit: float, *, alpha: float
) -> float:
    """Chance that n independent rows show "student - teacher > limit".

    With ``limit = -margin`` it is the power to pass; with ``limit = margin`` and ``difference`` the
    harm (subjects swapped), the power to fail. For each count of teacher-only rows the smallest
    count of student-only rows that rejects is found, and the binomial chances beyond it are added:
    the cost grows with √(n·discordance), and the error is below 1e-9.

    Args:
        n: rows, at least 1.
        discordance: true share of rows that only one subject gets right, in [0, 1].
        difference: true difference student - teacher; at most ``discordance`` in size.
        limit: what the difference is tested to exceed, in (-1, 1).
        alpha: one-sided level in (0, 1).

    Returns:
        The power in [0, 1]; not the 0.8 that `kdaudit.stats.power.required_n_paired` promises
        where few rows differ.

    Raises:
        ValueError: for a number out of its range.

    >>> round(exact_power(310, 0.02, 0.0, -0.02, alpha=0.05), 2)
    0.66
    """
    from scipy.stats import binom

    if n < 1 or not -1 < limit < 1:
        raise ValueError(f"needs a row and a limit in (-1, 1), got {n} and {limit}")
    if not abs(difference) <= discordance <= 1:
        raise ValueError(f"needs |difference| <= discordance <= 1: {difference}, {discordance}")
    student, teacher = (discordance + difference) / 2, (discordance - difference) / 2
    first, last = (int(binom.ppf(p, n, teacher)) for p in (NEGLIGIBLE, 1 - NEGLIGIBLE))
    n01 = np.arange(max(first, 0), last + 1)
    enough = _smallest_rejected(n01, n, limit, alpha)
    # Given the teacher-only rows, each other row is student-only with this chance.
    share = min(1.0, student / (1 - teacher)) if teacher < 1 else 0.0
    rejected = binom.sf(enough - 1, n - n01, share)
    return min(1.0, float((binom.pmf(n01, n, teacher) * rejected).sum()))


def _smallest_rejected(n01: IntArray, n: int, limit: float, alpha: float) -> IntArray:
    """Least n10 that rejects, for each n01; one more than possible where none does.

    Both parts of the test reject the more the larger n10 is, so the larger of two counts does.
    """
    z = normal_quantile(alpha)
    enough = least_count(n - n01, lambda n10: tango_z(n10, n01, n, limit) >= z)
    # Without a student-only row, their exact test must show that losses are rarer than -limit.
    alone = shares_p_above(n - n01, n, 1 + limit) <= alpha
    enough = np.where((enough == 0) & ~alone, 1, enough)
    # Without a teacher-only row, that gains are more frequent than the limit.
    gains = least_count(n - n01, lambda n10: shares_p_above(n10, n, limit) <= alpha)
    return np.where(n01 == 0, np.maximum(enough, gains), enough)


def least_count(most: IntArray, rejects: Callable[[IntArray], BoolArray]) -> IntArray:
    """Least count that rejects, given that every larger one does too.

    Args:
        most: (K,) largest possible counts.
        rejects: (K,) counts to whether each does.

    Returns:
        (K,) counts; ``most + 1`` where none rejects.

    >>> least_count(np.array([9, 2]), lambda count: count >= 4).tolist()
    [4, 3]
    """
    low, high = np.zeros_like(most), most + 1
    while (low < high).any():
        middle = (low + high) // 2
        yes = rejects(np.minimum(middle, most)) & (middle <= most)
        low, high = (
            np.where(yes | (low == high), low, middle + 1),
            np.where(yes, middle, high),
        )
    return low


def shares_p_above(successes: IntArray, n: IntArray | int, limit: float) -> FloatArray:
    """`kdaudit.stats.one_sided_table.share_p_above` of many counts.

    >>> shares_p_above(np.array([0, 3]), 50, 0.01).round(4).tolist()
    [1.0, 0.0138]
    """
    from scipy.special import bdtrc

    if limit < 0:
        return np.zeros(successes.shape)
    if limit >= 1:
        return np.ones(successes.shape)
    p = bdtrc(np.maximum(successes - 1, 0), n, limit)
    return np.where(successes == 0, 1.0, p)


def share_power(n: int, share: float, limit: float, *, alpha: float) -> float:
    """Chance that n rows show a share to be above a limit, by its exact test.

    That it is below a limit: with ``1 - share`` and ``1 - limit``.

    Args:
        n: rows, at least 1.
        share: the true share, in [0, 1].
        limit: what it is tested to exceed, in [0, 1].
        alpha: one-sided level in (0, 1).

    Raises:
        ValueError: for a number out of its range.

    >>> round(share_power(59, 1.0, 0.95, alpha=0.05), 4), share_power(58, 1.0, 0.95, alpha=0.05)
    (1.0, 0.0)
    """
    from scipy.stats import binom

    if n < 1 or not (0 <= share <= 1 and 0 <= limit <= 1 and 0 < alpha < 1):
        raise ValueError(f"needs a row and shares, got {n}, {share} and {limit}")
    most = np.array([n])
    enough = least_count(most, lambda count: shares_p_above(count, n, limit) <= alpha)
    return float(binom.sf(enough[0] - 1, n, share))


def smallest_margin(
    n: int, discordance: float, difference: float, *, alpha: float, power: float = 0.8
) -> float | None:
    """Least margin that n rows can show to be kept, to within 1e-6.

    Args:
        n: rows, at least 1.
        discordance: expected share of rows that only one subject gets right, in [0, 1].
        difference: expected true difference student - teacher.
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to show it.

    Returns:
        A margin, negative where superiority can be shown; None when not even 1 can be shown.

    Raises:
        ValueError: for a number out of its range.

    >>> round(smallest_margin(1546, 0.10, 0.0, alpha=0.05), 3)
    0.02
    """
    _check_power(power)

    def shown(margin: float) -> bool:
        return exact_power(n, discordance, difference, -margin, alpha=alpha) >= power

    return least(shown, -difference, 1 - 1e-9)


def smallest_harm(
    n: int, discordance: float, margin: float, *, alpha: float, power: float = 0.8
) -> float | None:
    """Least true harm (teacher - student) that n rows show to exceed a margin, to within 1e-6.

    Args:
        n: rows, at least 1.
        discordance: expected share of rows that only one subject gets right, in [0, 1]; where the
            harm is more, all rows that differ are lost.
        margin: what is tolerated, in [0, 1).
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to show it.

    Returns:
        A harm above the margin; None when even a loss of every row would not be shown.

    Raises:
        ValueError: for a number out of its range.

    >>> round(smallest_harm(1000, 0.10, 0.02, alpha=0.05), 3)
    0.044
    """
    _check_power(power)
    if not 0 <= margin < 1:
        raise ValueError(f"a margin lies in [0, 1), got {margin}")

    def shown(harm: float) -> bool:
        return exact_power(n, max(discordance, harm), harm, margin, alpha=alpha) >= power

    return least(shown, margin, 1.0)


def required_n_exact(
    discordance: float, difference: float, margin: float, *, alpha: float, power: float = 0.8
) -> int:
    """Rows to show with chance ``power`` that a margin is kept, to within 1%.

    Starts at the normal approximation, or where rows that never differ would show it, and goes up
    by 1% until the exact power is reached, there and at the next step: the power of a test of
    counts is a saw-tooth in n.

    Args:
        discordance: expected share of rows that only one subject gets right, in [0, 1].
        difference: expected true difference student - teacher; at most ``discordance`` in size.
        margin: what is tolerated; ``difference + margin`` is above 0.
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to show it.

    Raises:
        ValueError: for a number out of its range.

    >>> required_n_exact(0.02, 0.0, 0.02, alpha=0.05)
    404
    """
    n = required_n_paired(discordance, difference, margin, alpha=alpha, power=power)
    if margin > 0:
        n = max(n, agreement_n(margin, alpha=alpha))
    return rows_reaching(
        n, lambda rows: exact_power(rows, discordance, difference, -margin, alpha=alpha) >= power
    )


def required_n_of_share(share: float, limit: float, *, alpha: float, power: float = 0.8) -> int:
    """Rows to show with chance ``power`` that a share is above a limit, to within 1%.

    Args:
        share: the true share, in [0, 1].
        limit: what it is tested to exceed, below ``share``.
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to show it.

    Raises:
        ValueError: for a number out of its range.

    >>> required_n_of_share(1.0, 0.95, alpha=0.05), required_n_of_share(0.9, 0.8, alpha=0.05)
    (59, 88)
    """
    n = required_n(share * (1 - share), share - limit, alpha=alpha, power=power)
    return rows_reaching(n, lambda rows: share_power(rows, share, limit, alpha=alpha) >= power)


def rows_reaching(n: int, enough: Callable[[int], bool]) -> int:
    """Least of n, n + 1%, … at which something holds, and at the next as well."""
    while True:
        more = n + max(1, n // 100)
        if enough(n) and enough(more):
            return n
        n = more


def least(shown: Callable[[float], bool], low: float, high: float) -> float | None:
    """Least number in an interval for which something is shown, to within 1e-6; None for none.

    Rejection regions and shares move monotonically, but in steps: halving, not root finding.

    >>> round(least(lambda x: x >= 0.25, 0.0, 1.0), 4)
    0.25
    """
    if not shown(high):
        return None
    for _ in range(math.ceil(math.log2(max(high - low, 1e-6) / 1e-6))):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise ValueError(f"a power is a chance strictly between 0 and 1, got {power}")
