import numpy as np
import pytest

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.smooth_ece import smooth_calibration_error, smooth_error_at


def overconfident(n: int, seed: int = 7) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    claimed = rng.beta(5, 2, n)
    return claimed, (rng.random(n) < claimed - 0.05).astype(np.float64)


def direct(claimed: FloatArray, happened: FloatArray, bandwidth: float) -> float:
    """The definition: kernels with their mirror images, integrated on a fine grid."""
    points = (np.arange(20_000) + 0.5) / 20_000
    turns = 2 * np.arange(-2, 3)
    images = np.concatenate([turns[:, None] + claimed, turns[:, None] - claimed])
    residuals = np.broadcast_to(happened - claimed, images.shape).ravel()
    smoothed = np.zeros_like(points)
    for image, residual in zip(images.ravel(), residuals, strict=True):
        smoothed += residual * np.exp(-0.5 * ((points - image) / bandwidth) ** 2)
    kernels = len(claimed) * bandwidth * np.sqrt(2 * np.pi)
    return float(np.abs(smoothed).mean() / kernels)


def test_it_agrees_with_the_published_implementation() -> None:
    # relplot 1.0.3 finds 0.06532094 on a coarser grid, at a bandwidth of 0.06543.
    value, bandwidth = smooth_calibration_error(*overconfident(4000))
    assert value == pytest.approx(0.06532094, abs=2e-5)
    assert bandwidth == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("bandwidth", [0.005, 0.02, 0.1, 0.5])
def test_the_grid_is_as_near_to_the_definition_as_it_says(bandwidth: float) -> None:
    claimed, happened = overconfident(40, seed=1)
    claimed[:3], claimed[3:6] = 0.0, 1.0  # mirror images fall on the ends themselves
    found, exact = (f(claimed, happened, bandwidth) for f in (smooth_error_at, direct))
    bound = 2 * 0.13 * (1 / 8192 / bandwidth) ** 2 * np.abs(happened - claimed).mean()
    assert found == pytest.approx(exact, abs=bound + 1e-6)


def test_it_falls_with_the_bandwidth_and_never_below_the_gap() -> None:
    claimed, happened = overconfident(500, seed=2)
    errors = [smooth_error_at(claimed, happened, s) for s in (0.001, 0.01, 0.05, 0.2, 1.0, 5.0)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == pytest.approx(abs((happened - claimed).mean()), abs=1e-9)
    assert errors[0] <= np.abs(happened - claimed).mean() + 1e-12


@pytest.mark.parametrize("confidence", [0.0, 0.3, 1.0])
def test_equal_claims_are_off_by_their_gap(confidence: float) -> None:
    found = smooth_calibration_error([confidence] * 40, [1, 0, 0, 0] * 10)
    assert found.value == pytest.approx(abs(confidence - 0.25), abs=1e-9)


def test_perfect_certainty_is_no_error() -> None:
    assert smooth_calibration_error([1.0, 0.0], [1, 0]).value == pytest.approx(0, abs=1e-9)


def test_one_row_is_off_by_all_of_it() -> None:
    assert smooth_calibration_error([0.7], [0]).value == pytest.approx(0.7, abs=1e-9)


def test_weights_count_as_rows_repeated() -> None:
    claimed, happened = overconfident(200, seed=3)
    weight = np.random.default_rng(4).integers(1, 4, 200)
    weighted = smooth_calibration_error(claimed, happened, weight)
    repeated = smooth_calibration_error(np.repeat(claimed, weight), np.repeat(happened, weight))
    assert weighted.value == pytest.approx(repeated.value, abs=1e-9)


def test_a_calibrated_model_is_nearer_to_zero_with_more_rows() -> None:
    def error(n: int) -> float:
        rng = np.random.default_rng(n)
        claimed = rng.beta(5, 2, n)
        return smooth_calibration_error(claimed, rng.random(n) < claimed).value

    assert error(100_000) < 0.01 < error(300) < 0.1


@pytest.mark.parametrize(
    ("claimed", "happened", "weights", "words"),
    [
        ([0.5], [1, 0], None, "one row each"),
        ([1.5], [1], None, r"numbers in \[0, 1\]"),
        ([float("nan")], [1], None, r"numbers in \[0, 1\]"),
        ([0.5], [1], [0.0], "some are above 0"),
    ],
)
def test_what_does_not_fit_is_refused(
    claimed: list[float], happened: list[int], weights: list[float] | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        smooth_calibration_error(claimed, happened, weights)
    with pytest.raises(ValueError, match="bandwidth"):
        smooth_error_at([0.5], [1], -0.1)
