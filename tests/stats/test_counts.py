"""Effective counts: those of independent rows change no number, and fewer rows say less."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kdaudit.stats import counts, one_sided_table
from kdaudit.stats.counts import Counts
from kdaudit.stats.proportions import clopper_pearson

CELLS = st.tuples(*[st.integers(0, 40)] * 4).filter(lambda cells: sum(cells) > 4)
LEVELS = st.sampled_from([0.8, 0.9, 0.95])
FACTORS = st.floats(0.2, 1)


def of(cells: tuple[float, ...], factor: float = 1.0, df: float = math.inf) -> Counts:
    n11, n10, n01, n00 = (factor * one for one in cells)
    return Counts(n11=n11, n10=n10, n01=n01, n00=n00, df=df)


@given(cells=CELLS, level=LEVELS, limit=st.floats(-0.4, 0.4))
def test_whole_counts_are_the_score_tests(
    cells: tuple[int, ...], level: float, limit: float
) -> None:
    table, n = of(cells), sum(cells)
    n11, n10, n01, _ = cells
    assert counts.difference_interval(table, level) == one_sided_table.difference_interval(
        n10, n01, n, level
    )
    assert counts.difference_p_above(table, limit) == one_sided_table.difference_p_above(
        n10, n01, n, limit
    )
    assert counts.difference_p_below(table, limit) == one_sided_table.difference_p_below(
        n10, n01, n, limit
    )
    low, high = clopper_pearson(n11 + n10, n, level)
    assert counts.share_interval(table, level) == (max(0, low), min(1, high))


@given(cells=CELLS, factor=FACTORS, level=LEVELS)
def test_fewer_effective_rows_say_less(cells: tuple[int, ...], factor: float, level: float) -> None:
    whole, part = (counts.difference_interval(of(cells, f), level) for f in (1.0, factor))
    assert part.low <= whole.low + 1e-9
    assert part.high >= whole.high - 1e-9


@given(cells=CELLS, factor=FACTORS, df=st.sampled_from([8.0, 30.0, math.inf]), level=LEVELS)
def test_a_bound_is_where_the_p_value_is_its_risk(
    cells: tuple[int, ...], factor: float, df: float, level: float
) -> None:
    table = Counts(
        **{
            name: factor * one
            for name, one in zip(("n11", "n10", "n01", "n00"), cells, strict=True)
        },
        df=df,
        below=0.01,
        above=0.02,
    )
    risk = (1 - level) / 2
    low, high = counts.difference_interval(table, level)
    if high < 1:
        assert counts.difference_p_below(table, high + 1e-6) <= risk + 1e-6
        assert counts.difference_p_below(table, high - 1e-6) >= risk - 1e-6
    if low > -1:
        assert counts.difference_p_above(table, low - 1e-6) <= risk + 1e-6
        assert counts.difference_p_above(table, low + 1e-6) >= risk - 1e-6


def test_korn_and_graubard() -> None:
    """Korn and Graubard (1998): Clopper-Pearson at n* = n / deff · (t_n / t_df)²; here by tails.

    With infinite degrees of freedom theirs is Clopper-Pearson of the effective counts: x = 8,
    n = 40, deff = 2 gives x* = 4 of n* = 20.
    """
    found = counts.share_interval(of((8, 0, 0, 32), 0.5), 0.95)
    exact = stats.binomtest(4, 20).proportion_ci(0.95, method="exact")
    assert found == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize("df", [5.0, 12.5, 200.0])
def test_tails_are_those_of_student(df: float) -> None:
    table = of((5, 1, 1, 5), df=df)
    assert table.student(0.05) == pytest.approx(stats.t.sf(stats.norm.isf(0.05), df))
    level = table.normal_level(0.9)
    assert stats.norm.isf((1 - level) / 2) == pytest.approx(stats.t.isf(0.05, df))
    assert table.student(0.0) == 0.0
    assert table.student(1.0) == 1.0


@given(cells=CELLS, level=LEVELS)
def test_a_ratio_is_told_by_the_same_counts(cells: tuple[int, ...], level: float) -> None:
    n11, n10, n01, n00 = cells
    if n11 + n01 == 0:
        return
    assert counts.ratio_interval(of(cells), level) == one_sided_table.ratio_interval(
        n11, n10, n01, n00, level
    )
