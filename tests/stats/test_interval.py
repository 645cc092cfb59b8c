import pytest

from kdaudit.stats.interval import normal_quantile, tail


def test_tail_is_half_of_what_the_interval_leaves_out() -> None:
    assert tail(0.9) == pytest.approx(0.05)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, float("nan")])
def test_a_level_outside_0_1_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="a level is a coverage strictly between 0 and 1"):
        tail(level)


def test_normal_quantile_is_that_of_tables() -> None:
    assert normal_quantile(0.05) == pytest.approx(1.6448536269514722, abs=1e-15)


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_a_tail_outside_0_1_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="a tail is a chance"):
        normal_quantile(alpha)
