import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.stats.paired_ratio import bonett_price_ratio_interval, log_wald_ratio_interval
from kdaudit.stats.paired_table import tang_interval

METHODS = [log_wald_ratio_interval, bonett_price_ratio_interval]
count = st.integers(0, 60)
some = settings(deadline=None, max_examples=50, derandomize=True)


def test_published_intervals() -> None:
    assert log_wald_ratio_interval(59, 6, 16, 0.95) == pytest.approx((0.7597, 0.9886), abs=5e-5)
    assert bonett_price_ratio_interval(59, 6, 16, 0.95) == pytest.approx((0.7579, 0.9910), abs=5e-5)


@given(st.integers(1, 60), count, count)
@some
def test_swapping_the_subjects_inverts_them(n11: int, n10: int, n01: int) -> None:
    for method in METHODS:
        low, high = method(n11, n10, n01, 0.9)
        assert method(n11, n01, n10, 0.9) == pytest.approx((1 / high, 1 / low), rel=1e-9)
        assert low <= (n11 + n10) / (n11 + n01) <= high


def test_with_many_rows_they_are_tangs() -> None:
    tang = tang_interval(59_000, 6_000, 16_000, 80_000, 0.95)
    for method in METHODS:
        assert method(59_000, 6_000, 16_000, 0.95) == pytest.approx(tang, abs=1e-4)


def test_without_discordance_only_the_logarithm_is_certain() -> None:
    assert log_wald_ratio_interval(50, 0, 0, 0.9) == (1, 1)
    low, high = bonett_price_ratio_interval(50, 0, 0, 0.9)
    assert low < 1 < high


def test_a_subject_that_is_never_right() -> None:
    assert log_wald_ratio_interval(0, 0, 9, 0.9) == (0, math.inf)
    assert log_wald_ratio_interval(0, 9, 0, 0.9) == (0, math.inf)
    assert bonett_price_ratio_interval(0, 0, 0, 0.9) == (0, math.inf)
    low, high = bonett_price_ratio_interval(0, 0, 9, 0.9)
    assert low == 0 < high < 1
    assert bonett_price_ratio_interval(0, 9, 0, 0.9).high == math.inf


def test_negative_counts_are_refused() -> None:
    for method in METHODS:
        with pytest.raises(ValueError, match="counts are not negative"):
            method(1, -1, 2, 0.9)
