import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from kdaudit.stats.paired_seeds import crossed_mean


def test_rows_alone_give_the_paired_t_of_rows() -> None:
    """Seeds that agree on every row add nothing: the standard error is that of one of them."""
    row = np.array([1, 0, 0, -1, 1, 1, 0, 0], float)
    found = crossed_mean(np.tile(row, (5, 1)))
    assert found is not None
    assert found.se == pytest.approx(stats.sem(row))
    assert found.df == 4


def test_seeds_alone_give_the_paired_t_of_seeds() -> None:
    seeds = np.array([0.2, 0.1, 0.4, -0.1])
    found = crossed_mean(np.tile(seeds[:, None], (1, 300)))
    assert found is not None
    assert found.se == pytest.approx(stats.sem(seeds))
    theirs = stats.ttest_1samp(seeds, 0).confidence_interval(0.9)
    assert tuple(found.interval(0.9)) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("shape", [(1, 10), (4, 1)])
def test_one_seed_or_one_row_has_no_spread(shape: tuple[int, int]) -> None:
    assert crossed_mean(np.zeros(shape)) is None


@given(arrays(np.int8, (4, 6), elements=st.integers(-1, 1)))
def test_order_changes_nothing_and_sides_mirror(scores: np.ndarray) -> None:
    found, mirrored = crossed_mean(scores), crossed_mean(-scores[::-1, ::-1])
    assert found is not None
    assert mirrored is not None
    assert mirrored.mean == pytest.approx(-found.mean)
    assert mirrored.se == pytest.approx(found.se)
    low, high = found.interval(0.9)
    assert -1 <= low <= found.mean <= high <= 1


def test_claims_over_seeds_and_rows_are_rarely_false() -> None:
    """No true difference, rows and seeds that both vary: at most 5 % may say BEATS."""
    rng = np.random.default_rng(0)
    runs, seeds, rows = 800, 5, 150
    beats = alone = 0
    for _ in range(runs):
        ease, effect = rng.normal(1.3, 0.7, rows), rng.normal(0, 0.8, rows) / 2
        one, other = (
            ease + sign * effect + rng.normal(0, 0.15, (seeds, 1)) + rng.normal(size=(seeds, rows))
            for sign in (1, -1)
        )
        differences = (one > 0).astype(float) - (other > 0)
        found = crossed_mean(differences)
        assert found is not None
        beats += found.interval(0.9).low > 0
        means = differences.mean(axis=1)
        alone += means.mean() > stats.t.ppf(0.95, seeds - 1) * stats.sem(means)
    assert beats / runs <= 0.05 + 2.5 * (0.05 * 0.95 / runs) ** 0.5
    assert alone / runs > 0.07  # a t test over seeds alone would
