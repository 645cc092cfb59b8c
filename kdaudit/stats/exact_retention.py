"""Power of the test of retention, student / teacher, by adding up every table it would reject.

The test is that of `kdaudit.stats.one_sided_table`. How many rows the teacher gets right is held at
what is expected: its luck moves the power far less than that of the rows that differ.
"""

import numpy as np

from kdaudit.stats.arrays import BoolArray, IntArray
from kdaudit.stats.exact_power import NEGLIGIBLE, least_count, rows_reaching, shares_p_above
from kdaudit.stats.interval import normal_quantile
from kdaudit.stats.one_sided_table import agreement_n
from kdaudit.stats.paired_table import tang_z
from kdaudit.stats.power import required_n


def kept_power(
    right: int, wrong: int, lost: float, won: float, keep: float, *, alpha: float
) -> float:
    """Chance to show that the student keeps more than a share of the teacher's right answers.

    Args:
        right: rows the teacher gets right, at least 1.
        wrong: the others.
        lost: chance that the student gets a right one wrong, in [0, 1].
        won: chance that it gets a wrong one right, in [0, 1].
        keep: the share, in (0, 1].
        alpha: one-sided level in (0, 1).

    Raises:
        ValueError: for a number out of its range.

    >>> kept_power(59, 5, 0.0, 0.0, 0.95, alpha=0.05), kept_power(58, 5, 0.0, 0.0, 0.95, alpha=0.05)
    (1.0, 0.0)
    """
    from scipy.stats import binom

    _check(right, wrong, lost, won, keep)
    n01, z = _likely(right, lost), normal_quantile(alpha)
    most = np.full_like(n01, wrong)

    def rejects(n10: IntArray) -> BoolArray:
        return np.asarray(tang_z(right - n01, n10, n01, wrong - n10, keep) >= z)

    enough = least_count(most, rejects)
    alone = shares_p_above(right - n01, right, keep) <= alpha
    enough = np.where((enough == 0) & ~alone, 1, enough)
    chance = binom.pmf(n01, right, lost) * binom.sf(enough - 1, wrong, won)
    return min(1.0, float(chance.sum()))


def lost_power(
    right: int, wrong: int, lost: float, won: float, keep: float, *, alpha: float
) -> float:
    """Chance to show that the student keeps less than that; see `kept_power`.

    >>> round(lost_power(400, 100, 0.15, 0.1, 0.95, alpha=0.05), 2)
    0.99
    """
    from scipy.stats import binom

    _check(right, wrong, lost, won, keep)
    n01, z = _likely(right, lost), normal_quantile(alpha)
    most = np.full_like(n01, wrong)

    def holds(n10: IntArray) -> BoolArray:
        return np.asarray(tang_z(right - n01, n10, n01, wrong - n10, keep) > -z)

    rejected = binom.cdf(least_count(most, holds) - 1, wrong, won)
    # Without a gain, the exact test of the losses must say so too; without a loss nothing is shown.
    alone = shares_p_above(n01, right, 1 - keep) <= alpha
    rejected = np.where(alone, rejected, np.maximum(rejected - binom.pmf(0, wrong, won), 0.0))
    chance = binom.pmf(n01, right, lost) * np.where(n01 > 0, rejected, 0.0)
    return min(1.0, float(chance.sum()))


def rates(teacher: float, discordance: float, kept: float) -> tuple[float, float]:
    """Chances to lose a right answer of the teacher's and to win a wrong one, for a share kept.

    Args:
        teacher: share that the teacher gets right, in (0, 1].
        discordance: share of rows that only one subject gets right, in [0, 1]; where the loss is
            more, all rows that differ are lost, and more than can be won is not.
        kept: student / teacher, in [0, 1].

    >>> rates(0.75, 0.125, 1.0)
    (0.08333333333333333, 0.25)
    >>> lost, won = rates(0.8, 0.1, 0.9)
    >>> f"{lost:.4f} {won:.4f}"
    '0.1125 0.0500'
    """
    loss = teacher * (1 - kept)
    gains = min(max(discordance - loss, 0.0) / 2, 1 - teacher, teacher - loss)
    return (loss + gains) / teacher, gains / (1 - teacher) if gains > 0 else 0.0


def required_n_kept(
    teacher: float, discordance: float, keep: float, *, alpha: float, power: float = 0.8
) -> int:
    """Rows for a student as good as its teacher to show with chance ``power`` that it keeps enough.

    Starts at the normal approximation, or where rows that never differ would show it, and goes up
    by 1% until the power is reached, there and at the next step.

    Args:
        teacher: share that the teacher gets right, in (0, 1].
        discordance: share of rows that only one subject gets right, in [0, 1].
        keep: the share that must be kept, in (0, 1).
        alpha: one-sided level in (0, 1).
        power: wanted chance in (0, 1).

    Raises:
        ValueError: for a number out of its range.

    >>> required_n_kept(1.0, 0.0, 0.95, alpha=0.05)
    59
    """
    lost, won = rates(teacher, discordance, 1.0)
    gap = (1 - keep) * teacher
    spread = teacher * (1 - lost) * (1 - keep) ** 2 + (1 - teacher) * won + teacher * lost * keep**2
    start = max(
        required_n(max(spread - gap**2, 0.0), gap, alpha=alpha, power=power),
        int(agreement_n(1 - keep, alpha=alpha) / teacher),
    )

    def enough(rows: int) -> bool:
        right = max(1, round(rows * teacher))
        return kept_power(right, rows - right, lost, won, keep, alpha=alpha) >= power

    return rows_reaching(start, enough)


def _likely(right: int, lost: float) -> IntArray:
    from scipy.stats import binom

    first, last = (int(binom.ppf(p, right, lost)) for p in (NEGLIGIBLE, 1 - NEGLIGIBLE))
    return np.arange(max(first, 0), last + 1)


def _check(right: int, wrong: int, lost: float, won: float, keep: float) -> None:
    if not (right >= 1 and wrong >= 0 and 0 <= lost <= 1 and 0 <= won <= 1 and 0 < keep <= 1):
        raise ValueError(
            f"needs rows, chances and a share, got {right}, {wrong}, {lost}, {won} and {keep}"
        )
