import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.stats.paired_difference import (
    bonett_price_difference_interval,
    dirichlet_difference_interval,
)
from kdaudit.stats.paired_table import tango_interval

METHODS = [bonett_price_difference_interval, dirichlet_difference_interval]
count = st.integers(0, 40)


def test_published_intervals() -> None:
    assert bonett_price_difference_interval(6, 16, 161, 0.95) == pytest.approx(
        (-0.1195, -0.0032), abs=5e-5
    )
    # The published ends come from 200,000 draws.
    assert dirichlet_difference_interval(6, 16, 161, 0.95) == pytest.approx(
        (-0.1197, -0.0057), abs=3e-4
    )


@pytest.mark.parametrize(("n10", "n01", "n"), [(0, 0, 10), (3, 1, 12), (20, 9, 45), (7, 0, 7)])
def test_the_posterior_is_that_of_dirichlet_draws(n10: int, n01: int, n: int) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([n10 + 0.5, n01 + 0.5, n - n10 - n01 + 1.0], size=400_000)
    expected = np.quantile(shares[:, 0] - shares[:, 1], [0.025, 0.975])
    assert dirichlet_difference_interval(n10, n01, n, 0.95) == pytest.approx(
        expected.tolist(), abs=0.002
    )


@given(count, count, st.integers(1, 60))
@settings(deadline=None, max_examples=8, derandomize=True)
def test_swapping_the_subjects_negates_them(n10: int, n01: int, more: int) -> None:
    n = n10 + n01 + more
    for method in METHODS:
        low, high = method(n10, n01, n, 0.9)
        assert method(n01, n10, n, 0.9) == pytest.approx((-high, -low), abs=1e-5)
        assert -1 <= low < high <= 1


def test_with_many_rows_they_are_tangos() -> None:
    tango = tango_interval(6_000, 16_000, 161_000, 0.95)
    for method in METHODS:
        assert method(6_000, 16_000, 161_000, 0.95) == pytest.approx(tango, abs=2e-5)


def test_without_discordance_they_are_no_points() -> None:
    for method in METHODS:
        low, high = method(0, 0, 30, 0.9)
        assert low == pytest.approx(-high)
        assert high > 0.01


def test_counts_that_do_not_fit_are_refused() -> None:
    for method in METHODS:
        with pytest.raises(ValueError, match="a table needs"):
            method(3, 3, 5, 0.9)
