import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.calibration import (
    brier,
    debiased_squared_error,
    equal_mass_bins,
    equal_width_bins,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)


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
        gaps = diagram.accuracy - diagram.confidence
        plugin = math.sqrt((diagram.count * gaps**2).sum() / 4000)
        assert plugin == pytest.approx(0.07198129, abs=5e-9)


class TestEqualWidthBins:
    def test_an_edge_belongs_to_the_bin_above_and_one_to_the_last(self) -> None:
        found = equal_width_bins([0, 0.2, 0.4, 0.6, 0.8, 1.0, 0.999], 5)
        assert found.tolist() == [0, 1, 2, 3, 4, 4, 4]

    @pytest.mark.parametrize("bins", [1, 7, 10, 15, 49, 100])
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

    def test_a_constant_confidence_is_one_bin(self) -> None:
        assert equal_mass_bins([1.0] * 9, 4).tolist() == [0] * 9

    def test_no_rows_have_no_bins(self) -> None:
        assert equal_mass_bins([], 4).size == equal_width_bins([], 4).size == 0


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_confidence_is_refused(value: float) -> None:
    for bins in (equal_width_bins, equal_mass_bins):
        with pytest.raises(ValueError, match="confidence is one row of numbers"):
            bins([0.5, value], 3)
        with pytest.raises(ValueError, match="at least one bin"):
            bins([0.5], 0)


class TestErrors:
    def test_expected_calibration_error_by_hand(self) -> None:
        # Bin 0: confidence .25, accuracy .5; bin 3: confidence .9, accuracy 2/3.
        codes = np.array([0, 0, 3, 3, 3])
        diagram = reliability([0.2, 0.3, 0.8, 0.9, 1.0], [1, 0, 1, 1, 0], codes)
        assert diagram.count.tolist() == [2, 3]
        assert diagram.confidence == pytest.approx([0.25, 0.9])
        assert diagram.accuracy == pytest.approx([0.5, 2 / 3])
        assert expected_calibration_error(diagram) == pytest.approx(0.4 * 0.25 + 0.6 * 0.7 / 3)

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


class TestProperScores:
    def test_brier_by_hand(self) -> None:
        scores = brier([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]], [0, -1])
        assert scores == pytest.approx([0.09 + 0.04 + 0.01, 1 + 0.49 + 0.04 + 0.01])

    @pytest.mark.parametrize("classes", [2, 5])
    def test_they_agree_with_sklearn(self, classes: int) -> None:
        rng = np.random.default_rng(classes)
        probabilities = rng.dirichlet(np.ones(classes), 300)
        labels = rng.integers(0, classes, 300)
        names = list(range(classes))
        sums = brier_score_loss(labels, probabilities, labels=names, scale_by_half=False)
        assert brier(probabilities, labels).mean() == pytest.approx(sums, rel=1e-12)
        likelihood = log_loss(labels, probabilities, labels=names)
        found = negative_log_likelihood(probabilities, labels, 1e-12)
        assert found.mean() == pytest.approx(likelihood, rel=1e-9)

    def test_certainty_scores_best_and_worst(self) -> None:
        probabilities = [[1.0, 0.0], [0.0, 1.0]]
        assert brier(probabilities, [0, 0]).tolist() == [0, 2]
        found = negative_log_likelihood(probabilities, [0, 0], 1e-12)
        assert found == pytest.approx([0, -math.log(1e-12)])
        assert math.copysign(1, found[0]) == 1

    def test_a_label_not_among_the_classes_costs_the_most(self) -> None:
        assert negative_log_likelihood([[0.5, 0.5]], [-1], 1e-6) == pytest.approx([13.8155106])

    def test_inputs_are_left_alone(self) -> None:
        probabilities = np.array([[0.5, 0.5]])
        brier(probabilities, [0])
        assert probabilities.tolist() == [[0.5, 0.5]]

    def test_what_does_not_fit_is_refused(self) -> None:
        for labels in ([2], [-2]):
            with pytest.raises(ValueError, match="labels are -1 or one of 2"):
                brier([[0.5, 0.5]], labels)
        with pytest.raises(ValueError, match="needs"):
            brier([[0.5, 0.5]], [0, 1])
        with pytest.raises(ValueError, match="clip is a probability"):
            negative_log_likelihood([[0.5, 0.5]], [0], 0.0)
