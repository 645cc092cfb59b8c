"""Prediction-powered means: by hand, against a published fixture, and by coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.ppi import Corrected, prediction_powered
from kdaudit.stats.random import stream


def interval(found: Corrected, level: float = 0.95) -> tuple[float, float]:
    reach = normal_quantile(tail(level)) * float(np.sqrt(found.covariance[0, 0]))
    return float(found.mean[0]) - reach, float(found.mean[0]) + reach


def counts(both: int, human: int, machine: int, neither: int) -> tuple[list[int], list[int]]:
    """Labels and grades of rows by who says 1."""
    y = [1] * both + [1] * human + [0] * machine + [0] * neither
    f = [1] * both + [0] * human + [1] * machine + [0] * neither
    return y, f


def test_the_golden_numbers_of_ppi_python() -> None:
    # Judge 0.363 of 2000; people 53 of 200, judge 68 of these, both 46: the only whole counts that
    # give all of the published numbers.
    y, f = counts(46, 7, 22, 125)
    u = [1] * 726 + [0] * 1274
    assert np.mean(u) == 0.363
    plain = prediction_powered([y], [f], [u], contrast=[1], weight=1)
    assert plain.mean[0] == pytest.approx(0.288, abs=1e-12)
    tuned = prediction_powered([y], [f], [u], contrast=[1])
    assert tuned.mean[0] == pytest.approx(0.27768, abs=5e-6)
    assert interval(tuned) == pytest.approx((0.2305, 0.3248), abs=5e-5)
    classical = prediction_powered([y], [f], [u], contrast=[1], weight=0)
    assert interval(classical) == pytest.approx((0.2038, 0.3262), abs=5e-5)


def test_a_difference_by_hand() -> None:
    # Student and teacher on four labelled rows and two others, at weight 1.
    y = [[1, 0, 1, 0], [1, 1, 0, 0]]
    f = [[1, 0, 0, 0], [1, 1, 0, 1]]
    u = [[1, 1], [0, 1]]
    found = prediction_powered(y, f, u, contrast=[1, -1], weight=1)
    # Student: 1 + 1/4; teacher: 1/2 - 1/4. Missed: (0, 0, 1, 0) and (0, 0, 0, -1).
    assert found.mean.tolist() == [1.25, 0.25]
    assert found.covariance[0, 0] == pytest.approx(0 / 2 + (3 / 16) / 4)
    assert found.covariance[1, 1] == pytest.approx((1 / 4) / 2 + (3 / 16) / 4)
    # Covariance of the missed: mean of products 0, less (1/4)(-1/4).
    assert found.covariance[0, 1] == pytest.approx((1 / 16) / 4)


@given(
    st.lists(st.tuples(*[st.integers(0, 1)] * 4), min_size=2, max_size=30),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40),
)
def test_it_is_the_one_dimensional_estimator_of_the_difference(
    labelled: list[tuple[int, ...]], others: list[tuple[int, int]]
) -> None:
    ys, yt, fs, ft = np.array(labelled, float).T
    us, ut = np.array(others, float).T
    found = prediction_powered([ys, yt], [fs, ft], [us, ut], contrast=[1, -1])
    y, f, u = ys - yt, fs - ft, us - ut
    # Written anew from the paper: power tuning, then mean and variance of one score.
    n, more = len(y), len(u)
    spread = np.var(np.concatenate([f, u]), ddof=1)
    weight = 0.0
    if spread > 0:
        weight = float(np.cov(y, f, ddof=0)[0, 1] / ((1 + n / more) * spread))
    weight = float(np.clip(weight, 0, 1))
    mean = weight * u.mean() + (y - weight * f).mean()
    variance = weight**2 * u.var() / more + (y - weight * f).var() / n
    assert found.weight == pytest.approx(weight, abs=1e-12)
    assert found.mean[0] - found.mean[1] == pytest.approx(mean, abs=1e-12)
    contrast = np.array([1, -1])
    assert contrast @ found.covariance @ contrast == pytest.approx(variance, abs=1e-12)


def test_grades_that_say_nothing_are_given_no_weight() -> None:
    y, f, u = [[1, 0, 1, 0]], [[1, 1, 1, 1]], [[1, 1]]
    found = prediction_powered(y, f, u, contrast=[1])
    assert (found.weight, found.mean[0]) == (0.0, 0.5)
    against = prediction_powered(y, [[0, 1, 0, 1]], [[0, 1]], contrast=[1])
    assert against.weight == 0.0


@pytest.mark.parametrize(
    ("y", "f", "u"),
    [([[1]], [[1]], [[1, 0]]), ([[1, 0]], [[1, 0]], [[]]), ([[1, 0]], [[1]], [[1]])],
)
def test_too_little_is_refused(y: list[list[int]], f: list[list[int]], u: list[list[int]]) -> None:
    with pytest.raises(ValueError, match=r"shapes do not fit|two labelled rows"):
        prediction_powered(y, f, u, contrast=[1])


def coverage(draws: int, n: int, more: int, bias: float) -> float:
    """How often the interval holds the difference that people would find, 0.1."""
    rng, held = stream(4, "ppi", str(n)), 0
    for _ in range(draws):
        total = n + more
        y = np.stack([rng.random(total) < 0.4, rng.random(total) < 0.3])
        # The machine calls some right answers wrong, more of the student's than of the teacher's.
        f = y | (rng.random((2, total)) < np.array([[bias], [0.02]]))
        found = prediction_powered(y[:, :n], f[:, :n], f[:, n:], contrast=[1, -1])
        c = np.array([1.0, -1.0])
        reach = 1.645 * np.sqrt(c @ found.covariance @ c)
        held += bool(abs(found.mean[0] - found.mean[1] - 0.1) <= reach)
    return held / draws


def test_its_interval_covers_however_the_grader_errs() -> None:
    assert coverage(400, 200, 800, bias=0.2) > 0.9 - 3 * (0.09 / 400) ** 0.5


@pytest.mark.slow
def test_its_interval_covers_at_length() -> None:
    for bias in (0.0, 0.1, 0.3):
        assert abs(coverage(4000, 200, 1000, bias) - 0.9) < 0.012 + 3 * (0.09 / 4000) ** 0.5
