"""The least of several ratios: bounds that hold whichever group is the most selected."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kdaudit.stats import least_ratio
from kdaudit.stats.least_ratio import Ratios

LOGS = st.lists(st.floats(-1, 1), min_size=1, max_size=5)


def of(logs: list[float], se: float = 0.1, df: float = 50.0, most: float | None = None) -> Ratios:
    many, none = len(logs), (0.0,) * len(logs)
    return Ratios(
        log=tuple(logs),
        se=(se,) * many,
        df=(df,) * many,
        shift=none,
        floor=none,
        slack=none,
        n=100,
        most=most,
    )


def test_one_ratio_is_katz() -> None:
    """Katz et al. (1978): 30 of 100 against 40 of 80, by hand, at 90 %."""
    log = math.log((30 / 100) / (40 / 80))
    se = math.sqrt(1 / 30 - 1 / 100 + 1 / 40 - 1 / 80)
    low, high = least_ratio.interval(of([log], se, 1e9), 0.05)
    z = stats.norm.isf(0.05)
    assert (low, high) == pytest.approx((math.exp(log - z * se), math.exp(log + z * se)), rel=1e-6)


@given(logs=LOGS, limit=st.floats(0.3, 2))
def test_bounds_and_p_values_agree(logs: list[float], limit: float) -> None:
    ratios = of(logs)
    low, high = least_ratio.interval(ratios, 0.05)
    assert (least_ratio.p_above(ratios, limit, 0.05) <= 0.05) == (low >= limit * (1 - 1e-9))
    # The upper end is drawn out to the value, so its test may say more than it.
    if high < limit * (1 - 1e-9):
        assert least_ratio.p_below(ratios, limit, 0.05) <= 0.05 + 1e-9


def test_no_group_is_selected_more_than_the_most_selected() -> None:
    assert least_ratio.value(of([0.3], most=1.0)) == 1
    assert least_ratio.interval(of([0.3], most=1.0), 0.05).high == 1


@pytest.mark.parametrize("rates", [(0.4, 0.5, 0.5, 0.5), (0.48, 0.5, 0.6), (0.3, 0.3)])
def test_simulated_bounds_hold(rates: tuple[float, ...]) -> None:
    """The truth lies below the lower, or above the upper bound, in one of twenty audits at most."""
    rng, n, audits = np.random.default_rng(4), 400, 3000
    counts = rng.binomial(n, rates, size=(audits, len(rates)))
    seen = counts / n
    log = np.log(seen[:, :1] / seen[:, 1:])
    se = np.sqrt((1 - seen[:, :1]) / (n * seen[:, :1]) + (1 - seen[:, 1:]) / (n * seen[:, 1:]))
    truth = min(rates[0] / max(rates), 1.0)
    below = above = 0
    for k in range(audits):
        none = (0.0,) * log.shape[1]
        ratios = Ratios(
            log=tuple(log[k]),
            se=tuple(se[k]),
            df=(n - 1.0,) * log.shape[1],
            shift=none,
            floor=none,
            slack=none,
            n=n,
            most=1.0,
        )
        low, high = least_ratio.interval(ratios, 0.05)
        below += low > truth + 1e-12
        above += high < truth - 1e-12
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / audits)
    assert below / audits <= allowed
    assert above / audits <= allowed
