import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, multinomial

from kdaudit.stats.exact_power import (
    exact_power,
    required_n_exact,
    required_n_of_share,
    share_power,
    smallest_harm,
    smallest_margin,
)
from kdaudit.stats.one_sided_table import (
    agreement_n,
    difference_p_above,
    difference_p_below,
    share_p_above,
)

TABLES = [
    (0.01, 0.02, 1237, 0.77),
    (0.01, 0.05, 3092, 0.79),
    (0.01, 0.10, 6183, 0.80),
    (0.01, 0.20, 12366, 0.80),
    (0.02, 0.02, 310, 0.66),
    (0.02, 0.05, 773, 0.77),
    (0.02, 0.10, 1546, 0.80),
    (0.02, 0.20, 3092, 0.79),
    (0.03, 0.05, 344, 0.76),
    (0.03, 0.10, 687, 0.79),
    (0.03, 0.20, 1374, 0.81),
    (0.05, 0.05, 124, 0.72),
    (0.05, 0.10, 248, 0.78),
    (0.05, 0.20, 495, 0.80),
]


@pytest.mark.parametrize(("margin", "discordance", "n", "simulated"), TABLES)
def test_it_is_the_simulated_power(
    margin: float, discordance: float, n: int, simulated: float
) -> None:
    power = exact_power(n, discordance, 0.0, -margin, alpha=0.05)
    assert power == pytest.approx(simulated, abs=0.013)


@given(
    n=st.integers(1, 40),
    discordance=st.floats(0, 1),
    lean=st.floats(-1, 1),
    limit=st.sampled_from([-0.3, -0.05, 0.0, 0.1]),
    alpha=st.sampled_from([0.025, 0.05, 0.2]),
)
@settings(max_examples=40)
def test_it_adds_up_every_rejected_table(
    n: int, discordance: float, lean: float, limit: float, alpha: float
) -> None:
    n10, n01 = (x.ravel() for x in np.indices((n + 1, n + 1)))
    possible = n10 + n01 <= n
    n10, n01 = n10[possible], n01[possible]
    student, teacher = discordance * (1 + lean) / 2, discordance * (1 - lean) / 2
    shares = np.array([student, teacher, max(0.0, 1 - student - teacher)])
    chance = multinomial.pmf(np.stack([n10, n01, n - n10 - n01], axis=1), n, shares / shares.sum())
    tables = zip(n10.tolist(), n01.tolist(), strict=True)
    rejected = [difference_p_above(a, b, n, limit) <= alpha for a, b in tables]
    power = exact_power(n, discordance, discordance * lean, limit, alpha=alpha)
    assert power == pytest.approx((chance * rejected).sum(), abs=1e-9)


def test_at_the_limit_it_is_about_the_level() -> None:
    assert exact_power(2000, 0.1, -0.02, -0.02, alpha=0.05) == pytest.approx(0.05, abs=0.004)


def test_a_million_rows_are_no_harder() -> None:
    assert exact_power(1_000_000, 0.1, 0.0, -0.001, alpha=0.05) == pytest.approx(0.935, abs=0.002)


def test_a_larger_margin_and_more_rows_have_more_power() -> None:
    powers = [exact_power(500, 0.1, 0.0, -m, alpha=0.05) for m in (0.01, 0.02, 0.03, 0.05)]
    assert powers == sorted(powers)
    powers = [exact_power(n, 0.1, 0.0, -0.02, alpha=0.05) for n in (200, 500, 1000, 2000)]
    assert powers == sorted(powers)


class TestSmallestMargin:
    def test_it_has_the_power_and_a_smaller_one_has_not(self) -> None:
        margin = smallest_margin(400, 0.05, -0.005, alpha=0.05, power=0.9)
        assert margin is not None
        assert exact_power(400, 0.05, -0.005, -margin, alpha=0.05) >= 0.9
        assert exact_power(400, 0.05, -0.005, -margin + 2e-6, alpha=0.05) < 0.9

    def test_identical_subjects_need_the_margin_that_no_loss_would_show(self) -> None:
        margin = smallest_margin(500, 0.0, 0.0, alpha=0.05)
        assert margin == pytest.approx(1 - 0.05 ** (1 / 500), abs=2e-6)

    def test_it_is_negative_where_superiority_can_be_shown(self) -> None:
        margin = smallest_margin(2000, 0.3, 0.2, alpha=0.05)
        assert margin is not None
        assert margin < -0.1

    def test_one_row_shows_nothing(self) -> None:
        assert smallest_margin(1, 0.5, 0.0, alpha=0.01) is None


class TestSmallestHarm:
    def test_it_is_shown_and_a_smaller_one_is_not(self) -> None:
        harm = smallest_harm(1000, 0.1, 0.02, alpha=0.05)
        assert harm is not None
        draws = np.random.default_rng(0).multinomial(
            1000, [(0.1 - harm) / 2, (0.1 + harm) / 2, 0.9], size=3000
        )
        p = [difference_p_below(int(a), int(b), 1000, -0.02) for a, b, _ in draws]
        shown = np.mean(np.array(p) <= 0.05)
        assert shown == pytest.approx(0.8, abs=0.025)
        assert exact_power(1000, 0.1, harm - 2e-6, 0.02, alpha=0.05) < 0.8

    def test_a_harm_beyond_the_discordance_is_all_loss(self) -> None:
        harm = smallest_harm(50, 0.03, 0.02, alpha=0.05)
        assert harm is not None
        assert harm > 0.03
        assert exact_power(50, harm, harm, 0.02, alpha=0.05) >= 0.8

    def test_what_no_harm_would_show_is_none(self) -> None:
        assert smallest_harm(2, 0.03, 0.5, alpha=0.05) is None


class TestRequiredRows:
    @pytest.mark.parametrize(("margin", "discordance", "n"), [row[:3] for row in TABLES])
    def test_they_have_the_power(self, margin: float, discordance: float, n: int) -> None:
        rows = required_n_exact(discordance, 0.0, margin, alpha=0.05)
        assert n <= rows <= n + 4 / discordance + n / 50
        assert exact_power(rows, discordance, 0.0, -margin, alpha=0.05) >= 0.8

    def test_subjects_that_never_differ_need_as_many_as_no_loss_would_show(self) -> None:
        assert required_n_exact(0.0, 0.0, 0.01, alpha=0.05) == agreement_n(0.01, alpha=0.05) == 299


class TestShares:
    @given(
        n=st.integers(1, 80),
        share=st.floats(0, 1),
        limit=st.floats(0, 1),
        alpha=st.sampled_from([0.01, 0.05, 0.3]),
    )
    def test_the_power_adds_up_every_count_that_rejects(
        self, n: int, share: float, limit: float, alpha: float
    ) -> None:
        chance = binom.pmf(np.arange(n + 1), n, share)
        rejected = [share_p_above(k, n, limit) <= alpha for k in range(n + 1)]
        assert share_power(n, share, limit, alpha=alpha) == pytest.approx((chance * rejected).sum())

    def test_the_required_rows_have_the_power(self) -> None:
        n = required_n_of_share(0.95, 0.9, alpha=0.05)
        assert 170 < n < 200
        for rows in (n, n + n // 100):
            assert share_power(rows, 0.95, 0.9, alpha=0.05) >= 0.8

    def test_impossible_numbers_are_refused(self) -> None:
        with pytest.raises(ValueError, match="needs a row and shares"):
            share_power(10, 1.1, 0.5, alpha=0.05)


@pytest.mark.parametrize(
    ("n", "discordance", "difference", "limit"),
    [(0, 0.1, 0, 0), (10, 0.1, 0, -1), (10, 0.1, 0.2, 0), (10, 1.1, 0, 0)],
)
def test_impossible_numbers_are_refused(
    n: int, discordance: float, difference: float, limit: float
) -> None:
    with pytest.raises(ValueError, match="needs"):
        exact_power(n, discordance, difference, limit, alpha=0.05)


def test_impossible_wishes_are_refused() -> None:
    with pytest.raises(ValueError, match="a power is a chance"):
        smallest_margin(10, 0.1, 0.0, alpha=0.05, power=1.0)
    with pytest.raises(ValueError, match="a power is a chance"):
        smallest_harm(10, 0.1, 0.0, alpha=0.05, power=0.0)
    with pytest.raises(ValueError, match="a margin lies in"):
        smallest_harm(10, 0.1, -0.1, alpha=0.05)
