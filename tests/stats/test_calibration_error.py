import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.calibration_error import (
    bins_are_values,
    debiased_squared_error,
    debiased_squared_error_of_clusters,
    equal_mass_bins,
    equal_width_bins,
    expected_calibration_error,
    reliability,
    swept_calibration_error,
)
from kdaudit.stats.levels import levels


@pytest.fixture
def overconfident() -> tuple[FloatArray, FloatArray]:
    """4000 confidences, each right with five points less: all libraries agree on its errors."""
    rng = np.random.default_rng(7)
    confidence = rng.beta(5, 2, 4000)
    return confidence, (rng.random(4000) < confidence - 0.05).astype(np.float64)


class TestCrossLibraryNumbers:
    """As torchmetrics, netcal, relplot and uncertainty-calibration give them."""

    def test_equal_width(self, overconfident: tuple[FloatArray, FloatArray]) -> None:
        confidence, correct = overconfident
        diagram = reliability(confidence, correct, equal_width_bins(confidence, 15))
        assert expected_calibration_error(diagram) == pytest.approx(0.06530764, abs=5e-9)

    def test_equal_mass(self, overconfident: tuple[FloatArray, FloatArray]) -> None:
        confidence, correct = overconfident
        codes = equal_mass_bins(confidence, 15)
        diagram = reliability(confidence, correct, codes)
        assert expected_calibration_error(diagram) == pytest.approx(0.06696006, abs=5e-9)
        count, claimed, right = (np.bincount(codes, w) for w in (None, confidence, correct))
        debiased = float(debiased_squared_error(count, claimed, right))
        assert math.sqrt(debiased) == pytest.approx(0.06642762, abs=5e-9)
        gaps = diagram.happened - diagram.claimed
        plugin = math.sqrt((diagram.count * gaps**2).sum() / 4000)
        assert plugin == pytest.approx(0.07198129, abs=5e-9)


class TestEqualWidthBins:
    def test_an_edge_belongs_to_the_bin_above_and_one_to_the_last(self) -> None:
        found = equal_width_bins([0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.999], 5)
        assert found.tolist() == [0, 1, 2, 3, 4, 4, 4]

    @pytest.mark.parametrize("bins", [1, 7, 10, 15, 49, 100, 1000])
    def test_every_edge_k_over_m_opens_bin_k(self, bins: int) -> None:
        edges = np.arange(bins) / bins
        assert equal_width_bins(edges, bins).tolist() == list(range(bins))
        below = np.nextafter(edges[1:], 0)
        assert equal_width_bins(below, bins).tolist() == list(range(bins - 1))


class TestEqualMassBins:
    @pytest.mark.parametrize(("n", "bins"), [(4000, 15), (10, 3), (3, 5), (1, 4), (100, 1)])
    def test_without_ties_bins_are_equal_runs(self, n: int, bins: int) -> None:
        confidence = np.random.default_rng(n).random(n)
        runs = [part.size for part in np.array_split(np.arange(n), bins) if part.size]
        assert np.bincount(equal_mass_bins(confidence, bins)).tolist() == runs

    @given(st.lists(st.integers(0, 8), min_size=1, max_size=60), st.integers(1, 12))
    @settings(deadline=None, max_examples=50, derandomize=True)
    def test_ties_share_a_bin_codes_rise_and_none_is_empty(
        self, values: list[int], bins: int
    ) -> None:
        confidence = np.array(values) / 8
        codes = equal_mass_bins(confidence, bins)
        order = np.argsort(confidence, kind="stable")
        step = np.diff(codes[order])
        assert set(step.tolist()) <= {0, 1}
        assert (step[np.diff(confidence[order]) == 0] == 0).all()
        assert codes.min() == 0
        assert codes.max() < bins

    @pytest.mark.parametrize("values", [1, 2, 15])
    def test_few_distinct_values_are_bins_of_their_own(self, values: int) -> None:
        # One value holds nearly all rows: runs of equal length would swallow the others.
        confidence = np.append(np.arange(values) / 15, np.full(1000, 1.0))[:-1]
        codes = equal_mass_bins(confidence, 16)
        assert codes.max() == values
        assert bins_are_values(confidence, codes)
        assert np.bincount(codes).tolist() == [1] * values + [999]

    def test_more_values_than_bins_share_bins(self) -> None:
        confidence = np.arange(32) / 31
        assert not bins_are_values(confidence, equal_mass_bins(confidence, 15))

    def test_a_model_of_eight_bits_keeps_ties_together(self) -> None:
        confidence = np.random.default_rng(3).integers(128, 256, 10_000) / 255
        codes = equal_mass_bins(confidence, 15)
        assert [np.unique(codes[confidence == v]).size for v in np.unique(confidence)] == [1] * 128
        assert np.bincount(codes).max() < 1.25 * 10_000 / 15

    def test_a_constant_confidence_is_one_bin(self) -> None:
        assert equal_mass_bins([1.0] * 9, 4).tolist() == [0] * 9

    def test_no_rows_have_no_bins(self) -> None:
        assert equal_mass_bins([], 4).size == equal_width_bins([], 4).size == 0


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(value: float) -> None:
    for bins in (equal_width_bins, equal_mass_bins):
        with pytest.raises(ValueError, match="claims are one row of numbers"):
            bins([0.5, value], 3)
        with pytest.raises(ValueError, match="at least one bin"):
            bins([0.5], 0)


class TestErrors:
    def test_expected_calibration_error_by_hand(self) -> None:
        # Bin 0: confidence .25, accuracy .5; bin 3: confidence .9, accuracy 2/3.
        codes = np.array([0, 0, 3, 3, 3])
        diagram = reliability([0.2, 0.3, 0.8, 0.9, 1.0], [1, 0, 1, 1, 0], codes)
        assert diagram.count.tolist() == [2, 3]
        assert diagram.claimed == pytest.approx([0.25, 0.9])
        assert diagram.happened == pytest.approx([0.5, 2 / 3])
        assert diagram.share == pytest.approx([0.4, 0.6])
        assert diagram.effective == pytest.approx([2, 3])
        assert expected_calibration_error(diagram) == pytest.approx(0.4 * 0.25 + 0.6 * 0.7 / 3)

    def test_weights_count_as_rows_repeated(self) -> None:
        rng = np.random.default_rng(1)
        claimed, happened, weight = rng.random(60), rng.integers(0, 2, 60), rng.integers(1, 4, 60)
        codes = equal_width_bins(claimed, 5)
        weighted = reliability(claimed, happened, codes, weight)
        repeated = reliability(
            np.repeat(claimed, weight), np.repeat(happened, weight), np.repeat(codes, weight)
        )
        assert weighted.claimed == pytest.approx(repeated.claimed)
        assert weighted.happened == pytest.approx(repeated.happened)
        assert weighted.share == pytest.approx(repeated.share)
        assert (weighted.effective < repeated.count).all()

    def test_rows_without_weight_are_no_rows(self) -> None:
        diagram = reliability([0.2, 0.9], [0, 1], np.array([0, 1]), [0.0, 2.0])
        assert diagram.claimed.tolist() == [0.9]

    def test_nothing_measured_is_no_zero(self) -> None:
        with pytest.raises(ValueError, match="no rows"):
            expected_calibration_error(reliability([], [], np.zeros(0, np.int64)))

    def test_debiased_error_by_hand(self) -> None:
        # One bin: accuracy 3/4, confidence .9: .15² - .1875 / 3; a bin of one row adds nothing.
        assert float(debiased_squared_error([4], [3.6], [3])) == pytest.approx(0.0225 - 0.0625)
        assert float(debiased_squared_error([4, 1, 0], [3.6, 0.1, 0], [3, 1, 0])) == pytest.approx(
            0.8 * (0.0225 - 0.0625)
        )

    def test_debiased_error_works_on_replicates(self) -> None:
        count = np.array([[4.0, 2.0], [3.0, 3.0]])
        claimed, right = 0.8 * count, np.array([[3.0, 1.0], [2.0, 2.0]])
        rows = [
            float(debiased_squared_error(*row)) for row in zip(count, claimed, right, strict=True)
        ]
        assert debiased_squared_error(count, claimed, right).tolist() == rows

    def test_debiased_error_is_unbiased_where_the_plain_one_is_not(self) -> None:
        rng = np.random.default_rng(0)
        # 4000 tables of 15 bins of 20 calibrated rows.
        right = rng.binomial(20, 0.8, size=(4000, 15))
        count = np.full((4000, 15), 20)
        debiased = debiased_squared_error(count, 16.0 * np.ones((4000, 15)), right)
        plain = ((right / 20 - 0.8) ** 2).mean(axis=1)
        assert debiased.mean() == pytest.approx(0, abs=1e-4)
        assert plain.mean() == pytest.approx(0.008, abs=1e-4)


def of_clusters(
    claimed: FloatArray, happened: FloatArray, codes: IntArray, clusters: IntArray
) -> float:
    """The sums that the formula asks for, one cluster and bin at a time."""
    sums = np.zeros((int(codes.max()) + 1, 6))
    for k in np.unique(codes):
        for c in np.unique(clusters[codes == k]):
            rows = (codes == k) & (clusters == c)
            n, gap = rows.sum(), (claimed[rows] - happened[rows]).sum()
            sums[k] += [1, n, gap, gap * gap, gap * n, n * n]
    return float(debiased_squared_error_of_clusters(*sums.T))


class TestClusters:
    @given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=40))
    def test_single_rows_of_equal_claims_need_no_other_formula(
        self, rows: list[tuple[int, bool]]
    ) -> None:
        codes = np.array([k for k, _ in rows])
        claimed, happened = codes / 4, np.array([float(y) for _, y in rows])
        plain = debiased_squared_error(*(np.bincount(codes, w) for w in (None, claimed, happened)))
        found = of_clusters(claimed, happened, codes, np.arange(codes.size))
        assert found == pytest.approx(float(plain), abs=1e-12)

    def test_copies_of_rows_change_nothing(self) -> None:
        rng = np.random.default_rng(2)
        claimed, happened = rng.random(30), rng.integers(0, 2, 30).astype(float)
        codes, one = equal_mass_bins(claimed, 3), np.arange(30)
        claimed_3, happened_3, codes_3, one_3 = (
            np.repeat(x, 3) for x in (claimed, happened, codes, one)
        )
        found = of_clusters(claimed_3, happened_3, codes_3.astype(int), one_3.astype(int))
        assert found == pytest.approx(of_clusters(claimed, happened, codes, one))

    def test_it_is_unbiased_where_clusters_err_together(self) -> None:
        rng = np.random.default_rng(3)
        clusters, codes = np.repeat(np.arange(20), 15), np.tile(np.arange(3), 100)
        claimed = np.full(300, 0.5)
        found, plain = [], []
        for _ in range(300):
            rate = rng.beta(2, 2, 20)[clusters]  # 0.5 on average, and alike within a cluster
            happened = (rng.random(300) < rate).astype(float)
            found.append(of_clusters(claimed, happened, codes, clusters))
            sums = (np.bincount(codes, w) for w in (None, claimed, happened))
            plain.append(float(debiased_squared_error(*sums)))
        assert np.mean(found) == pytest.approx(0, abs=5e-4)
        assert np.mean(plain) > 1.5e-3


class TestSwept:
    def test_bins_grow_until_outcomes_fall(self) -> None:
        # Three bins of two: 0, 1/2, 1. Four: 0, 1/2, 0, ... fall.
        claims = levels([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0, 0, 1, 0, 1, 1])
        error, bins = swept_calibration_error(claims)
        assert bins == 3
        assert error == pytest.approx((abs(0.15) + abs(0.35 - 0.5) + abs(0.55 - 1)) / 3)

    def test_it_is_less_biased_than_fifteen_bins(self) -> None:
        rng = np.random.default_rng(5)
        swept, fixed = [], []
        for _ in range(40):
            claimed = rng.beta(5, 2, 300)
            happened = (rng.random(300) < claimed).astype(float)
            swept.append(swept_calibration_error(levels(claimed, happened))[0])
            diagram = reliability(claimed, happened, equal_mass_bins(claimed, 15))
            fixed.append(expected_calibration_error(diagram))
        assert np.mean(swept) < 0.8 * np.mean(fixed)

    @pytest.mark.parametrize("n", [1, 50])
    def test_ties_are_one_bin(self, n: int) -> None:
        error, bins = swept_calibration_error(levels([1.0] * n, [0] * n))
        assert (error, bins) == (1.0, 1)
