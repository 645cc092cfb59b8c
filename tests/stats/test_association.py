"""Relative risk, phi, kappa and the F-score: values by definition, gradients by differences."""

from collections.abc import Callable

import numpy as np
import pytest

from kdaudit.stats.association import Measured, kappa, phi, relative_risk
from kdaudit.stats.f_score import f_score

ZERO = np.zeros((3, 3))
AT = (0.3, 0.25, 0.15)


def value(of: Callable[..., Measured | None], *shares: float) -> float:
    found = of(*shares, np.zeros((len(shares), len(shares))), 99, 0.9)
    assert found is not None
    return found.value


@pytest.mark.parametrize(
    ("of", "at"), [(relative_risk, AT), (phi, AT), (kappa, AT), (f_score, (0.4, 0.7))]
)
def test_intervals_follow_from_numeric_gradients(
    of: Callable[..., Measured | None], at: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(len(at), len(at))) * 0.01
    sigma = root @ root.T
    found = of(*at, sigma, 1e9, 0.9)
    assert found is not None
    log = of is relative_risk
    gradient = []
    for i in range(len(at)):
        ends = []
        for step in (-1e-6, 1e-6):
            moved = list(at)
            moved[i] += step
            ends.append(np.log(value(of, *moved)) if log else value(of, *moved))
        gradient.append((ends[1] - ends[0]) / 2e-6)
    reach = 1.6448536 * np.sqrt(np.array(gradient) @ sigma @ np.array(gradient))
    half = np.log(found.interval.high / found.value) if log else found.interval.high - found.value
    assert half == pytest.approx(reach, rel=1e-4)


def test_values_of_a_table_counted_anew() -> None:
    teacher = np.repeat([1, 1, 0, 0], [60, 25, 10, 405])
    student = np.repeat([1, 0, 1, 0], [60, 25, 10, 405])
    shares = (teacher.mean(), student.mean(), (teacher * student).mean())
    assert value(phi, *shares) == pytest.approx(np.corrcoef(teacher, student)[0, 1])
    assert value(relative_risk, *shares) == pytest.approx((60 / 85) / (10 / 415))
    from sklearn.metrics import cohen_kappa_score

    assert value(kappa, *shares) == pytest.approx(cohen_kappa_score(teacher, student))


def test_what_has_no_value_is_none() -> None:
    assert relative_risk(0.2, 0.1, 0.1, ZERO, 9, 0.9) is None  # none without the first event
    assert relative_risk(0.2, 0.1, 0.0, ZERO, 9, 0.9) is None
    assert phi(0.0, 0.1, 0.0, ZERO, 9, 0.9) is None
    assert kappa(1.0, 1.0, 1.0, ZERO, 9, 0.9) is None
    assert f_score(0.0, 0.0, np.zeros((2, 2)), 9, 0.9) is None
