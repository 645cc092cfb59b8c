import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind
from statsmodels.stats.proportion import confint_proportions_2indep

from kdaudit.stats.unpaired import newcombe_unpaired_interval, welch_interval


def test_published_interval() -> None:
    # Newcombe (1998), table II, case (a), method 10.
    interval = newcombe_unpaired_interval(56, 70, 48, 80, 0.95)
    assert [round(end, 4) for end in interval] == [0.0524, 0.3339]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40), st.integers(1, 40))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_shares_agree_with_statsmodels(a: int, b: int, more: int, other: int) -> None:
    ours = newcombe_unpaired_interval(a, a + more, b, b + other, 0.9)
    theirs = confint_proportions_2indep(a, a + more, b, b + other, method="newcomb", alpha=0.1)
    assert ours == pytest.approx(theirs, abs=1e-9)
    swapped = newcombe_unpaired_interval(b, b + other, a, a + more, 0.9)
    assert swapped == pytest.approx((-ours.high, -ours.low))


def test_means_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(12), 3 * rng.standard_normal(40)
    theirs = ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    ours = welch_interval(
        float(x.mean() - y.mean()),
        float(x.std(ddof=1) / math.sqrt(12)),
        11,
        float(y.std(ddof=1) / math.sqrt(40)),
        39,
        level=0.95,
    )
    assert ours == pytest.approx((theirs.low, theirs.high))


def test_tiny_errors_do_not_vanish() -> None:
    low, high = welch_interval(0.0, 1e-200, 5, 1e-200, 5, level=0.9)
    assert low == -high < 0


def test_scores_that_never_vary_leave_a_point() -> None:
    assert welch_interval(0.1, 0, 5, 0, 5, level=0.9) == (0.1, 0.1)


@pytest.mark.parametrize(
    ("difference", "se", "df"), [(math.nan, 1, 5), (0, -1, 5), (0, 1, 0), (0, math.nan, 5)]
)
def test_impossible_numbers_are_refused(difference: float, se: float, df: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        welch_interval(difference, se, df, 1, 5, level=0.9)
