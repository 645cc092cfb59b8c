import math

import numpy as np
import pytest

from kdaudit.stats.paired_table import tango_p_above
from kdaudit.stats.power import required_n, required_n_paired, zero_discordance_n


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
