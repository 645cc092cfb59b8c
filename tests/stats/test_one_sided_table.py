import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from kdaudit.stats.interval import Interval
from kdaudit.stats.one_sided_table import (
    agreement_n,
    difference_interval,
    difference_p_above,
    difference_p_below,
    ratio_interval,
    ratio_p_above,
    ratio_p_below,
    share_p_above,
    share_p_below,
)
from kdaudit.stats.paired_table import tang_interval, tango_interval

N = 8
CELLS = [
    (n11, n10, n01, N - n11 - n10 - n01)
    for n11 in range(N + 1)
    for n10 in range(N + 1 - n11)
    for n01 in range(N + 1 - n11 - n10)
]


@pytest.mark.parametrize("limit", [0.0, 0.03, 0.5, 1.0])
def test_shares_are_tested_exactly(limit: float) -> None:
    for right in range(N + 1):
        above = binomtest(right, N, limit, "greater").pvalue
        below = binomtest(right, N, limit, "less").pvalue
        assert share_p_above(right, N, limit) == pytest.approx(above)
        assert share_p_below(right, N, limit) == pytest.approx(below)


def test_a_share_is_certain_to_be_a_share() -> None:
    assert (share_p_above(0, N, -0.1), share_p_below(N, N, 1.1)) == (0, 0)
    assert (share_p_above(N, N, 1.1), share_p_below(0, N, -0.1)) == (1, 1)


def test_where_both_win_some_rows_it_is_tangos_and_tangs() -> None:
    for n11, n10, n01, n00 in CELLS:
        if n10 and n01:
            assert difference_interval(n10, n01, N, 0.9) == tango_interval(n10, n01, N, 0.9)
            if n11:
                assert ratio_interval(n11, n10, n01, n00, 0.9) == tang_interval(
                    n11, n10, n01, n00, 0.9
                )


def inside(bound: Interval, wide: Interval) -> bool:
    return wide.low <= bound.low + 1e-12 and wide.high >= bound.high - 1e-12


def test_elsewhere_it_is_at_least_as_wide() -> None:
    for n11, n10, n01, n00 in CELLS:
        assert inside(tango_interval(n10, n01, N, 0.9), difference_interval(n10, n01, N, 0.9))
        if n11:
            tang = tang_interval(n11, n10, n01, n00, 0.9)
            assert inside(tang, ratio_interval(n11, n10, n01, n00, 0.9))


def test_bounds_and_p_values_tell_the_same() -> None:
    for n11, n10, n01, n00 in CELLS:
        low, high = difference_interval(n10, n01, N, 0.9)
        for limit in (-0.5, -0.2, -0.05, 0.0, 0.1, 0.3):
            assert (difference_p_above(n10, n01, N, limit) <= 0.05) == (low >= limit)
            assert (difference_p_below(n10, n01, N, limit) <= 0.05) == (high <= limit)
        if not n11:
            continue
        low, high = ratio_interval(n11, n10, n01, n00, 0.9)
        for limit in (0.5, 0.8, 0.95, 1.0, 1.3):
            assert (ratio_p_above(n11, n10, n01, n00, limit) <= 0.05) == (low >= limit)
            assert (ratio_p_below(n11, n10, n01, n00, limit) <= 0.05) == (high <= limit)


def false_passes(n: int, margin: float, won: float) -> float:
    """The exact chance that a student worse by just the margin passes."""
    lost = margin + won
    size = 0.0
    for gains in range(int(binom.isf(1e-7, n, won)) + 1 if won else 1):
        left = n - gains
        losses = np.arange(int(binom.isf(1e-7, left, lost / (1 - won))) + 1)
        passed = np.array([difference_p_above(gains, int(k), n, -margin) <= 0.05 for k in losses])
        chance = binom.pmf(losses, left, lost / (1 - won))
        size += float(binom.pmf(gains, n, won) * (chance * passed).sum())
    return size


@pytest.mark.parametrize(
    ("n", "margin"), [(53, 0.05), (59, 0.05), (134, 0.02), (30, 0.1), (90, 0.05), (225, 0.02)]
)
@pytest.mark.parametrize("won", [0.0, 0.001, 0.01])
def test_a_student_at_the_margin_passes_no_more_often_than_promised(
    n: int, margin: float, won: float
) -> None:
    # Tango alone: 0.067 at 134 rows and no gains.
    assert false_passes(n, margin, won) <= (0.05 if not won else 0.06)


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05, 0.2])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_agreement_passes_from_the_rows_that_are_promised(margin: float, alpha: float) -> None:
    n = agreement_n(margin, alpha=alpha)
    assert difference_p_above(0, 0, n, -margin) <= alpha < difference_p_above(0, 0, n - 1, -margin)


def test_what_is_no_count_is_refused() -> None:
    for right, n, limit in ((3, 2, 0.1), (-1, 2, 0.1), (0, 0, 0.1), (1, 2, math.nan)):
        with pytest.raises(ValueError, match="needs a count"):
            share_p_above(right, n, limit)
    for margin, alpha in ((0.0, 0.05), (0.5, 0.0)):
        with pytest.raises(ValueError, match="strictly between"):
            agreement_n(margin, alpha=alpha)
