"""Paired counts that need not be whole: what clustered or weighted rows are worth, as a table.

Rao and Scott (1981) divide the counts of a table by the design effect and test as if the rows were
independent; Korn and Graubard (1998) do so for the exact interval of one share. Here the tests of
`kdaudit.stats.one_sided_table` are treated alike: a tail of the normal distribution is read as one
of Student's t, since the design effect is estimated, and a bound goes further by what one large
cluster may still do (`kdaudit.stats.dependence`). Whole counts of independent rows give the very
numbers of `one_sided_table`.
"""

import math
from dataclasses import dataclass

from kdaudit.stats import one_sided_table
from kdaudit.stats.interval import Interval, tail
from kdaudit.stats.proportions import clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A paired table of effective rows.

    Attributes:
        n11: rows where student and reference score 1.
        n10: rows where only the student does.
        n01: rows where only the reference does.
        n00: rows where neither does.
        df: degrees of freedom; infinite for independent rows.
        below: how far below its test's bound the true value may lie besides, at least 0.
        above: likewise above.
    """

    n11: float
    n10: float
    n01: float
    n00: float
    df: float = math.inf
    below: float = 0.0
    above: float = 0.0

    @property
    def n(self) -> float:
        """All rows."""
        return self.n11 + self.n10 + self.n01 + self.n00

    @property
    def discordance(self) -> float:
        """Share of rows that only one of the two scores 1 on."""
        return (self.n10 + self.n01) / self.n

    def normal_level(self, level: float) -> float:
        """Level of a normal interval as wide as Student's t makes that of ``level``.

        >>> counts = Counts(n11=5, n10=0, n01=0, n00=5, df=10)
        >>> round(counts.normal_level(0.9), 4)
        0.9301
        """
        from scipy.special import ndtr, stdtrit

        if math.isinf(self.df):
            return level
        return 1 - 2 * float(ndtr(float(stdtrit(self.df, tail(level)))))

    def student(self, p: float) -> float:
        """P-value by Student's t of a p-value by the normal distribution.

        >>> round(Counts(n11=5, n10=0, n01=0, n00=5, df=10).student(0.05), 4)
        0.0655
        """
        from scipy.special import ndtri, stdtr

        if math.isinf(self.df) or p <= 0 or p >= 1:
            return p
        return float(stdtr(self.df, float(ndtri(p))))


def share_interval(counts: Counts, level: float) -> Interval:
    """Interval of the student's share of rows that score 1.

    >>> low, high = share_interval(Counts(n11=80, n10=10, n01=0, n00=10), 0.9)
    >>> f"{low:.4f} {high:.4f}"
    '0.8363 0.9447'
    """
    ones = counts.n11 + counts.n10
    low, high = clopper_pearson(ones, counts.n, counts.normal_level(level))
    return Interval(max(0.0, low - counts.below), min(1.0, high + counts.above))


def share_p_above(counts: Counts, limit: float) -> float:
    """One-sided p-value of "share <= limit" against "share > limit"."""
    ones = counts.n11 + counts.n10
    return counts.student(one_sided_table.share_p_above(ones, counts.n, limit + counts.below))


def share_p_below(counts: Counts, limit: float) -> float:
    """One-sided p-value of "share >= limit" against "share < limit"."""
    ones = counts.n11 + counts.n10
    return counts.student(one_sided_table.share_p_below(ones, counts.n, limit - counts.above))


def difference_interval(counts: Counts, level: float) -> Interval:
    """Interval of student minus reference; see `kdaudit.stats.one_sided_table`.

    >>> low, high = difference_interval(Counts(n11=59, n10=6, n01=16, n00=80), 0.95)
    >>> f"{low:.4f} {high:.4f}"
    '-0.1240 -0.0054'
    """
    low, high = one_sided_table.difference_interval(
        counts.n10, counts.n01, counts.n, counts.normal_level(level)
    )
    return Interval(max(-1.0, low - counts.below), min(1.0, high + counts.above))


def difference_p_above(counts: Counts, limit: float) -> float:
    """One-sided p-value of "student - reference <= limit" against "above"."""
    return counts.student(
        one_sided_table.difference_p_above(counts.n10, counts.n01, counts.n, limit + counts.below)
    )


def difference_p_below(counts: Counts, limit: float) -> float:
    """One-sided p-value of "student - reference >= limit" against "below"."""
    return counts.student(
        one_sided_table.difference_p_below(counts.n10, counts.n01, counts.n, limit - counts.above)
    )


def ratio_interval(counts: Counts, level: float) -> Interval:
    """Interval of student / reference; the upper end may be infinite.

    ``below`` and ``above`` are those of student - ratio·reference here.
    """
    low, high = one_sided_table.ratio_interval(
        counts.n11, counts.n10, counts.n01, counts.n00, counts.normal_level(level)
    )
    below, above = _of_ratio(counts)
    return Interval(max(0.0, low - below), high + above)


def ratio_p_above(counts: Counts, limit: float) -> float:
    """One-sided p-value of "student / reference <= limit" against "above"."""
    table = counts.n11, counts.n10, counts.n01, counts.n00
    further = limit + _of_ratio(counts)[0]
    return counts.student(one_sided_table.ratio_p_above(*table, further))


def ratio_p_below(counts: Counts, limit: float) -> float:
    """One-sided p-value of "student / reference >= limit" against "below"."""
    table = counts.n11, counts.n10, counts.n01, counts.n00
    nearer = max(0.0, limit - _of_ratio(counts)[1])
    return counts.student(one_sided_table.ratio_p_below(*table, nearer))


def _of_ratio(counts: Counts) -> tuple[float, float]:
    """How far beyond its bounds a ratio may lie: the contrast over the reference's share."""
    reference = (counts.n11 + counts.n01) / counts.n
    return counts.below / reference, counts.above / reference
