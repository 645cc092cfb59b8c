import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from kdaudit.stats.holm import holm


@pytest.mark.parametrize("m", [1, 2, 5, 100])
def test_it_agrees_with_statsmodels(m: int) -> None:
    p = np.random.default_rng(m).random(m) ** 4
    p[0] = p[-1]  # a tie
    assert holm(p.tolist()) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-15)


def test_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.9]).tolist() == pytest.approx([0.04, 0.09, 0.09, 0.9])


def test_adjusted_values_stop_at_one() -> None:
    assert holm([0.6, 0.7]).tolist() == [1, 1]


def test_no_tests_need_no_adjustment() -> None:
    assert holm([]).size == 0


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="p-values lie in"):
        holm([0.5, p])
