import math

import numpy as np
import pytest
from scipy.stats import norm, t

from kdaudit.stats.paired_table import tango_p_above
from kdaudit.stats.power import (
    design_effect,
    power_of_mean,
    required_n,
    required_n_paired,
    smallest_distance,
    zero_discordance_n,
)


@pytest.mark.parametrize(
    ("margin", "discordance", "equal", "slightly_worse"),
    [
        (0.01, 0.02, 1237, 4940),
        (0.01, 0.05, 3092, 12359),
        (0.01, 0.10, 6183, 24725),
        (0.01, 0.20, 12366, 49455),
        (0.02, 0.02, 310, 549),
        (0.02, 0.05, 773, 1374),
        (0.02, 0.10, 1546, 2748),
        (0.02, 0.20, 3092, 5495),
        (0.03, 0.05, 344, 495),
        (0.03, 0.10, 687, 989),
        (0.03, 0.20, 1374, 1979),
        (0.05, 0.05, 124, 153),
        (0.05, 0.10, 248, 306),
        (0.05, 0.20, 495, 611),
    ],
)
def test_table_of_rows_for_80_percent_power(
    margin: float, discordance: float, equal: int, slightly_worse: int
) -> None:
    assert required_n_paired(discordance, 0.0, margin, alpha=0.05) == equal
    assert required_n_paired(discordance, -0.005, margin, alpha=0.05) == slightly_worse


def test_the_promised_power_is_delivered() -> None:
    n = required_n_paired(0.1, 0.0, 0.02, alpha=0.05)
    draws = np.random.default_rng(5).multinomial(n, [0.05, 0.05, 0.9], size=3000)
    shown = np.mean([tango_p_above(int(a), int(b), n, -0.02) <= 0.05 for a, b, _ in draws])
    assert shown == pytest.approx(0.8, abs=0.03)


def test_more_power_needs_more_rows() -> None:
    assert required_n(0.1, 0.02, alpha=0.05, power=0.9) > required_n(0.1, 0.02, alpha=0.05)


def test_a_score_that_never_varies_still_needs_a_row() -> None:
    assert required_n(0.0, 0.1, alpha=0.05) == 1


@pytest.mark.parametrize(("margin", "rows"), [(0.01, 268), (0.02, 133), (0.05, 52)])
def test_identical_subjects_pass_with_just_so_many_rows(margin: float, rows: int) -> None:
    assert zero_discordance_n(margin, alpha=0.05) == rows
    assert tango_p_above(0, 0, rows, -margin) <= 0.05
    assert tango_p_above(0, 0, rows - 1, -margin) > 0.05


@pytest.mark.parametrize("distance", [0.0, -0.01, math.nan, math.inf])
def test_no_number_of_rows_shows_what_is_not_so(distance: float) -> None:
    with pytest.raises(ValueError, match="distance > 0"):
        required_n(0.1, distance, alpha=0.05)


def test_impossible_shares_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\|difference\| <= discordance"):
        required_n_paired(0.01, -0.02, 0.05, alpha=0.05)
    with pytest.raises(ValueError, match="a margin of shares"):
        zero_discordance_n(1.0, alpha=0.05)


class TestMeans:
    @pytest.mark.parametrize("df", [3.0, 25.0, 400.0])
    def test_power_is_that_of_simulated_t_tests(self, df: float) -> None:
        rng = np.random.default_rng(int(df))
        t_values = (rng.standard_normal(200_000) + 2.5) / np.sqrt(rng.chisquare(df, 200_000) / df)
        expected = np.mean(t_values > t.ppf(0.95, df))
        assert power_of_mean(0.2, 0.5, alpha=0.05, df=df) == pytest.approx(expected, abs=0.004)

    def test_many_degrees_of_freedom_become_the_normal(self) -> None:
        below, above = (power_of_mean(1, 2.0, alpha=0.05, df=df) for df in (9e5, 2e6))
        assert below == pytest.approx(above, abs=1e-5)
        assert above == pytest.approx(norm.sf(norm.ppf(0.95) - 2))

    @pytest.mark.parametrize("df", [2.0, 30.0, math.inf])
    @pytest.mark.parametrize("power", [0.5, 0.8, 0.99])
    def test_the_smallest_distance_has_just_the_power(self, df: float, power: float) -> None:
        distance = smallest_distance(0.03, alpha=0.05, power=power, df=df)
        assert power_of_mean(0.03, distance, alpha=0.05, df=df) == pytest.approx(power, abs=1e-6)

    def test_it_agrees_with_the_required_units(self) -> None:
        distance = smallest_distance(math.sqrt(0.05 / 3092), alpha=0.05)
        assert distance == pytest.approx(0.01, rel=1e-3)

    def test_impossible_numbers_are_refused(self) -> None:
        with pytest.raises(ValueError, match="needs se > 0"):
            power_of_mean(0, 1, alpha=0.05)
        with pytest.raises(ValueError, match="needs se > 0"):
            smallest_distance(1, alpha=0.05, df=0)
        with pytest.raises(ValueError, match="a distance is a finite number"):
            power_of_mean(1, math.nan, alpha=0.05)
        with pytest.raises(ValueError, match="alpha < power"):
            smallest_distance(1, alpha=0.05, power=0.01)


class TestDesignEffect:
    def test_clusters_of_one_row_cost_nothing(self) -> None:
        assert design_effect([1, 1, 1], 0.9) == 1

    def test_by_hand(self) -> None:
        # Σm² / Σm = (1 + 9) / 4
        assert design_effect([1, 3], 0.2) == pytest.approx(1.3)

    def test_it_is_the_inflation_of_the_variance(self) -> None:
        rng = np.random.default_rng(0)
        shared = np.repeat(rng.standard_normal((20_000, 10)), 6, axis=1) * math.sqrt(0.3)
        x = shared + math.sqrt(0.7) * rng.standard_normal((20_000, 60))
        assert x.mean(axis=1).var() * 60 == pytest.approx(design_effect([6] * 10, 0.3), rel=0.03)

    def test_impossible_numbers_are_refused(self) -> None:
        with pytest.raises(ValueError, match="sizes are one row"):
            design_effect([0, 2], 0.1)
        with pytest.raises(ValueError, match="a correlation within clusters"):
            design_effect([2], -0.1)
