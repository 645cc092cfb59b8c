"""The exact test of few rows, against enumeration by other means."""

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.stats.exact_unconditional import MOST, exact_p_below
from kdaudit.stats.paired_table import tango_z


def by_hand(n10: int, n01: int, n: int, limit: float) -> float:
    """Add up multinomial chances of every table as extreme, table by table."""
    seen = float(tango_z(n10, n01, n, limit))
    tables = [
        (a, b)
        for a, b in product(range(n + 1), repeat=2)
        if a + b <= n and float(tango_z(a, b, n, limit)) <= seen + 1e-9
    ]
    worst = 0.0
    for share in np.linspace(abs(limit), 1, 200):
        gain, loss = (share + limit) / 2, (share - limit) / 2
        chance = sum(
            comb(n, a) * comb(n - a, b) * gain**a * loss**b * (1 - share) ** (n - a - b)
            for a, b in tables
        )
        worst = max(worst, chance)
    return min(1.0, worst)


@given(
    n=st.integers(1, 9),
    gains=st.integers(0, 9),
    losses=st.integers(0, 9),
    limit=st.sampled_from([-0.3, -0.05, 0.0, 0.1]),
)
@settings(max_examples=40, deadline=None)
def test_it_is_the_sum_over_tables(n: int, gains: int, losses: int, limit: float) -> None:
    if gains + losses > n:
        return
    assert exact_p_below(gains, losses, n, limit) == pytest.approx(
        by_hand(gains, losses, n, limit), abs=1e-9
    )


@pytest.mark.parametrize("n", [5, 12])
@pytest.mark.parametrize("limit", [-0.05, 0.0])
def test_it_errs_no_more_often_than_it_says(n: int, limit: float) -> None:
    """At every share of differing rows the tables with p <= 0.05 have chance 0.05 at most."""
    tables = [(a, b) for a, b in product(range(n + 1), repeat=2) if a + b <= n]
    rejected = [t for t in tables if exact_p_below(*t, n, limit) <= 0.05]
    for share in np.linspace(abs(limit), 1, 23):
        gain, loss = (share + limit) / 2, (share - limit) / 2
        chance = sum(
            comb(n, a) * comb(n - a, b) * gain**a * loss**b * (1 - share) ** (n - a - b)
            for a, b in rejected
        )
        assert chance <= 0.05 + 1e-6


def test_one_in_two_of_five() -> None:
    """Five losses of five rows that all differ, against none: (1/2)⁵ is the sign test's."""
    assert exact_p_below(0, 5, 5, 0.0) == pytest.approx(0.5**5)


@pytest.mark.parametrize(
    ("n10", "n01", "n", "limit"),
    [(0, 0, 0, 0.0), (0, 0, MOST + 1, 0.0), (3, 3, 5, 0.0), (-1, 0, 5, 0.0), (0, 0, 5, 1.0)],
)
def test_impossible_numbers(n10: int, n01: int, n: int, limit: float) -> None:
    with pytest.raises(ValueError, match=r"needs 1 to|a difference lies"):
        exact_p_below(n10, n01, n, limit)
