from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from kdaudit.stats.exact_retention import kept_power, lost_power, rates, required_n_kept
from kdaudit.stats.one_sided_table import ratio_p_above, ratio_p_below


@given(
    right=st.integers(1, 16),
    wrong=st.integers(0, 8),
    lost=st.floats(0, 1),
    won=st.floats(0, 1),
    keep=st.sampled_from([0.5, 0.9, 0.97, 1.0]),
    alpha=st.sampled_from([0.05, 0.2]),
)
@settings(max_examples=40)
def test_they_add_up_every_table_that_rejects(
    right: int, wrong: int, lost: float, won: float, keep: float, alpha: float
) -> None:
    kept = fallen = 0.0
    for n01 in range(right + 1):
        for n10 in range(wrong + 1):
            chance = binom.pmf(n01, right, lost) * binom.pmf(n10, wrong, won)
            table = (right - n01, n10, n01, wrong - n10)
            kept += chance * (ratio_p_above(*table, keep) <= alpha)
            fallen += chance * (ratio_p_below(*table, keep) <= alpha)
    assert kept_power(right, wrong, lost, won, keep, alpha=alpha) == pytest.approx(kept, abs=1e-9)
    assert lost_power(right, wrong, lost, won, keep, alpha=alpha) == pytest.approx(fallen, abs=1e-9)


@pytest.mark.parametrize(
    ("teacher", "discordance", "keep"), [(0.8, 0.05, 0.9), (0.9, 0.02, 0.95), (0.6, 0.1, 0.9)]
)
def test_with_the_required_rows_it_is_kept_that_often(
    teacher: float, discordance: float, keep: float
) -> None:
    n = required_n_kept(teacher, discordance, keep, alpha=0.05)
    half = discordance / 2
    shares = [teacher - half, half, half, 1 - teacher - half]
    draws = np.random.default_rng(1).multinomial(n, shares, size=2000)

    @cache
    def passed(n11: int, n10: int, n01: int, n00: int) -> bool:
        return ratio_p_above(n11, n10, n01, n00, keep) <= 0.05

    share = np.mean([passed(*table) for table in draws.tolist()])
    assert share == pytest.approx(0.81, abs=0.03)


@given(teacher=st.floats(0.01, 1), discordance=st.floats(0, 1), kept=st.floats(0, 1))
def test_the_rates_give_the_share_that_is_kept(
    teacher: float, discordance: float, kept: float
) -> None:
    lost, won = rates(teacher, discordance, kept)
    assert 0 <= lost <= 1 + 1e-12
    assert 0 <= won <= 1 + 1e-12
    student = teacher * (1 - lost) + (1 - teacher) * won
    assert student == pytest.approx(kept * teacher, abs=1e-9)
    assert teacher * lost + (1 - teacher) * won <= max(discordance, teacher * (1 - kept)) + 1e-9


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="needs rows"):
        kept_power(0, 5, 0.1, 0.1, 0.9, alpha=0.05)
    with pytest.raises(ValueError, match="needs rows"):
        lost_power(5, 5, 0.1, 0.1, 1.1, alpha=0.05)
