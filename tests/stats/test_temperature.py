import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.temperature import (
    Temperature,
    fit_temperature,
    log_probabilities,
    rescaled,
    temperature_interval,
)


def drawn(seed: int, n: int, classes: int, sharpness: float) -> tuple[FloatArray, IntArray]:
    """Logits ``sharpness`` times too large, so that their temperature is ``sharpness``."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, classes))
    odds = np.exp(logits)
    chance = (odds / odds.sum(axis=1, keepdims=True)).cumsum(axis=1)
    return sharpness * logits, (chance < rng.random((n, 1))).sum(axis=1).clip(max=classes - 1)


@pytest.mark.parametrize(
    ("classes", "sharpness"), [(2, 0.3), (2, 1.722318), (3, 5.0), (10, 1.0), (3, 15.0)]
)
def test_it_is_what_a_general_minimiser_finds(classes: int, sharpness: float) -> None:
    logits, labels = drawn(1, 800, classes, sharpness)

    def loss(log_value: float) -> float:
        odds = rescaled(logits, math.exp(log_value))
        return -float(np.log(odds[np.arange(800), labels]).mean())

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    fitted = fit_temperature(logits, labels)
    assert fitted.value == pytest.approx(math.exp(best.x), rel=1e-6)
    assert abs(math.log(fitted.value / sharpness)) < 0.35
    assert not fitted.at_bound


def test_for_two_classes_it_is_logistic_regression_without_intercept() -> None:
    logits, labels = drawn(2, 500, 2, 1.7)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    slope = model.fit(logits[:, 1:] - logits[:, :1], labels).coef_[0, 0]
    assert fit_temperature(logits, labels).value == pytest.approx(1 / slope, rel=1e-5)


def test_weights_count_as_rows_repeated_and_unknown_labels_as_no_rows() -> None:
    logits, labels = drawn(3, 300, 3, 2.0)
    weight = np.random.default_rng(0).integers(0, 4, 300)
    weighted = fit_temperature(logits, labels, weights=weight)
    repeated = fit_temperature(np.repeat(logits, weight, axis=0), np.repeat(labels, weight))
    assert weighted.value == pytest.approx(repeated.value, rel=1e-9)
    more = np.vstack([logits, logits[:50]])
    unknown = fit_temperature(more, np.append(labels, np.full(50, -1)))
    assert unknown == fit_temperature(logits, labels)


@pytest.mark.parametrize("clustered", [False, True])
def test_its_interval_covers_the_truth(clustered: bool) -> None:  # noqa: FBT001
    held = 0
    for seed in range(60):
        logits, labels = drawn(100 + seed, 200, 3, 1.5)
        clusters = None
        if clustered:  # every row three times
            logits, labels = np.repeat(logits, 3, axis=0), np.repeat(labels, 3)
            clusters = np.repeat(np.arange(200), 3)
        fitted = fit_temperature(logits, labels, clusters=clusters)
        low, high = temperature_interval(fitted, 0.9)
        held += low <= 1.5 <= high
    assert 48 <= held <= 59  # 54 expected


@pytest.mark.parametrize(("labels", "value"), [([0, 0, 0], math.exp(-3)), ([1, 1, 1], math.exp(3))])
def test_all_right_or_all_wrong_end_at_a_bound_and_say_so(labels: list[int], value: float) -> None:
    fitted = fit_temperature(np.log([[0.8, 0.2]] * 3), labels)
    assert fitted.at_bound
    assert fitted.value == pytest.approx(value)
    low, high = temperature_interval(fitted, 0.9)
    assert (low == 0) == (value < 1)
    assert math.isinf(high) == (value > 1)


@pytest.mark.parametrize("logits", [[[0.5, 0.5]] * 4, [[3.0]] * 4])
def test_where_no_temperature_changes_anything_none_is_claimed(logits: list[list[float]]) -> None:
    fitted = fit_temperature(logits, [0] * 4)
    assert fitted == Temperature(value=1.0, log_error=None, df=1.0, n=4, at_bound=False)
    assert temperature_interval(fitted, 0.9) == (0.0, math.inf)


def test_one_row_has_no_spread() -> None:
    assert fit_temperature(np.log([[0.5, 0.3, 0.2]]), [1]).log_error is None


def test_probabilities_serve_as_logits_and_zeros_are_clipped() -> None:
    logits, labels = drawn(4, 400, 3, 2.0)
    probabilities = rescaled(logits, 1.0)
    from_logits = fit_temperature(logits, labels).value
    from_probabilities = fit_temperature(log_probabilities(probabilities, 1e-12), labels).value
    assert from_probabilities == pytest.approx(from_logits, rel=1e-6)
    certain = log_probabilities([[1.0, 0.0]] * 9 + [[0.0, 1.0]], 1e-12)
    fitted = fit_temperature(certain, [0] * 10)
    assert fitted.value == pytest.approx(math.log(1e12) / math.log(9), rel=1e-6)


def test_large_logits_do_not_overflow() -> None:
    fitted = fit_temperature([[2000.0, 0.0, -2000.0], [0.0, 2000.0, 0.0]], [0, 0])
    assert math.isfinite(fitted.value)
    assert rescaled([[2000.0, 0.0]], 0.05).tolist() == [[1.0, 0.0]]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="logits are finite"):
        fit_temperature([[0.0, -math.inf]], [0])
    with pytest.raises(ValueError, match="no rows"):
        fit_temperature([[0.0, 1.0]], [-1])
    with pytest.raises(ValueError, match="above 0"):
        rescaled([[0.0, 1.0]], 0.0)
    for smallest in (0.0, 1.0):
        with pytest.raises(ValueError, match="strictly between"):
            log_probabilities([[0.5, 0.5]], smallest)
