import math

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from kdaudit.stats.bca import acceleration, bca_interval
from kdaudit.stats.bootstrap import percentile_bootstrap_interval
from kdaudit.stats.cells import multinomial_bootstrap

# The airway table of test_paired_table, as the retention s / t: rows (s, t) and their counts.
CELLS = np.array([[1.0, 1], [1, 0], [0, 1], [0, 0]])
COUNTS = [59, 6, 16, 80]
RETENTION = 65 / 75
INFLUENCE = np.repeat(CELLS @ [1, -RETENTION], COUNTS)


def test_published_acceleration_and_interval_of_retention() -> None:
    assert acceleration(INFLUENCE) == pytest.approx(-0.00856, abs=5e-6)
    draws = multinomial_bootstrap(
        COUNTS,
        CELLS,
        lambda s: s[:, 0] / s[:, 1],
        replicates=50_000,
        rng=np.random.default_rng(0),
    )
    found = bca_interval(draws, RETENTION, INFLUENCE, 0.95)
    assert found.method == "bca"
    assert found.interval == pytest.approx((0.7500, 0.9846), abs=0.003)


def test_it_agrees_with_scipy_on_a_skewed_mean() -> None:
    x = np.random.default_rng(1).exponential(size=60) ** 1.5
    theirs = scipy_bootstrap(
        (x,),
        np.mean,
        n_resamples=20_000,
        confidence_level=0.9,
        method="BCa",
        rng=np.random.default_rng(2),
    )
    rows = np.random.default_rng(3).integers(60, size=(20_000, 60))
    ours = bca_interval(x[rows].mean(axis=1), x.mean(), x - x.mean(), 0.9).interval
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.05)


def test_without_bias_and_skew_it_is_the_percentile_interval() -> None:
    draws = np.arange(1.0, 2002)
    found = bca_interval(draws, 1001.0, [-1, 1], 0.9)
    assert found.interval == percentile_bootstrap_interval(draws, 0.9)


def test_the_scale_of_the_influence_does_not_matter() -> None:
    assert acceleration(np.array([-1.0, -1, 2]) * 1e-200) == pytest.approx(
        acceleration([-1.0, -1, 2])
    )


@pytest.mark.parametrize(
    ("estimate", "influence", "level", "reason"),
    [
        (-1.0, [-1, 1], 0.95, "every draw lies above the estimate"),
        (1e6, [-1, 1], 0.95, "every draw lies below the estimate"),
        (500.0, [0, 0], 0.95, "no unit has influence on the estimate"),
        (997.5, [-1, 1], 0.95, "a corrected tail holds less than one of 1000 draws"),
        (500.0, [0, 0, 2], 0.999, "a corrected tail holds less than one of 1000 draws"),
        (995.0, [0, 0, 2], 0.9999, "the acceleration 0.167 is too large"),
    ],
)
def test_where_it_is_undefined_it_says_so(
    estimate: float, influence: list[float], level: float, reason: str
) -> None:
    draws = np.arange(1000.0)
    found = bca_interval(draws, estimate, influence, level)
    assert (found.method, found.reason) == ("percentile", reason)
    assert found.interval == percentile_bootstrap_interval(draws, level)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="an estimate is a finite number"):
        bca_interval([1.0, 2.0], math.nan, [-1, 1], 0.9)
    with pytest.raises(ValueError, match="influences are one row"):
        acceleration([0.0, 0.0])
    with pytest.raises(ValueError, match="finite draws"):
        bca_interval([], 1.0, [-1, 1], 0.9)
