import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, ttest_1samp

from kdaudit.stats.arrays import BoolArray, FloatArray
from kdaudit.stats.interval import normal_quantile
from kdaudit.stats.linear import Combination, combine, interval, lower, p_above, p_below, upper
from kdaudit.stats.means import joint_contrast, joint_means
from kdaudit.stats.paired_table import tango_interval

Z = normal_quantile(0.05)
exhaustive = settings(deadline=None, max_examples=50, derandomize=True)

combinations = st.builds(
    Combination,
    value=st.floats(-1, 1),
    se=st.floats(1e-4, 1),
    df=st.sampled_from([1.0, 7.0, 400.0, math.inf]),
    unknown=st.floats(0, 0.3),
    inflation=st.floats(1, 2),
)


def table(n11: int, n10: int, n01: int, n00: int) -> FloatArray:
    student = [1] * n11 + [1] * n10 + [0] * n01 + [0] * n00
    teacher = [1] * n11 + [0] * n10 + [1] * n01 + [0] * n00
    return np.array([student, teacher], np.float64)


def combined(
    scores: FloatArray,
    coefficients: tuple[float, ...],
    *,
    span: float = 1.0,
    unknown: tuple[float, ...] = (0.0, 0.0),
    clusters: object = None,
    weights: FloatArray | None = None,
    group: BoolArray | None = None,
) -> Combination:
    codes = None if clusters is None else np.asarray(clusters)
    if group is None:
        means = joint_means(scores, clusters=codes, weights=weights)
    else:
        means = joint_contrast(scores, group=group, clusters=codes, weights=weights)
    assert means is not None
    return combine(
        means.mean,
        means.covariance,
        means.df,
        coefficients,
        effective=means.effective,
        largest=means.largest,
        span=span,
        unknown=unknown,
        z=Z,
    )


class TestStandardError:
    def test_retention_contrast_of_the_reference_table(self) -> None:
        plain = combined(table(59, 6, 16, 80), (1, -0.75), span=0)
        assert plain.value / plain.se == pytest.approx(2.04398, abs=5e-6)

    def test_without_span_it_is_the_t_interval_of_the_paired_scores(self) -> None:
        scores = np.random.default_rng(0).random((2, 40))
        plain = combined(scores, (1, -0.9), span=0)
        reference = ttest_1samp(scores[0] - 0.9 * scores[1], 0)
        assert interval(plain, 0.95) == pytest.approx(
            tuple(reference.confidence_interval(0.95)), rel=1e-9
        )
        assert p_above(plain, 0) == pytest.approx(reference.pvalue / 2, rel=1e-9)

    @pytest.mark.parametrize("n", [200, 1000, 50_000])
    def test_no_discordance_reads_as_tango_reads_it(self, n: int) -> None:
        same = combined(table(n - 10, 0, 0, 10), (1, -1))
        bound = tango_interval(0, 0, n, 0.9).high
        assert same.value == 0
        assert bound < Z * same.se < upper(same, 0.05)
        assert upper(same, 0.05) == pytest.approx(bound, rel=6 / n + 1e-6)

    def test_the_rule_of_three_term_fades(self) -> None:
        with_span = combined(table(40_000, 3000, 3000, 4000), (1, -1))
        without = combined(table(40_000, 3000, 3000, 4000), (1, -1), span=0)
        assert with_span.se == pytest.approx(without.se, rel=0.011)

    def test_rounding_cannot_make_a_variance_negative(self) -> None:
        tight = combine(
            [0.5, 0.5],
            [[1.0, 1 + 1e-16], [1 + 2.3e-16, 1.0]],
            9,
            [1, -1],
            effective=10,
            largest=0.1,
            span=0,
            unknown=[0, 0],
            z=Z,
        )
        assert tight.se == 0

    @pytest.mark.parametrize(
        ("n", "margin", "discordance"),
        [
            (200, 0.02, 0.03),
            (200, 0.02, 0.06),
            (500, 0.01, 0.02),
            (500, 0.02, 0.04),
            (1000, 0.01, 0.03),
            (100, 0.05, 0.08),
        ],
    )
    def test_type_one_error_at_the_margin(self, n: int, margin: float, discordance: float) -> None:
        # Exact, over all tables that matter. Wald's reaches 0.09 here.
        share = (discordance - margin) / 2 / discordance
        most = int(binom.isf(1e-7, n, discordance))
        size = 0.0
        for total in range(most + 1):
            chance = binom.pmf(total, n, discordance) * binom.pmf(
                np.arange(total + 1), total, share
            )
            for student in range(total + 1):
                gap = (2 * student - total) / n
                variance = (total / n - gap * gap) / (n - 1)
                bound = combine(
                    [gap],
                    [[variance]],
                    n - 1,
                    [1],
                    effective=n,
                    largest=1 / n,
                    span=1,
                    unknown=[0],
                    z=Z,
                )
                if lower(bound, 0.05) > -margin:
                    size += chance[student]
        assert size < 0.056

    def test_type_one_error_with_clusters(self) -> None:
        rng = np.random.default_rng(11)
        codes = np.repeat(np.arange(40), 5)
        wrong = 0
        for _ in range(1500):
            effect = 0.1 * rng.standard_normal(40)[codes]
            scores = np.stack([rng.random(200) + effect, rng.random(200)])
            wrong += p_above(combined(scores, (1, -1), clusters=codes), 0.0) <= 0.05
        assert wrong / 1500 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1500)


class TestBounds:
    @given(combinations, st.floats(0.001, 0.5), st.floats(-1, 1))
    @exhaustive
    def test_bound_and_p_value_tell_the_same(
        self, c: Combination, alpha: float, limit: float
    ) -> None:
        if abs(p_above(c, limit) - alpha) > 1e-9:
            assert (p_above(c, limit) < alpha) == (lower(c, alpha) > limit)
        if abs(p_below(c, limit) - alpha) > 1e-9:
            assert (p_below(c, limit) < alpha) == (upper(c, alpha) < limit)

    @given(combinations, st.floats(0.001, 0.5))
    @exhaustive
    def test_the_p_value_at_a_bound_is_its_alpha(self, c: Combination, alpha: float) -> None:
        assert p_above(c, lower(c, alpha)) == pytest.approx(alpha, rel=1e-6)
        assert p_below(c, upper(c, alpha)) == pytest.approx(alpha, rel=1e-6)

    @given(st.integers(0, 10_000), st.floats(0.1, 1), st.floats(0.5, 0.99))
    @exhaustive
    def test_swapping_the_subjects_negates_the_interval(
        self, seed: int, ratio: float, level: float
    ) -> None:
        scores = np.random.default_rng(seed).random((2, 30))
        one = interval(combined(scores, (1, -ratio), unknown=(0.01, 0.03)), level)
        two = interval(combined(scores[::-1], (ratio, -1), unknown=(0.03, 0.01)), level)
        assert two == pytest.approx((-one.high, -one.low), rel=1e-9)

    def test_an_interval_is_both_bounds(self) -> None:
        c = combined(table(59, 6, 16, 80), (1, -1))
        assert interval(c, 0.9) == pytest.approx((lower(c, 0.05), upper(c, 0.05)), rel=1e-12)

    def test_unknown_scores_only_widen(self) -> None:
        known = combined(table(59, 6, 16, 80), (1, -1))
        doubtful = combined(table(59, 6, 16, 80), (1, -1), unknown=(0.01, 0.0))
        assert lower(doubtful, 0.05) < lower(known, 0.05) - 0.01
        assert upper(doubtful, 0.05) > upper(known, 0.05) + 0.01
        assert p_above(doubtful, -0.15) > p_above(known, -0.15)

    def test_a_score_that_cannot_vary_is_certain(self) -> None:
        certain = Combination(value=0.5, se=0, df=9, unknown=0, inflation=1)
        assert [p_above(certain, limit) for limit in (0.4, 0.5, 0.6)] == [0, 0.5, 1]
        assert [p_below(certain, limit) for limit in (0.4, 0.5, 0.6)] == [1, 0.5, 0]


class TestUnknownScores:
    @given(st.integers(0, 10**6), st.sampled_from(["rows", "clusters", "weights"]))
    @settings(deadline=None, max_examples=150, derandomize=True)
    def test_no_completion_leaves_the_bounds(self, seed: int, design: str) -> None:
        rng = np.random.default_rng(seed)
        n = int(rng.integers(4, 25))
        codes = weights = None
        if design == "clusters":
            codes = np.minimum(rng.geometric(rng.uniform(0.2, 0.8), n), 5)
            codes[:2] = [0, 1]
        if design == "weights":
            weights = rng.random(n) ** 4 + 1e-3
        weight = np.full(n, 1 / n) if weights is None else weights / weights.sum()
        full = rng.random((2, n)) if rng.random() < 0.5 else rng.integers(0, 2, (2, n)) * 1.0
        missing = rng.random((2, n)) < rng.choice([0.05, 0.3, 0.9])
        centred = np.where(missing, 0.5, full)
        unknown = tuple((0.5 * missing * weight).sum(axis=1).tolist())
        coefficients = (1.0, -float(rng.choice([0.0, 0.9, 1.0])))
        doubtful = combined(
            centred,
            coefficients,
            unknown=unknown,
            clusters=codes,
            weights=weights,
        )
        for _ in range(10):
            guess = rng.random(full.shape)
            if rng.random() < 0.7:
                guess = guess.round()
            complete = combined(
                np.where(missing, guess, full), coefficients, clusters=codes, weights=weights
            )
            for alpha in (0.05, 0.001):
                assert lower(complete, alpha) >= lower(doubtful, alpha) - 1e-9
                assert upper(complete, alpha) <= upper(doubtful, alpha) + 1e-9

    @given(seed=st.integers(0, 10**6), clustered=st.booleans())
    @exhaustive
    def test_no_completion_leaves_the_bounds_of_a_contrast(
        self, *, seed: int, clustered: bool
    ) -> None:
        rng = np.random.default_rng(seed)
        group = rng.permutation(np.arange(20) < rng.integers(4, 17))
        codes = np.arange(20)[rng.permutation(20)] % 7 if clustered else None
        full = rng.random((1, 20)).round()
        missing = rng.random((1, 20)) < 0.2
        unknown = sum(0.5 * (missing & side).sum() / side.sum() for side in (group, ~group))
        centred = np.where(missing, 0.5, full)
        doubtful = combined(centred, (1,), unknown=(unknown,), clusters=codes, group=group)
        for _ in range(10):
            guess = np.where(missing, rng.random(full.shape).round(), full)
            complete = combined(guess, (1,), unknown=(0,), clusters=codes, group=group)
            assert lower(complete, 0.01) >= lower(doubtful, 0.01) - 1e-9
            assert upper(complete, 0.01) <= upper(doubtful, 0.01) + 1e-9

    def test_unequal_clusters_need_more_than_the_small_sample_factor(self) -> None:
        # One row in its own cluster beside 99 in another: the norm of the residuals grows by
        # nearly √2 times the error, so √(C / (C - 1)) alone would be too little.
        codes = [0] + [1] * 99
        known = np.full((1, 100), 0.5)
        worst = known.copy()
        worst[0, 0] = 1.0
        centred = combined(known, (1,), span=0, unknown=(0.005,), clusters=codes)
        actual = combined(worst, (1,), span=0, unknown=(0,), clusters=codes)
        growth = (actual.se - centred.se) / 0.005
        assert math.sqrt(2) < growth <= centred.inflation

    def test_equal_units_need_hardly_any(self) -> None:
        equal = combined(table(59, 6, 16, 80), (1, -1))
        assert equal.inflation == pytest.approx(math.sqrt(162 / 161) * 161 / 160)

    def test_unknown_adds_up_over_the_means(self) -> None:
        both = combined(table(59, 6, 16, 80), (1, -0.5), unknown=(0.02, 0.04))
        assert both.unknown == pytest.approx(0.04)


class TestRefusals:
    def combine(self, **changes: object) -> Combination:
        arguments: dict[str, object] = {
            "mean": [0.5, 0.5],
            "covariance": np.eye(2),
            "df": 9.0,
            "coefficients": [1, -1],
            "effective": 10,
            "largest": 0.1,
            "span": 1.0,
            "unknown": [0, 0],
            "z": Z,
        }
        return combine(**{**arguments, **changes})  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"mean": [0.5]}, "shapes do not fit"),
            ({"covariance": np.eye(3)}, "shapes do not fit"),
            ({"coefficients": [1]}, "shapes do not fit"),
            ({"unknown": [0]}, "unknown has 2 finite numbers"),
            ({"unknown": [0, -1]}, "unknown has 2 finite numbers"),
            ({"unknown": [0, math.nan]}, "unknown has 2 finite numbers"),
            ({"effective": 0.9}, "needs two units"),
            ({"effective": math.inf}, "needs two units"),
            ({"largest": 0.0}, "needs two units"),
            ({"largest": 1.0}, "needs two units"),
            ({"df": 0.0}, "degrees of freedom"),
            ({"df": math.nan}, "degrees of freedom"),
            ({"span": -1.0}, "out of range"),
            ({"z": math.nan}, "out of range"),
            ({"covariance": np.full((2, 2), math.nan)}, "means, covariance and coefficients are"),
            ({"coefficients": [1, math.nan]}, "means, covariance and coefficients are"),
            ({"mean": [0.5, math.nan]}, "means, covariance and coefficients are"),
            ({"covariance": np.full((2, 2), math.inf)}, "means, covariance and coefficients are"),
        ],
    )
    def test_what_is_no_estimate_is_refused(self, changes: dict[str, object], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            self.combine(**changes)

    @pytest.mark.parametrize("alpha", [0.0, 0.6, math.nan])
    def test_a_bound_that_errs_more_often_than_not_is_refused(self, alpha: float) -> None:
        with pytest.raises(ValueError, match="a bound errs with a chance"):
            lower(self.combine(), alpha)

    @pytest.mark.parametrize("limit", [math.nan, math.inf])
    def test_a_limit_that_is_no_number_is_refused(self, limit: float) -> None:
        with pytest.raises(ValueError, match="a limit is a finite number"):
            p_above(self.combine(), limit)
