from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.false_discovery import benjamini_hochberg, benjamini_yekutieli
from kdaudit.stats.holm import holm

BOTH = [(benjamini_hochberg, "bh", "fdr_bh"), (benjamini_yekutieli, "by", "fdr_by")]
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize(("adjust", "scipys", "statsmodels"), BOTH)
@pytest.mark.parametrize("m", [1, 2, 5, 100])
def test_it_agrees_with_scipy_and_statsmodels(
    adjust: Callable[[Sequence[float]], FloatArray],
    scipys: Literal["bh", "by"],
    statsmodels: str,
    m: int,
) -> None:
    p = np.random.default_rng(m).random(m) ** 4
    p[0] = p[-1]  # a tie
    got = adjust(p.tolist())
    assert got == pytest.approx(multipletests(p, method=statsmodels)[1], abs=1e-15)
    assert got == pytest.approx(false_discovery_control(p, method=scipys), abs=1e-15)


def test_by_hand() -> None:
    # 4 * .01 / 1, 4 * .02 / 2, 4 * .06 / 3, 4 * .9 / 4: two of them tie.
    assert benjamini_hochberg([0.06, 0.01, 0.9, 0.02]).tolist() == pytest.approx(
        [0.08, 0.04, 0.9, 0.04]
    )
    total = 1 + 1 / 2 + 1 / 3 + 1 / 4
    assert benjamini_yekutieli([0.06, 0.01, 0.9, 0.02]).tolist() == pytest.approx(
        [0.08 * total, 0.04 * total, 1, 0.04 * total]
    )


@given(p_values)
@settings(deadline=None, max_examples=50, derandomize=True)
def test_it_lies_between_the_p_value_and_holms(p: list[float]) -> None:
    adjusted = benjamini_hochberg(p)
    assert (adjusted >= np.array(p) - 1e-15).all()
    assert (adjusted <= holm(p) + 1e-15).all()
    assert (benjamini_yekutieli(p) >= adjusted).all()


@given(p_values)
@settings(deadline=None, max_examples=50, derandomize=True)
def test_the_order_of_the_tests_does_not_matter(p: list[float]) -> None:
    order = np.argsort(np.sin(np.arange(len(p)) * 7.0))
    shuffled = benjamini_hochberg([p[i] for i in order])
    assert shuffled.tolist() == benjamini_hochberg(p)[order].tolist()


def test_no_tests_need_no_adjustment() -> None:
    assert benjamini_hochberg([]).size == benjamini_yekutieli([]).size == 0


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="p-values are one row"):
        benjamini_hochberg([0.5, p])
