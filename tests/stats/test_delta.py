"""Fieller's set is what the test of its contrast does not reject; delta agrees with simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.stats.delta import delta_interval, fieller_interval
from kdaudit.stats.linear import combine, p_above, p_below


@given(
    st.floats(-2, 2),
    st.floats(0.3, 3),
    st.floats(0.001, 0.01),
    st.floats(0.001, 0.01),
    st.floats(-0.9, 0.9),
    st.sampled_from([5.0, 30.0, 1000.0]),
)
def test_fieller_inverts_the_test_of_the_contrast(
    top: float, bottom: float, a: float, b: float, rho: float, df: float
) -> None:
    covariance = [[a, rho * (a * b) ** 0.5], [rho * (a * b) ** 0.5, b]]
    found = fieller_interval(top, bottom, covariance, df, 0.9)
    if found is None:
        assert bottom**2 <= 4.1 * b  # t at 5 degrees of freedom is 2.015
        return
    for end, p in ((found.low, p_above), (found.high, p_below)):
        contrast = combine(
            [top, bottom],
            covariance,
            df,
            [1, -end],
            effective=10**6,
            largest=1e-6,
            span=0,
            unknown=[0, 0],
            z=0,
        )
        assert p(contrast, 0.0) == pytest.approx(0.05, abs=1e-6)


def test_the_delta_method_covers() -> None:
    rng = np.random.default_rng(0)
    n, hits, runs = 400, 0, 1000
    for _ in range(runs):
        x, y = rng.exponential(1, n), rng.exponential(2, n)
        mean = np.array([x.mean(), y.mean()])
        covariance = np.cov([x, y]) / n
        log = float(np.log(mean[1] / mean[0]))
        low, high = delta_interval(log, [-1 / mean[0], 1 / mean[1]], covariance, n - 1, 0.95)
        hits += low <= np.log(2) <= high
    assert 0.93 <= hits / runs <= 0.97
