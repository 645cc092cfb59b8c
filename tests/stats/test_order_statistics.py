import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, quantile_test

from kdaudit.stats.order_statistics import percentile, percentile_interval


@pytest.mark.parametrize(
    ("p", "low", "high"), [(0.5, 469, 532), (0.9, 881, 919), (0.95, 936, 964), (0.99, 983, 997)]
)
def test_ranks_of_a_thousand_values(p: float, low: int, high: int) -> None:
    ranks = np.arange(1, 1001)
    assert percentile_interval(ranks, p, 0.95) == (low, high)
    reference = quantile_test(ranks, q=0, p=p).confidence_interval(0.95)
    assert np.asarray(reference).tolist() == [low, high]


@pytest.mark.parametrize(("n", "rank"), [(1000, 996), (5000, 4962), (10_000, 9917)])
def test_upper_95_bound_of_p99(n: int, rank: int) -> None:
    interval = percentile_interval(np.arange(1, n + 1), 0.99, 0.90)
    assert interval is not None
    assert interval.high == rank


@pytest.mark.parametrize(("p", "n"), [(0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_the_upper_bound_exists_from_just_so_many_values(p: float, n: int) -> None:
    assert percentile_interval(np.arange(n), p, 0.90) is not None
    assert percentile_interval(np.arange(n - 1), p, 0.90) is None


def test_p99_at_99_percent_needs_459_values() -> None:
    assert percentile_interval(np.arange(459), 0.99, 0.98) is not None
    assert percentile_interval(np.arange(458), 0.99, 0.98) is None


def test_the_lower_bound_has_its_own_least_n() -> None:
    assert percentile_interval(np.arange(28), 0.1, 0.90) is None
    assert percentile_interval([], 0.5, 0.90) is None


@given(st.integers(1, 400), st.floats(0.02, 0.98), st.sampled_from([0.8, 0.9, 0.95]))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_coverage_is_at_least_as_stated(n: int, p: float, level: float) -> None:
    interval = percentile_interval(np.arange(1, n + 1), p, level)
    if interval is not None:
        below, above = binom.cdf(interval.low - 1, n, p), binom.sf(interval.high - 1, n, p)
        assert max(below, above) <= (1 - level) / 2 + 1e-9


def test_a_percentile_is_one_of_the_values() -> None:
    values = np.array([3.0, 1.0, 2.0, 10.0])
    assert [percentile(values, p) for p in (0, 0.25, 0.5, 0.75, 0.99, 1)] == [1, 1, 2, 3, 10, 10]


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [np.inf], [[1.0]]])
def test_what_has_no_percentile_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite values, at least one"):
        percentile(values, 0.5)


@pytest.mark.parametrize("values", [[2.0, 1.0], [1.0, np.nan, 2.0]])
def test_values_out_of_order_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="in rising order"):
        percentile_interval(values, 0.5, 0.9)


def test_a_percentage_is_not_a_share() -> None:
    with pytest.raises(ValueError, match="a share"):
        percentile([1.0], 99)
    with pytest.raises(ValueError, match="a share"):
        percentile_interval([1.0], 99, 0.9)
