"""Golden numbers: CRAN contingencytables (test-ch8.R) and ratesci (test5.R), numbers only."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import binom, binomtest, norm
from statsmodels.stats.contingency_tables import mcnemar

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.interval import normal_quantile
from kdaudit.stats.paired_table import (
    mcnemar_asymptotic,
    mcnemar_exact,
    mcnemar_mid_p,
    newcombe_interval,
    odds_ratio_interval,
    tang_interval,
    tang_p_above,
    tang_p_below,
    tang_z,
    tango_interval,
    tango_p_above,
    tango_p_below,
    tango_z,
)
from kdaudit.stats.proportions import wilson

Counts = tuple[int, int, int, int]
AIRWAY: Counts = (59, 6, 16, 80)

exhaustive = settings(deadline=None, max_examples=50, derandomize=True)
count = st.integers(0, 60)
tables = st.tuples(count, count, count, count).filter(lambda t: sum(t) > 0)
levels = st.sampled_from([0.8, 0.9, 0.95, 0.99])


class TestTangoDifference:
    @pytest.mark.parametrize(
        ("table", "level", "low", "high", "places"),
        [
            (AIRWAY, 0.95, -0.1240, -0.0054, 4),
            ((1, 1, 7, 12), 0.95, -0.517, -0.026, 3),
            ((4, 9, 3, 16), 0.95, -0.027, 0.390, 3),
            ((43, 0, 1, 0), 0.90, -0.096, 0.037, 3),
            ((53, 16, 8, 9), 0.95, -0.020, 0.207, 3),
            ((0, 3, 0, 0), 0.95, -0.1230, 1.0, 4),
            ((50, 40, 20, 50), 0.95, 0.0309, 0.2181, 4),
            ((450, 0, 0, 50), 0.95, -0.0076, 0.0076, 4),
        ],
    )
    def test_published_intervals(
        self, table: Counts, level: float, low: float, high: float, places: int
    ) -> None:
        interval = tango_interval(table[1], table[2], sum(table), level)
        assert [round(end, places) for end in interval] == [low, high]

    def test_published_test_of_non_inferiority(self) -> None:
        assert float(tango_z(6, 16, 161, -0.15)) == pytest.approx(2.66792, abs=5e-6)
        assert tango_p_above(6, 16, 161, -0.15) == pytest.approx(0.003816, abs=5e-7)

    @pytest.mark.parametrize("difference", [-0.7, -0.1, 0.0, 0.1, 0.6])
    @pytest.mark.parametrize(("n10", "n01", "n"), [(6, 16, 161), (0, 5, 40), (9, 0, 12)])
    def test_z_is_the_score_at_the_likeliest_shares(
        self, n10: int, n01: int, n: int, difference: float
    ) -> None:
        def surprise(q: float) -> float:
            shares = np.array([q + difference, q, 1 - difference - 2 * q])
            counts = np.array([n10, n01, n - n10 - n01])
            return -float((counts * np.log(np.maximum(shares, 1e-300))).sum())

        bounds = (max(0.0, -difference), (1 - difference) / 2)
        q = minimize_scalar(surprise, bounds=bounds, options={"xatol": 1e-12}).x
        score = (n10 - n01 - n * difference) / math.sqrt(n * (2 * q + difference - difference**2))
        assert float(tango_z(n10, n01, n, difference)) == pytest.approx(score, abs=1e-4)

    @given(tables, levels)
    @exhaustive
    def test_swapping_the_subjects_negates_the_interval(self, t: Counts, level: float) -> None:
        low, high = tango_interval(t[1], t[2], sum(t), level)
        assert tango_interval(t[2], t[1], sum(t), level) == pytest.approx((-high, -low), rel=1e-9)

    @given(tables, levels)
    @exhaustive
    def test_the_statistic_at_each_bound_is_the_quantile(self, t: Counts, level: float) -> None:
        low, high = tango_interval(t[1], t[2], sum(t), level)
        z = normal_quantile((1 - level) / 2)
        assert -1 <= low < high <= 1
        if low > -1:
            assert float(tango_z(t[1], t[2], sum(t), low)) == pytest.approx(z, abs=1e-6)
        if high < 1:
            assert float(tango_z(t[1], t[2], sum(t), high)) == pytest.approx(-z, abs=1e-6)

    @given(tables, levels, st.floats(0.001, 0.999))
    @exhaustive
    def test_bound_and_p_value_tell_the_same(self, t: Counts, level: float, margin: float) -> None:
        alpha = (1 - level) / 2
        low, high = tango_interval(t[1], t[2], sum(t), level)
        above = tango_p_above(t[1], t[2], sum(t), -margin)
        below = tango_p_below(t[1], t[2], sum(t), -margin)
        assume(min(abs(above - alpha), abs(below - alpha)) > 1e-9)
        assert (low > -margin) == (above < alpha)
        assert (high < -margin) == (below < alpha)

    @given(tables)
    @exhaustive
    def test_z_falls_as_the_hypothesis_rises(self, t: Counts) -> None:
        z = tango_z(t[1], t[2], sum(t), np.linspace(-1, 1, 401))
        inside = z[np.isfinite(z)]
        assert (np.diff(inside) <= 1e-9).all()

    @pytest.mark.parametrize(("n10", "n01"), [(30, 50), (1, 0), (0, 400), (500, 500)])
    def test_it_becomes_walds_interval_as_n_grows(self, n10: int, n01: int) -> None:
        grow, n = 100_000, 1000 * 100_000
        low, high = tango_interval(grow * n10, grow * n01, n, 0.95)
        estimate = (n10 - n01) / 1000
        half = 1.959964 * math.sqrt(((n10 + n01) / 1000 - estimate**2) / n)
        assert (low, high) == pytest.approx((estimate - half, estimate + half), abs=0.005 * half)

    @pytest.mark.parametrize(
        ("n10", "n01"), [(0, 1), (1, 0), (10**9 - 1, 1), (1, 10**9 - 1), (3 * 10**8, 7), (0, 0)]
    )
    def test_a_billion_rows_keep_their_precision(self, n10: int, n01: int) -> None:
        low, high = tango_interval(n10, n01, 10**9, 0.95)
        z = tango_z(n10, n01, 10**9, np.array([low, high]))
        assert z == pytest.approx([1.959963984540054, -1.959963984540054], rel=1e-6)

    def test_no_discordance_is_not_certainty(self) -> None:
        z2 = normal_quantile(0.05) ** 2
        expected = z2 / (500 + z2)
        assert tango_interval(0, 0, 500, 0.9) == pytest.approx((-expected, expected), rel=1e-12)

    def test_all_one_sided_reaches_the_end_and_agrees_with_the_statistic(self) -> None:
        interval = tango_interval(0, 5, 5, 0.9)
        assert interval.low == -1
        assert float(tango_z(0, 5, 5, interval.high)) == pytest.approx(-normal_quantile(0.05))

    def test_zero_by_zero_is_no_evidence(self) -> None:
        assert float(tango_z(0, 0, 10, 0.0)) == 0
        assert tango_p_above(0, 0, 10, 0.0) == tango_p_below(0, 0, 10, 0.0) == 0.5
        assert float(tango_z(10, 0, 10, 1.0)) == 0

    def test_impossible_hypotheses_are_certainly_wrong(self) -> None:
        assert tango_z(1, 1, 10, [-1.5, -1, 1, 1.5]).tolist() == [math.inf] * 2 + [-math.inf] * 2
        assert tango_p_above(1, 1, 10, -1.0) == 0
        assert tango_p_above(1, 1, 10, 1.0) == 1

    def test_far_tails_keep_their_digits(self) -> None:
        assert 0 < tango_p_below(100, 400, 10_000, 0.05) < 1e-50
        assert 0 < tango_p_above(400, 100, 10_000, -0.05) < 1e-50

    @pytest.mark.parametrize(
        ("n", "margin", "discordance", "simulated"),
        [
            (200, 0.02, 0.03, 0.035),
            (200, 0.02, 0.06, 0.049),
            (500, 0.01, 0.02, 0.047),
            (500, 0.02, 0.04, 0.045),
            (1000, 0.01, 0.03, 0.053),
            (100, 0.05, 0.08, 0.040),
        ],
    )
    def test_type_one_error_at_the_margin(
        self, n: int, margin: float, discordance: float, simulated: float
    ) -> None:
        # Exact where the reference simulated (20 000 replicates, Monte Carlo error 0.0015).
        total = np.arange(n + 1)[:, None]
        student = np.arange(n + 1)[None, :]
        share = (discordance - margin) / 2 / discordance
        chance = binom.pmf(total, n, discordance) * binom.pmf(student, total, share)
        z = tango_z(student, np.maximum(total - student, 0), n, -margin)
        size = chance[z > normal_quantile(0.05)].sum()
        assert size == pytest.approx(simulated, abs=0.006)
        assert size < 0.06


class TestNewcombeDifference:
    @pytest.mark.parametrize(
        ("table", "corrected", "low", "high"),
        [
            (AIRWAY, True, -0.1186, -0.0046),
            (AIRWAY, False, -0.1174, -0.0059),
            ((1, 0, 0, 1), True, -0.5734, 0.5734),
            ((450, 0, 0, 50), True, -0.0072, 0.0072),
        ],
    )
    def test_published_intervals(
        self, *, table: Counts, corrected: bool, low: float, high: float
    ) -> None:
        interval = newcombe_interval(*table, 0.95, corrected=corrected)
        assert interval == pytest.approx((low, high), abs=5.1e-5)

    def test_a_slight_positive_correlation_is_corrected_to_none(self) -> None:
        # n11·n00 - n10·n01 = 5 lies between 0 and n/2, so the ends add as if independent.
        low, high = newcombe_interval(5, 5, 5, 6, 0.95)
        share_low, share_high = wilson(10, 21, 0.95)
        expected = math.hypot(10 / 21 - share_low, share_high - 10 / 21)
        assert (low, high) == pytest.approx((-expected, expected), rel=1e-12)

    @given(tables, levels)
    @exhaustive
    def test_it_holds_the_estimate_and_swaps_with_the_subjects(
        self, t: Counts, level: float
    ) -> None:
        low, high = newcombe_interval(*t, level)
        assert -1 <= low <= (t[1] - t[2]) / sum(t) <= high <= 1
        swapped = newcombe_interval(t[0], t[2], t[1], t[3], level)
        assert swapped == pytest.approx((-high, -low), abs=1e-12)


class TestMcNemar:
    def test_published_p_values(self) -> None:
        found = (
            mcnemar_exact(6, 16),
            mcnemar_mid_p(6, 16),
            mcnemar_asymptotic(6, 16),
            mcnemar_asymptotic(6, 16, corrected=True),
        )
        assert found == pytest.approx((0.052479, 0.034690, 0.033006, 0.055009), abs=5.1e-7)

    @given(count, count)
    @exhaustive
    def test_it_agrees_with_scipy_and_statsmodels(self, n10: int, n01: int) -> None:
        assume(n10 + n01 > 0)
        table = [[3, n10], [n01, 4]]
        exact = binomtest(n10, n10 + n01).pvalue
        assert mcnemar_exact(n10, n01) == pytest.approx(exact, rel=1e-9)
        assert mcnemar_mid_p(n10, n01) == pytest.approx(
            min(1, 2 * binom.cdf(min(n10, n01), n10 + n01, 0.5))
            - (binom.pmf(n10, n10 + n01, 0.5) if n10 != n01 else 0)
        )
        plain = mcnemar(table, exact=False, correction=False).pvalue
        assert mcnemar_asymptotic(n10, n01) == pytest.approx(plain, rel=1e-9)
        if n10 != n01:  # statsmodels corrects a gap of 0 to -1
            corrected = mcnemar(table, exact=False, correction=True).pvalue
            assert mcnemar_asymptotic(n10, n01, corrected=True) == pytest.approx(corrected)

    def test_without_discordance_nothing_is_shown(self) -> None:
        assert mcnemar_exact(0, 0) == mcnemar_mid_p(0, 0) == mcnemar_asymptotic(0, 0) == 1


class TestTangRatio:
    @pytest.mark.parametrize(
        ("table", "level", "low", "high", "places"),
        [
            (AIRWAY, 0.95, 0.7476, 0.9876, 4),
            ((1, 1, 7, 12), 0.95, 0.065, 0.907, 3),
            ((446, 5, 16, 690), 0.90, 0.9581, 0.9919, 4),
        ],
    )
    def test_published_intervals(
        self, table: Counts, level: float, low: float, high: float, places: int
    ) -> None:
        interval = tang_interval(*table, level)
        assert [round(end, places) for end in interval] == [low, high]

    def test_published_test_of_retention(self) -> None:
        assert float(tang_z(*AIRWAY, 0.75)) == pytest.approx(1.92205, abs=5e-6)
        assert tang_p_above(*AIRWAY, 0.75) == pytest.approx(0.02730, abs=5e-6)

    @pytest.mark.parametrize("ratio", [0.5, 0.9, 1.2])
    @pytest.mark.parametrize("table", [AIRWAY, (10, 4, 2, 5)])
    def test_z_is_the_score_at_the_likeliest_shares(self, table: Counts, ratio: float) -> None:
        n11, n10, n01, n00 = table
        n = sum(table)

        def shares(free: FloatArray) -> FloatArray:
            both, teacher_only = free
            student_only = ratio * (both + teacher_only) - both
            return np.array(
                [both, student_only, teacher_only, 1 - both - student_only - teacher_only]
            )

        def surprise(free: FloatArray) -> float:
            p = shares(free)
            return 1e9 if (p <= 0).any() else -float(np.array(table) @ np.log(p))

        start = [0.2, 0.2 * max(0, 1 / ratio - 1) + 0.05]
        best = minimize(surprise, start, method="Nelder-Mead", options={"xatol": 1e-10})
        both, _, teacher_only, _ = shares(best.x)
        teacher = both + teacher_only
        spread = n * (ratio * (1 + ratio) * teacher - 2 * ratio * both)
        score = (n11 + n10 - ratio * (n11 + n01)) / math.sqrt(spread)
        assert float(tang_z(n11, n10, n01, n00, ratio)) == pytest.approx(score, abs=1e-3)

    @given(tables, levels)
    @exhaustive
    def test_swapping_the_subjects_inverts_the_interval(self, t: Counts, level: float) -> None:
        low, high = tang_interval(*t, level)
        swapped = tang_interval(t[0], t[2], t[1], t[3], level)
        expected = (1 / high if high else math.inf, 1 / low if low else math.inf)
        assert swapped == pytest.approx(expected, rel=1e-9)

    @given(tables, levels)
    @exhaustive
    def test_the_statistic_at_each_bound_is_the_quantile(self, t: Counts, level: float) -> None:
        low, high = tang_interval(*t, level)
        z = normal_quantile((1 - level) / 2)
        assert 0 <= low < high
        if low > 0:
            assert float(tang_z(*t, low)) == pytest.approx(z, abs=1e-6)
        if math.isfinite(high):
            assert float(tang_z(*t, high)) == pytest.approx(-z, abs=1e-6)

    @given(tables, levels, st.floats(0.01, 3))
    @exhaustive
    def test_bound_and_p_value_tell_the_same(self, t: Counts, level: float, ratio: float) -> None:
        alpha = (1 - level) / 2
        low, high = tang_interval(*t, level)
        above, below = tang_p_above(*t, ratio), tang_p_below(*t, ratio)
        assume(min(abs(above - alpha), abs(below - alpha)) > 1e-9)
        assert above + below == pytest.approx(1)
        assert (low > ratio) == (above < alpha)
        assert (high < ratio) == (below < alpha)

    @given(tables)
    @exhaustive
    def test_z_falls_as_the_hypothesis_rises(self, t: Counts) -> None:
        z = tang_z(*t, np.geomspace(1e-3, 1e3, 401))
        assert (np.diff(z) <= 1e-9).all()

    def test_a_teacher_that_is_never_right_bounds_nothing_above(self) -> None:
        low, high = tang_interval(0, 5, 0, 20, 0.95)
        assert low == pytest.approx(5 / 1.959964**2, rel=1e-6)
        assert high == math.inf

    def test_a_student_that_is_never_right_keeps_nothing(self) -> None:
        low, high = tang_interval(0, 0, 20, 5, 0.95)
        assert low == 0
        assert high == pytest.approx(1.959964**2 / 20, rel=1e-6)

    def test_where_neither_is_right_every_ratio_is_possible(self) -> None:
        assert tang_interval(0, 0, 0, 9, 0.95) == (0, math.inf)
        assert tang_p_above(0, 0, 0, 9, 0.9) == 0.5

    def test_ratio_zero_is_refuted_by_one_right_answer(self) -> None:
        assert tang_p_above(0, 1, 3, 5, 0.0) == 0
        assert tang_p_above(0, 0, 3, 5, 0.0) == 0.5

    @pytest.mark.parametrize("limit", [-0.1, math.inf, math.nan])
    def test_a_ratio_that_is_no_ratio_is_refused(self, limit: float) -> None:
        with pytest.raises(ValueError, match="a ratio of shares is finite and not negative"):
            tang_p_above(*AIRWAY, limit)


class TestOddsRatio:
    def test_it_is_clopper_pearson_in_odds(self) -> None:
        low, high = binomtest(6, 22).proportion_ci(0.95)
        expected = (low / (1 - low), high / (1 - high))
        assert odds_ratio_interval(6, 16, 0.95) == pytest.approx(expected, rel=1e-9)

    def test_empty_cells_open_the_interval(self) -> None:
        assert odds_ratio_interval(0, 0, 0.9) == (0, math.inf)
        assert odds_ratio_interval(0, 4, 0.9).low == 0
        assert odds_ratio_interval(4, 0, 0.9).high == math.inf


@pytest.mark.parametrize("counts", [(0, 0, 0), (-1, 2, 5), (3, 3, 5)])
def test_counts_that_are_no_table_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="a table needs n > 0"):
        tango_interval(*counts, 0.9)
    with pytest.raises(ValueError, match="a table needs n > 0"):
        tango_p_above(*counts, 0.0)


def test_an_empty_table_is_refused() -> None:
    for function in (newcombe_interval, tang_interval):
        with pytest.raises(ValueError, match="a table needs n > 0"):
            function(0, 0, 0, 0, 0.9)


def test_the_score_tests_agree_with_each_other_at_equality() -> None:
    # Difference 0 and ratio 1 are one hypothesis, and both scores are then McNemar's.
    z = float(tango_z(6, 16, 161, 0.0))
    assert z == pytest.approx(float(tang_z(*AIRWAY, 1.0)))
    assert 2 * norm.sf(abs(z)) == pytest.approx(mcnemar_asymptotic(6, 16))
