"""What clustered or weighted rows are worth: by hand, by Kish, and by what they must not do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.stats.dependence import USUAL, Dependence, worth
from kdaudit.stats.grouped_means import grouped_contrasts, grouped_means
from kdaudit.stats.means import JointMeans, joint_contrast, joint_means

SEEDS = st.integers(0, 10**6)


def tens(spread: float = 0.25) -> Dependence:
    """100 rows in ten clusters of ten."""
    return Dependence(
        rows=100, apart=0.01, joined=0.1, cubes=0.01, spread=((spread,),), binary=True
    )


def test_kishs_design_effect() -> None:
    """1 + (m - 1)·ρ for clusters of m rows (Kish 1965)."""
    for correlation in (0.0, 0.1, 0.5, 1.0):
        assert tens().effect(correlation) == pytest.approx(1 + 9 * correlation)
        assert tens().correlation(1 + 9 * correlation) == pytest.approx(correlation)


def pair(spread: float = 0.09, shared: float = 0.06) -> Dependence:
    """Two scores of 100 rows in ten clusters of ten; of their difference one row has 0.06."""
    return replace(tens(), spread=((spread, shared), (shared, spread)))


def test_the_prior_of_a_difference_is_five_rows_of_the_usual_correlation() -> None:
    """By hand: a difference of variance .06 a row, .0012 of the mean; own scores independent."""
    covariance = [[0.0009, 0.0003], [0.0003, 0.0009]]
    expected = (0.0012 * 100**2 + 5 * (1 + 9 * 0.3)) / (0.06 * 100 + 5)
    found = worth(pair(), covariance, [1.0, -1.0])
    assert found.effect == pytest.approx(expected)
    assert found.rows == pytest.approx(100 / expected)


def test_scores_that_are_alike_in_clusters_raise_it() -> None:
    """Own scores of design effect 10: copies of one row stand for a cluster."""
    covariance = [[0.009, 0.0084], [0.0084, 0.009]]
    expected = (0.0012 * 100**2 + 5 * 10) / (0.06 * 100 + 5)
    assert worth(pair(), covariance, [1.0, -1.0]).effect == pytest.approx(expected)


def test_the_prior_of_an_own_score_is_two_rows_of_clusters_as_wholes() -> None:
    expected = (0.001 * 100**2 + 2 * 10) / (0.09 * 100 + 2)
    assert worth(tens(0.09), [[0.001]], [1.0]).effect == pytest.approx(expected)


def test_nothing_seen_leaves_the_prior() -> None:
    nothing = replace(tens(), spread=((0.0, 0.0), (0.0, 0.0)))
    covariance = [[0.0, 0.0], [0.0, 0.0]]
    assert worth(nothing, covariance, [1.0, -1.0]).effect == pytest.approx(1 + 9 * USUAL)
    assert worth(nothing, covariance, [1.0, 0.0]).effect == pytest.approx(10)
    unknown = replace(nothing, own_known=False)
    assert worth(unknown, covariance, [1.0, -1.0]).effect == pytest.approx(10)


def test_rows_of_one_unit_each_are_worth_themselves() -> None:
    alone = Dependence(rows=80, apart=1 / 80, joined=1 / 80, cubes=1 / 6400, spread=((0.2,),))
    found = worth(alone, [[0.2 / 80]], [1.0])
    assert (found.effect, found.rows, found.correlation) == pytest.approx((1, 80, 0))
    assert found.unseen(-1.0) == pytest.approx(0)


def test_weights_are_worth_kishs_rows() -> None:
    rng = np.random.default_rng(1)
    weight = rng.lognormal(0, 0.7, 400)
    right = rng.random(400) < 0.8
    joint = joint_means([right], weights=weight)
    assert joint is not None
    assert joint.dependence is not None
    found = worth(joint.dependence, joint.covariance.tolist(), [1.0])
    assert found.rows <= weight.sum() ** 2 / (weight**2).sum() + 1e-6


def test_what_is_skewed_may_lie_further() -> None:
    found = worth(tens(0.05), [[0.002]], [1.0])
    assert found.unseen(-1.0) == pytest.approx(2 * found.unseen(-0.5))
    assert found.unseen(-1.0) > found.unseen(0.0) == found.unseen(0.7) == 0


@given(seed=SEEDS)
@settings(max_examples=25, deadline=None)
def test_sums_by_groups_say_the_same_as_rows(seed: int) -> None:
    """`grouped_means` adds up what `joint_means` computes of the rows themselves."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 200))
    scores = [rng.random(n) < 0.8, rng.random(n) < 0.7]
    codes = rng.integers(0, 2, n)
    clusters = rng.integers(0, 25, n)
    weights = rng.lognormal(0, 0.4, n) if seed % 2 else None
    means = grouped_means(scores, codes, 2, clusters=clusters, weights=weights)
    contrasts = grouped_contrasts(scores, codes, 2, clusters=clusters, weights=weights)
    for group in (0, 1):
        inside = codes == group
        part = [score[inside] for score in scores]
        shares = None if weights is None else weights[inside]
        same_dependence(means[group], joint_means(part, clusters=clusters[inside], weights=shares))
        same_dependence(
            contrasts[group],
            joint_contrast(scores, group=inside, rest=~inside, clusters=clusters, weights=weights),
        )


def same_dependence(one: JointMeans | None, other: JointMeans | None) -> None:
    assert one is not None
    assert other is not None
    a, b = one.dependence, other.dependence
    assert a is not None
    assert b is not None
    assert [a.rows, a.apart, a.joined, a.cubes] == pytest.approx(
        [b.rows, b.apart, b.joined, b.cubes]
    )
    assert np.array(a.spread) == pytest.approx(np.array(b.spread), abs=1e-12)
