import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from kdaudit.stats import linear
from kdaudit.stats.arrays import BoolArray, FloatArray
from kdaudit.stats.delong import auroc_interval, joint_auroc
from kdaudit.stats.means import JointMeans


def known(areas: JointMeans | None) -> JointMeans:
    assert areas is not None
    return areas


def brute_force(scores: FloatArray, positive: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Areas and covariance by comparing every pair: DeLong et al. (1988), equations 4 to 7."""
    one, other = scores[:, positive], scores[:, ~positive]
    order = (np.sign(one[:, :, None] - other[:, None, :]) + 1) / 2
    rows, columns = order.mean(axis=2), order.mean(axis=1)
    spread = np.cov(rows) / one.shape[1] + np.cov(columns) / other.shape[1]
    return order.mean(axis=(1, 2)), np.asarray(spread, np.float64)


rows = st.integers(4, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.integers(0, 6), min_size=n, max_size=n), min_size=2, max_size=3),
        st.permutations([True, True, False, False] + [True, False] * ((n - 4) // 2)).map(
            lambda p: [*p, *[True] * (n - len(p))]
        ),
    )
)


class TestAreas:
    @given(rows)
    @settings(deadline=None, max_examples=60, derandomize=True)
    def test_they_are_those_of_all_pairs(self, given: tuple[list[list[int]], list[bool]]) -> None:
        scores, positive = np.array(given[0], np.float64), np.array(given[1])
        areas = known(joint_auroc(scores, positive))
        mean, covariance = brute_force(scores, positive)
        assert areas.mean == pytest.approx(mean, abs=1e-12)
        assert areas.covariance == pytest.approx(covariance, abs=1e-12)

    @given(rows)
    @settings(deadline=None, max_examples=30, derandomize=True)
    def test_they_are_sklearns(self, given: tuple[list[list[int]], list[bool]]) -> None:
        areas = known(joint_auroc(given[0], np.array(given[1])))
        expected = [roc_auc_score(given[1], score) for score in given[0]]
        assert areas.mean.tolist() == pytest.approx(expected)

    def test_by_hand(self) -> None:
        # Positives 3, 1 beat negatives 2, 0: shares 1, 1/2 and, from below, 1/2, 1; areas 3/4.
        areas = known(joint_auroc([[3, 1, 2, 0]], np.array([True, True, False, False])))
        assert areas.mean.tolist() == [0.75]
        assert areas.covariance.tolist() == [[0.125]]
        assert (areas.n, areas.clusters, areas.df) == (4, 2, 1)

    def test_infinite_scores_are_extremes(self) -> None:
        positive = np.array([True, True, False, False])
        areas = known(joint_auroc([[math.inf, 1, 0, -math.inf]], positive))
        assert areas.mean.tolist() == [1]

    def test_turning_the_scores_round_turns_the_area_round(self) -> None:
        rng = np.random.default_rng(0)
        scores, positive = rng.integers(0, 9, (2, 80)).astype(float), rng.random(80) < 0.4
        one, other = (known(joint_auroc(x, positive)) for x in (scores, -scores))
        assert other.mean == pytest.approx(1 - one.mean)
        assert other.covariance == pytest.approx(one.covariance)

    def test_many_rows_are_cheap(self) -> None:
        rng = np.random.default_rng(0)
        scores, positive = rng.random((2, 300_000)), rng.random(300_000) < 0.3
        start = time.process_time()
        joint_auroc(scores, positive)
        assert time.process_time() - start < 5  # 0.2 s where it was written


class TestClusters:
    def test_clusters_of_one_row_change_little(self) -> None:
        rng = np.random.default_rng(1)
        positive = rng.random(400) < 0.5
        scores = rng.standard_normal((2, 400)) + positive
        plain = known(joint_auroc(scores, positive))
        single = known(joint_auroc(scores, positive, clusters=np.arange(400)))
        assert single.covariance == pytest.approx(plain.covariance, rel=0.02)

    def test_repeating_every_row_within_its_cluster_changes_nothing(self) -> None:
        rng = np.random.default_rng(2)
        positive = rng.random(60) < 0.5
        scores = rng.standard_normal((2, 60)) + positive
        codes = np.arange(60)
        once = known(joint_auroc(scores, positive, clusters=codes))
        twice = known(
            joint_auroc(np.tile(scores, 2), np.tile(positive, 2), clusters=np.tile(codes, 2))
        )
        assert twice.mean == pytest.approx(once.mean)
        assert twice.covariance == pytest.approx(once.covariance)


class TestCoverage:
    def test_the_paired_difference_is_covered(self) -> None:
        rng = np.random.default_rng(3)
        covered = 0
        truth = norm.cdf(1 / math.sqrt(2)) - norm.cdf(0.7 / math.sqrt(2))
        for _ in range(400):
            positive = np.arange(200) < 80
            shared = rng.standard_normal(200)
            noise = rng.standard_normal((2, 200)) * math.sqrt(0.5)
            scores = math.sqrt(0.5) * shared + noise + np.outer([1, 0.7], positive)
            areas = known(joint_auroc(scores, positive))
            contrast = np.array([1.0, -1.0])
            reach = 1.645 * math.sqrt(float(contrast @ areas.covariance @ contrast))
            covered += abs(float(contrast @ areas.mean) - truth) <= reach
        assert 0.86 <= covered / 400 <= 0.95

    def test_identical_perfect_scores_leave_doubt(self) -> None:
        areas = known(joint_auroc([[0, 1, 2, 3]] * 2, np.array([False, False, True, True])))
        combined = linear.combine(
            areas.mean, areas.covariance, areas.df, [1, -1],
            effective=areas.effective, largest=areas.largest, span=1, unknown=[0, 0], z=1.645,
        )  # fmt: skip
        low, high = linear.interval(combined, 0.9)
        assert low < 0 < high


class TestInterval:
    def test_it_is_the_normal_one_of_log_odds(self) -> None:
        low, high = auroc_interval(0.8, 0.0004, 100, 0.95)
        assert math.log(high / (1 - high)) == pytest.approx(math.log(4) + 1.959964 * 0.125)
        assert math.log(low / (1 - low)) == pytest.approx(math.log(4) - 1.959964 * 0.125)

    def test_perfect_separation_has_the_exact_bound_of_independent_pairs(self) -> None:
        assert auroc_interval(1.0, 0.0, 20, 0.9) == pytest.approx((0.05 ** (1 / 20), 1))
        assert auroc_interval(0.0, 0.0, 20, 0.9) == pytest.approx((0, 1 - 0.05 ** (1 / 20)))

    def test_perfect_separation_is_rarer_than_the_bound_says(self) -> None:
        rng = np.random.default_rng(4)
        x = rng.standard_normal((4000, 5)) + 2.2
        separated = (x.min(axis=1) > rng.standard_normal((4000, 30)).max(axis=1)).mean()
        assert separated < norm.cdf(2.2 / math.sqrt(2)) ** 5

    def test_scores_that_are_all_equal_are_not_certain(self) -> None:
        low, high = auroc_interval(0.5, 0.0, 50, 0.95)
        assert low < 0.4
        assert high > 0.6

    @pytest.mark.parametrize(
        ("area", "variance", "units"), [(1.1, 0, 5), (0.5, -1, 5), (0.5, 0, 0), (math.nan, 0, 5)]
    )
    def test_impossible_numbers_are_refused(self, area: float, variance: float, units: int) -> None:
        with pytest.raises(ValueError, match="out of range"):
            auroc_interval(area, variance, units, 0.9)


class TestWhatIsRefused:
    @pytest.mark.parametrize("positive", [[True, False, False], [True, True, True], [False] * 3])
    def test_one_unit_on_a_side_has_no_spread(self, positive: list[bool]) -> None:
        assert joint_auroc([[1, 2, 3]], positive) is None

    def test_one_cluster_on_a_side_has_no_spread(self) -> None:
        positive = np.array([True, True, False, False])
        assert joint_auroc([[1, 2, 3, 4]], positive, clusters=[0, 0, 1, 2]) is None

    def test_what_does_not_fit(self) -> None:
        with pytest.raises(ValueError, match="needs"):
            joint_auroc([1, 2], [True, False])
        with pytest.raises(ValueError, match="needs"):
            joint_auroc([[1, 2]], [1, 0])
        with pytest.raises(ValueError, match="scores are numbers"):
            joint_auroc([[1, math.nan]], [True, False])
