import pytest
from statsmodels.stats.proportion import proportion_confint

from kdaudit.stats.interval import Interval
from kdaudit.stats.proportions import clopper_pearson, wilson

COUNTS = [(0, 1), (1, 1), (0, 20), (20, 20), (1, 20), (13, 20), (999, 1000), (123_456, 1_000_000)]


@pytest.mark.parametrize(("successes", "n"), COUNTS)
@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_wilson_agrees_with_statsmodels(successes: int, n: int, level: float) -> None:
    expected = proportion_confint(successes, n, 1 - level, method="wilson")
    assert wilson(successes, n, level) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(("successes", "n"), COUNTS)
@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_clopper_pearson_agrees_with_statsmodels(successes: int, n: int, level: float) -> None:
    expected = proportion_confint(successes, n, 1 - level, method="beta")
    assert clopper_pearson(successes, n, level) == pytest.approx(expected, abs=1e-13)


def test_rule_of_three_none_in_100_may_hide_three_percent() -> None:
    assert clopper_pearson(0, 100, 0.9).high == pytest.approx(1 - 0.05 ** (1 / 100))


def test_effective_counts_need_not_be_whole() -> None:
    low, high = wilson(7.5, 12.5, 0.95)
    assert wilson(7, 12.5, 0.95).low < low < 0.6 < high


def test_all_or_nothing_touches_the_end_exactly() -> None:
    assert wilson(0, 7, 0.9).low == clopper_pearson(0, 7, 0.9).low == 0
    assert wilson(7, 7, 0.9).high == clopper_pearson(7, 7, 0.9).high == 1


def test_an_interval_has_named_ends() -> None:
    assert isinstance(wilson(1, 2, 0.9), Interval)


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 0), (1, -1), (-1, 5), (6, 5), (float("nan"), 5), (1, float("nan"))]
)
def test_impossible_counts_are_refused(successes: float, n: float) -> None:
    with pytest.raises(ValueError, match="a proportion needs n > 0"):
        wilson(successes, n, 0.9)
    with pytest.raises(ValueError, match="a proportion needs n > 0"):
        clopper_pearson(successes, n, 0.9)
