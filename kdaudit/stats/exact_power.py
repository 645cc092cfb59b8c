"""Power of Tango's paired test, by adding up every table that it would reject."""

import math
from collections.abc import Callable

import numpy as np

from kdaudit.stats.arrays import IntArray
from kdaudit.stats.interval import normal_quantile
from kdaudit.stats.paired_table import tango_z
from kdaudit.stats.power import required_n_paired

# Counts rarer than this on either side are left out of the sum.
NEGLIGIBLE = 1e-12


def exact_power(
    n: int, discordance: float, difference: float, limit: float, *, alpha: float
) -> float:
    """Chance that Tango's test shows "student - teacher > limit" on n independent rows.

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
    0.67
    """
    from scipy.stats import binom

    if n < 1 or not -1 < limit < 1:
        raise ValueError(f"needs a row and a limit in (-1, 1), got {n} and {limit}")
    if not abs(difference) <= discordance <= 1:
        raise ValueError(f"needs |difference| <= discordance <= 1: {difference}, {discordance}")
    student, teacher = (discordance + difference) / 2, (discordance - difference) / 2
    first, last = (int(binom.ppf(p, n, teacher)) for p in (NEGLIGIBLE, 1 - NEGLIGIBLE))
    n01 = np.arange(max(first, 0), last + 1)
    enough = _smallest_rejected(n01, n, limit, normal_quantile(alpha))
    # Given the teacher-only rows, each other row is student-only with this chance.
    share = min(1.0, student / (1 - teacher)) if teacher < 1 else 0.0
    rejected = binom.sf(enough - 1, n - n01, share)
    return min(1.0, float((binom.pmf(n01, n, teacher) * rejected).sum()))


def _smallest_rejected(n01: IntArray, n: int, limit: float, z: float) -> IntArray:
    """Least n10 that rejects, for each n01; one more than possible where none does.

    The statistic rises with n10, so halving the range finds it.
    """
    low, high = np.zeros_like(n01), n - n01 + 1
    while (low < high).any():
        middle = (low + high) // 2
        possible = np.minimum(middle, n - n01)
        rejects = (tango_z(possible, n01, n, limit) >= z) & (middle == possible)
        low, high = (
            np.where(rejects | (low == high), low, middle + 1),
            np.where(rejects, middle, high),
        )
    return low


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

    return _least(shown, -difference, 1 - 1e-9)


def smallest_harm(
    n: int, discordance: float, margin: float, *, alpha: float, power: float = 0.8
) -> float | None:
    """Least true harm (teacher - student) that n rows show to exceed a margin, to within 1e-6.

    Args:
        n: rows, at least 1.
        discordance: expected share of rows that only one subject gets right, in [0, 1].
        margin: what is tolerated, in [0, 1).
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1) to show it.

    Returns:
        A harm above the margin; None when even a harm of ``discordance`` would not be shown.

    Raises:
        ValueError: for a number out of its range.

    >>> round(smallest_harm(1000, 0.10, 0.02, alpha=0.05), 3)
    0.044
    """
    _check_power(power)
    if not 0 <= margin < 1:
        raise ValueError(f"a margin lies in [0, 1), got {margin}")

    def shown(harm: float) -> bool:
        return exact_power(n, discordance, harm, margin, alpha=alpha) >= power

    return _least(shown, margin, discordance) if discordance > margin else None


def required_n_exact(
    discordance: float, difference: float, margin: float, *, alpha: float, power: float = 0.8
) -> int:
    """Rows for Tango's test to show with chance ``power`` that a margin is kept, to within 1%.

    Starts at the normal approximation and goes up by 1% until the exact power is reached, there
    and at the next step: the power of a test of counts is a saw-tooth in n.

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

    def enough(rows: int) -> bool:
        return exact_power(rows, discordance, difference, -margin, alpha=alpha) >= power

    while True:
        more = n + max(1, n // 100)
        if enough(n) and enough(more):
            return n
        n = more


def _least(shown: Callable[[float], bool], low: float, high: float) -> float | None:
    # Rejection regions and shares move monotonically, but in steps: halving, not root finding.
    if not shown(high):
        return None
    for _ in range(math.ceil(math.log2(max(high - low, 1e-6) / 1e-6))):
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) else (middle, high)
    return high


def _check_power(power: float) -> None:
    if not 0 < power < 1:
        raise ValueError(f"a power is a chance strictly between 0 and 1, got {power}")
