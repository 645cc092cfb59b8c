import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.levels import levels
from kdaudit.stats.selective import (
    area_under_risk_coverage,
    generalized_risk,
    generalized_risk_influence,
    risk_coverage,
)

ROWS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40)


def arrays(rows: list[tuple[int, bool]]) -> tuple[FloatArray, FloatArray]:
    return np.array([p / 8 for p, _ in rows]), np.array([float(y) for _, y in rows])


class TestCurve:
    def test_by_hand(self) -> None:
        curve = risk_coverage(levels([0.9, 0.8, 0.8, 0.8, 0.6], [1, 0, 1, 1, 0]))
        assert curve.coverage.tolist() == [0.2, 0.8, 1.0]
        assert curve.risk.tolist() == [0, 0.25, 0.4]
        assert area_under_risk_coverage(curve) == pytest.approx(0.6 * 0.25 + 0.2 * 0.4)

    def test_without_ties_the_area_is_the_mean_risk_of_the_first_rows(self) -> None:
        rng = np.random.default_rng(0)
        confidence, right = rng.random(200), rng.integers(0, 2, 200).astype(float)
        wrong = 1 - right[np.argsort(-confidence)]
        expected = (np.cumsum(wrong) / np.arange(1, 201)).mean()
        found = area_under_risk_coverage(risk_coverage(levels(confidence, right)))
        assert found == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("confidence", [0.5, 1.0])
    def test_one_confidence_is_one_point(self, confidence: float) -> None:
        curve = risk_coverage(levels([confidence] * 4, [1, 1, 1, 0]))
        assert (curve.coverage.tolist(), curve.risk.tolist()) == ([1.0], [0.25])

    def test_the_most_confident_rows_may_weigh_nothing(self) -> None:
        curve = risk_coverage(levels([0.9, 0.8], [0, 1], [0.0, 1.0]))
        assert (curve.coverage.tolist(), curve.risk.tolist()) == ([1.0], [0.0])


class TestGeneralizedRisk:
    @given(ROWS)
    def test_it_is_the_identity_of_accuracy_and_auroc(self, rows: list[tuple[int, bool]]) -> None:
        confidence, right = arrays(rows)
        share = right.mean()
        # Of one kind of row only there is no AUROC, and its factor is 0.
        auroc = roc_auc_score(right, confidence) if 0 < share < 1 else 0.0
        expected = (1 - auroc) * share * (1 - share) + (1 - share) ** 2 / 2
        assert generalized_risk(levels(confidence, right)) == pytest.approx(expected, abs=1e-14)

    @given(ROWS)
    def test_it_is_the_mean_over_pairs(self, rows: list[tuple[int, bool]]) -> None:
        confidence, right = arrays(rows)
        more = (confidence[:, None] > confidence) + 0.5 * (confidence[:, None] == confidence)
        expected = float(((1 - right)[:, None] * more).mean())
        assert generalized_risk(levels(confidence, right)) == pytest.approx(expected, abs=1e-14)

    @given(ROWS, st.integers(0, 100))
    def test_the_mean_of_the_influences_is_the_statistic(
        self, rows: list[tuple[int, bool]], seed: int
    ) -> None:
        confidence, right = arrays(rows)
        weight = np.random.default_rng(seed).uniform(0.1, 2, right.size)
        for given_weight in (None, weight):
            found = levels(confidence, right, given_weight)
            shares = generalized_risk_influence(found, right)
            expected = generalized_risk(found)
            assert np.average(shares, weights=given_weight) == pytest.approx(expected, abs=1e-12)
            assert -0.5 <= shares.min() <= shares.max() <= 1 + 1e-12

    @given(ROWS, st.data())
    def test_one_row_moves_it_by_its_share_at_most(
        self, rows: list[tuple[int, bool]], data: st.DataObject
    ) -> None:
        changed = list(rows)
        place = data.draw(st.integers(0, len(rows) - 1))
        changed[place] = data.draw(st.tuples(st.integers(0, 8), st.booleans()))
        one, two = (generalized_risk(levels(*arrays(each))) for each in (rows, changed))
        assert abs(one - two) <= 1 / len(rows) + 1e-12

    def test_the_spread_of_the_influences_is_that_of_the_statistic(self) -> None:
        rng = np.random.default_rng(1)

        def once() -> tuple[float, float]:
            confidence = rng.beta(4, 2, 200)
            right = (rng.random(200) < confidence).astype(np.float64)
            found = levels(confidence, right)
            shares = generalized_risk_influence(found, right)
            return generalized_risk(found), float(shares.std(ddof=1)) / math.sqrt(200)

        values, errors = np.array([once() for _ in range(1500)]).T
        assert errors.mean() == pytest.approx(values.std(), rel=0.06)

    def test_all_right_is_none_and_all_wrong_is_a_half(self) -> None:
        for confidence in ([1.0] * 5, [0.5, 0.6, 0.7, 0.8, 1.0]):
            assert generalized_risk(levels(confidence, [1] * 5)) == 0
            assert generalized_risk(levels(confidence, [0] * 5)) == pytest.approx(0.5)
