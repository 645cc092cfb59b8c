import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from kdaudit.stats.brier import (
    brier,
    brier_decomposition,
    labelled,
    multiclass_brier_decomposition,
)
from kdaudit.stats.calibration_error import equal_mass_bins, equal_width_bins


def test_the_score_by_hand() -> None:
    scores = brier([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]], [0, -1])
    assert scores == pytest.approx([0.09 + 0.04 + 0.01, 1 + 0.49 + 0.04 + 0.01])


@pytest.mark.parametrize("classes", [2, 5])
def test_it_is_scikit_learns(classes: int) -> None:
    rng = np.random.default_rng(classes)
    probabilities = rng.dirichlet(np.ones(classes), 300)
    labels = rng.integers(0, classes, 300)
    names = list(range(classes))
    sums = brier_score_loss(labels, probabilities, labels=names, scale_by_half=False)
    assert brier(probabilities, labels).mean() == pytest.approx(sums, rel=1e-12)


def test_certainty_scores_best_and_worst() -> None:
    assert brier([[1.0, 0.0], [0.0, 1.0]], [0, 0]).tolist() == [0, 2]


def test_inputs_are_left_alone() -> None:
    probabilities = np.array([[0.5, 0.5]])
    brier(probabilities, [0])
    assert probabilities.tolist() == [[0.5, 0.5]]


def test_what_does_not_fit_is_refused() -> None:
    for labels in ([2], [-2]):
        with pytest.raises(ValueError, match="labels are -1 or one of 2"):
            labelled([[0.5, 0.5]], labels)
    with pytest.raises(ValueError, match="needs"):
        labelled([[0.5, 0.5]], [0, 1])
    with pytest.raises(ValueError, match="no rows"):
        brier_decomposition([], [], np.zeros(0, np.int64))


class TestDecomposition:
    def test_by_hand(self) -> None:
        # Bins {0.2, 0.4 | 0, 1} and {0.8 | 1}: claims 0.3 and 0.8, outcomes 1/2 and 1, rate 2/3.
        parts = brier_decomposition([0.2, 0.4, 0.8], [0, 1, 1], np.array([0, 0, 1]))
        assert parts.reliability == pytest.approx(2 / 3 * 0.2**2 + 1 / 3 * 0.2**2)
        assert parts.resolution == pytest.approx(2 / 3 * (1 / 6) ** 2 + 1 / 3 * (1 / 3) ** 2)
        assert parts.uncertainty == pytest.approx(2 / 9)
        assert parts.within_variance == pytest.approx(2 / 3 * 0.01)
        assert parts.within_covariance == pytest.approx(2 / 3 * (0.2 * 0.5 * 0.5 * 2))
        assert parts.total == pytest.approx((0.04 + 0.36 + 0.04) / 3, abs=1e-15)

    def test_three_terms_are_off_and_five_are_exact(self) -> None:
        rng = np.random.default_rng(7)
        claimed = rng.beta(5, 2, 4000)
        happened = (rng.random(4000) < claimed - 0.05).astype(np.float64)
        parts = brier_decomposition(claimed, happened, equal_mass_bins(claimed, 15))
        score = ((claimed - happened) ** 2).mean()
        three = parts.reliability - parts.resolution + parts.uncertainty
        assert abs(three - score) > 4e-4
        assert parts.total == pytest.approx(score, abs=1e-15)

    @given(
        st.lists(
            st.tuples(st.integers(0, 255), st.booleans(), st.integers(0, 3)),
            min_size=1,
            max_size=40,
        ),
        st.integers(1, 20),
        st.booleans(),
    )
    def test_it_sums_to_the_score_whatever_the_bins(
        self,
        rows: list[tuple[int, bool, int]],
        bins: int,
        mass: bool,  # noqa: FBT001
    ) -> None:
        claimed = np.array([p for p, _, _ in rows]) / 255
        happened = np.array([y for _, y, _ in rows], dtype=np.float64)
        weight = np.array([w for _, _, w in rows], dtype=np.float64)
        if not weight.any():
            weight[0] = 1.0
        codes = (equal_mass_bins if mass else equal_width_bins)(claimed, bins)
        parts = brier_decomposition(claimed, happened, codes, weight)
        score = float(np.average((claimed - happened) ** 2, weights=weight))
        assert parts.total == pytest.approx(score, abs=1e-12)
        assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0
        assert parts.within_variance >= -1e-15

    @given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 30))
    def test_summed_over_classes_it_is_the_multiclass_score(
        self, seed: int, classes: int, rows: int
    ) -> None:
        rng = np.random.default_rng(seed)
        probabilities = rng.dirichlet(np.full(classes, 0.3), rows)
        labels = rng.integers(-1, classes, rows)  # -1: a class that no model knows
        parts = multiclass_brier_decomposition(probabilities, labels, 15)
        assert parts.total == pytest.approx(brier(probabilities, labels).mean(), abs=1e-12)

    def test_claims_that_are_their_bins_have_nothing_within(self) -> None:
        parts = brier_decomposition([1.0, 1.0, 0.5], [1, 0, 0], np.array([1, 1, 0]))
        assert abs(parts.within_variance) < 1e-15
        assert abs(parts.within_covariance) < 1e-15
