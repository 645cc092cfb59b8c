import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm, t

from kdaudit.stats import max_t
from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.holm import holm
from kdaudit.stats.max_t import (
    Family,
    family_from_covariance,
    family_from_factor,
    family_from_influence,
    unit_triangle,
)

some = settings(deadline=None, max_examples=25, derandomize=True)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_family(seed: int, members: int, df: float = math.inf, draws: int = 2000) -> Family:
    rng = generator(seed)
    mix = rng.standard_normal((members, members + 2))
    value = 3 * rng.standard_normal(members)
    return family_from_covariance(value, mix @ mix.T, df=df, rng=rng, draws=draws)


def equicorrelated(members: int, correlation: float) -> FloatArray:
    return np.eye(members) * (1 - correlation) + correlation


class TestCriticalValue:
    @pytest.mark.parametrize("df", [5.0, 40.0, math.inf])
    @pytest.mark.parametrize("two_sided", [True, False])
    def test_one_contrast_alone_has_students(self, df: float, two_sided: bool) -> None:  # noqa: FBT001
        alone = family_from_covariance([1], [[4]], df=df, rng=generator(), draws=1000)
        expected = t.ppf(1 - (0.025 if two_sided else 0.05), df if math.isfinite(df) else 1e12)
        got = max_t.critical(alone, 0.05, two_sided=two_sided)
        assert got == pytest.approx([expected], rel=1e-6)

    @pytest.mark.parametrize("members", [2, 10, 100])
    @pytest.mark.parametrize("df", [7.0, math.inf])
    def test_of_independent_contrasts_it_is_sidaks(self, members: int, df: float) -> None:
        family = family_from_covariance(np.zeros(members), np.eye(members), df=df, rng=generator())
        chance = 1 - 0.95 ** (1 / members)
        student = t if math.isfinite(df) else norm
        args = (df,) if math.isfinite(df) else ()
        both = max_t.critical(family, 0.05, two_sided=True)[0]
        one = max_t.critical(family, 0.05, two_sided=False)[0]
        assert both == pytest.approx(student.ppf(1 - chance / 2, *args), rel=0.02)
        assert one == pytest.approx(student.ppf(1 - chance, *args), rel=0.02)

    def test_of_correlated_contrasts_it_is_scipys(self) -> None:
        sigma = equicorrelated(4, 0.7)
        family = family_from_covariance(np.zeros(4), sigma, df=np.inf, rng=generator())
        c = float(max_t.critical(family, 0.05, two_sided=True)[0])
        held = multivariate_normal(cov=sigma, seed=1).cdf([c] * 4, lower_limit=[-c] * 4)
        assert held == pytest.approx(0.95, abs=0.004)

    def test_contrasts_that_repeat_one_are_one(self) -> None:
        family = family_from_covariance(np.zeros(30), np.ones((30, 30)), df=np.inf, rng=generator())
        assert max_t.critical(family, 0.05, two_sided=True) == pytest.approx(1.96, abs=0.03)

    def test_each_has_the_tail_of_its_own_degrees_of_freedom(self) -> None:
        family = family_from_covariance([0, 0], np.eye(2), df=[4, 400], rng=generator())
        few, many = max_t.critical(family, 0.05, two_sided=True)
        assert t.sf(few, 4) == pytest.approx(t.sf(many, 400))

    @given(st.integers(0, 50), st.integers(1, 12), st.sampled_from([3.0, 30.0, math.inf]))
    @some
    def test_it_lies_between_one_alone_and_bonferroni(
        self, seed: int, members: int, df: float
    ) -> None:
        c = max_t.critical(random_family(seed, members, df), 0.05, two_sided=True)
        student = t(df) if math.isfinite(df) else norm()
        assert (c >= student.ppf(0.975) - 1e-9).all()
        assert (c <= student.ppf(1 - 0.025 / members) + 1e-9).all()

    @given(st.integers(0, 50), st.integers(2, 12), st.sampled_from([3.0, 30.0, math.inf]))
    @some
    def test_more_contrasts_never_narrow_an_interval(
        self, seed: int, members: int, df: float
    ) -> None:
        rng = generator(seed)
        mix = rng.standard_normal((members, 3))
        sigma = mix @ mix.T + np.diag(rng.random(members))
        reach = [
            max_t.critical(
                family_from_covariance(
                    np.zeros(k), sigma[:k, :k], df=df, rng=generator(9), draws=1000
                ),
                0.1,
                two_sided=two_sided,
            )[0]
            for two_sided in (True, False)
            for k in range(1, members + 1)
        ]
        assert (np.diff(reach[:members]) >= -1e-9).all()
        assert (np.diff(reach[members:]) >= -1e-9).all()

    def test_few_units_make_correlations_count_for_less(self) -> None:
        sigma = equicorrelated(2, 0.8)
        few, many = unit_triangle(sigma, 10), unit_triangle(sigma)
        assert (few @ few.T)[0, 1] == pytest.approx(0.8 * (1 - 3 / 10))
        assert (many @ many.T)[0, 1] == pytest.approx(0.8)

    def test_a_contrast_without_variance_counts_as_independent(self) -> None:
        triangle = unit_triangle(np.array([[1.0, 0], [0, 0]]))
        assert triangle @ triangle.T == pytest.approx(np.eye(2))


class TestIntervals:
    @given(st.integers(0, 100), st.sampled_from([0.8, 0.9, 0.95]), st.floats(-3, 3))
    @some
    def test_a_limit_is_left_out_exactly_when_its_p_value_is_small(
        self, seed: int, level: float, limit: float
    ) -> None:
        family = random_family(seed, 5, df=12)
        p = max_t.p_different(family, limit, step_down=False)
        out = [not low <= limit <= high for low, high in max_t.intervals(family, level)]
        assert out == (p <= 1 - level).tolist()

    @given(st.integers(0, 100), st.sampled_from([0.05, 0.1]), st.floats(-3, 3))
    @some
    def test_so_it_is_with_one_sided_bounds(self, seed: int, alpha: float, limit: float) -> None:
        family = random_family(seed, 5)
        above = max_t.p_above(family, limit, step_down=False) <= alpha
        below = max_t.p_below(family, limit, step_down=False) <= alpha
        assert (max_t.lower(family, alpha) > limit).tolist() == above.tolist()
        assert (max_t.upper(family, alpha) < limit).tolist() == below.tolist()

    def test_swapping_the_subjects_negates_them(self) -> None:
        sigma = equicorrelated(3, 0.5)
        one = family_from_covariance([1, 2, 3], sigma, df=9, rng=generator())
        other = family_from_covariance([-1, -2, -3], sigma, df=9, rng=generator())
        ends = [(-high, -low) for low, high in max_t.intervals(other, 0.9)]
        assert ends == list(max_t.intervals(one, 0.9))

    def test_a_larger_error_than_sampled_widens_only_its_own(self) -> None:
        plain = family_from_covariance([0, 0], np.eye(2), df=50, rng=generator())
        wider = family_from_covariance([0, 0], np.eye(2), df=50, rng=generator(), se=[1, 2])
        assert max_t.lower(wider, 0.05).tolist() == pytest.approx(
            (max_t.lower(plain, 0.05) * [1, 2]).tolist()
        )


class TestAdjustedP:
    def test_step_down_of_independent_contrasts_is_nearly_holm(self) -> None:
        z = np.array([3.2, 2.9, 1.5, 2.2, -0.4])
        family = family_from_covariance(z, np.eye(5), df=np.inf, rng=generator(), draws=200_000)
        adjusted = max_t.p_above(family, 0)
        expected = holm(norm.sf(z).tolist())
        assert (adjusted <= expected + 1e-12).all()
        assert adjusted[:4] == pytest.approx(expected[:4], rel=0.08)

    def test_by_hand(self) -> None:
        # The larger of two competes with both: 1 - (1 - p)²; the other is then alone.
        p = np.asarray(norm.sf([1.5, 1.0]))
        family = family_from_covariance(
            [1.0, 1.5], np.eye(2), df=np.inf, rng=generator(), draws=200_000
        )
        assert max_t.p_above(family, 0) == pytest.approx([p[1], 1 - (1 - p[0]) ** 2], abs=0.002)
        assert max_t.p_above(family, 0, step_down=False) == pytest.approx(
            [1 - (1 - p[1]) ** 2, 1 - (1 - p[0]) ** 2], abs=0.003
        )

    @given(st.integers(0, 100), st.sampled_from([4.0, math.inf]))
    @some
    def test_stepping_down_never_raises_one(self, seed: int, df: float) -> None:
        family = random_family(seed, 6, df)
        for p in (max_t.p_above, max_t.p_below, max_t.p_different):
            assert (p(family, 0) <= p(family, 0, step_down=False) + 1e-12).all()
            assert (p(family, 0) <= 1).all()

    def test_overwhelming_evidence_is_not_cut_off_by_the_number_of_draws(self) -> None:
        family = family_from_covariance([12, 0], np.eye(2), df=np.inf, rng=generator())
        assert max_t.p_above(family, 0)[0] < 1e-30

    def test_each_contrast_may_have_its_own_limit(self) -> None:
        family = family_from_covariance([1, 2], np.eye(2), df=np.inf, rng=generator())
        assert max_t.p_above(family, [1, 2], step_down=False).tolist() == pytest.approx(
            [0.75, 0.75], abs=0.01
        )

    def test_above_and_below_mirror_each_other(self) -> None:
        family = family_from_covariance([1, -1], np.eye(2), df=20, rng=generator())
        above, below = max_t.p_above(family, 0), max_t.p_below(family, 0)
        assert above.tolist() == below[::-1].tolist()


class TestDraws:
    def test_they_depend_on_the_generator_alone(self) -> None:
        one, two = random_family(1, 4), random_family(1, 4)
        assert one.farthest.tolist() == two.farthest.tolist()

    def test_another_state_gives_others(self) -> None:
        sigma = np.eye(3)
        one = family_from_covariance(np.zeros(3), sigma, df=9, rng=generator(1))
        two = family_from_covariance(np.zeros(3), sigma, df=9, rng=generator(2))
        assert one.farthest.tolist() != two.farthest.tolist()


class TestInfluence:
    def test_it_is_the_cluster_robust_covariance(self) -> None:
        rng = generator(3)
        codes = np.repeat(np.arange(12), 5)
        rows = rng.standard_normal((3, 60)) + rng.standard_normal((3, 12))[:, codes]
        mean = rows.mean(axis=1)
        influence = np.array([np.bincount(codes, row) for row in (rows - mean[:, None]) / 60])
        family = family_from_influence(mean, influence, rng=rng)
        assert family.se == pytest.approx(np.sqrt((influence**2).sum(axis=1) * 12 / 11))
        assert family.df.tolist() == [11] * 3
        joint = family.factor @ family.factor.T
        shrunk = np.corrcoef(influence) * (1 - 3 / 11)
        assert joint[np.triu_indices(3, 1)] == pytest.approx(shrunk[np.triu_indices(3, 1)])

    def test_duplicated_rows_within_clusters_change_nothing(self) -> None:
        rng = generator(4)
        x = rng.standard_normal((2, 30))
        mean = x.mean(axis=1)
        once = (x - mean[:, None]) / 30
        twice = 2 * (x - mean[:, None]) / 60
        one = family_from_influence(mean, once, rng=generator())
        two = family_from_influence(mean, twice, rng=generator())
        assert max_t.intervals(one, 0.9) == max_t.intervals(two, 0.9)

    def test_a_contrast_may_rest_on_fewer_units(self) -> None:
        influence = np.array([[0.1, -0.1, 0, 0], [0.1, -0.1, 0.2, -0.2]])
        family = family_from_influence([0, 0], influence, clusters=[2, 4], rng=generator())
        assert family.df.tolist() == [1, 3]
        assert family.se.tolist() == pytest.approx([0.2, math.sqrt(0.1 * 4 / 3)])


def errs(clusters: int, members: int, correlation: float, *, runs: int, draws: int) -> float:
    """Share of families without any effect in which some two-sided interval leaves out 0."""
    rng = generator(clusters * 1000 + members)
    wrong = 0
    for _ in range(runs):
        shared = math.sqrt(correlation) * rng.standard_normal(clusters)
        own = math.sqrt(1 - correlation) * rng.standard_normal((members, clusters))
        mean = (shared + own).mean(axis=1)
        influence = (shared + own - mean[:, None]) / clusters
        family = family_from_influence(mean, influence, rng=rng, draws=draws)
        wrong += bool((max_t.p_different(family, 0, step_down=False) <= 0.05).any())
    return wrong / runs


class TestFamilyWiseError:
    def test_it_is_held(self) -> None:
        # 400 runs err by 0.011 (one standard error); unadjusted it would be 0.6.
        assert 0.02 <= errs(40, 20, 0.3, runs=400, draws=1000) <= 0.08

    @pytest.mark.slow
    @pytest.mark.parametrize("clusters", [8, 20, 200])
    @pytest.mark.parametrize("members", [5, 100])
    @pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
    def test_it_is_held_with_few_clusters_too(
        self, clusters: int, members: int, correlation: float
    ) -> None:
        assert errs(clusters, members, correlation, runs=1500, draws=1000) <= 0.068

    @pytest.mark.slow
    def test_stepping_down_holds_it_with_effects_among_the_contrasts(self) -> None:
        rng = generator(8)
        wrong = 0
        truth = np.repeat([0.5, 0.0], 10)
        for _ in range(1500):
            x = truth[:, None] + rng.standard_normal(100) + rng.standard_normal((20, 100))
            mean = x.mean(axis=1)
            family = family_from_influence(mean, (x - mean[:, None]) / 100, rng=rng, draws=1000)
            wrong += bool((max_t.p_above(family, 0)[10:] <= 0.05).any())
        assert 0.03 <= wrong / 1500 <= 0.068


class TestWhatIsRefused:
    def test_shapes_that_do_not_fit(self) -> None:
        with pytest.raises(ValueError, match=r"needs \(K,\) and \(K, K\)"):
            family_from_covariance([1, 2], [[1]], df=5, rng=generator())
        with pytest.raises(ValueError, match=r"needs \(K,\) and \(K, K\)"):
            family_from_covariance([], np.zeros((0, 0)), df=5, rng=generator())
        with pytest.raises(ValueError, match=r"units >= 2"):
            family_from_influence([1], [[0.1]], rng=generator())
        with pytest.raises(ValueError, match=r"needs .* values and errors"):
            family_from_factor([1], [1, 2], np.eye(1), df=5, rng=generator())
        with pytest.raises(ValueError, match="factor has 1 rows"):
            family_from_factor([1], [1], np.eye(2), df=5, rng=generator())

    @pytest.mark.parametrize(
        ("covariance", "message"),
        [
            ([[1, math.nan], [math.nan, 1]], "finite and symmetric"),
            ([[1, 0.5], [0.2, 1]], "finite and symmetric"),
            ([[1, 0], [0, -1]], "a variance is not negative"),
            ([[1, 2], [2, 1]], "no negative eigenvalue"),
            ([[1, 0], [0, 0]], "above 0"),
        ],
    )
    def test_what_is_no_covariance(self, covariance: list[list[float]], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            family_from_covariance([0, 0], covariance, df=np.inf, rng=generator())

    def test_numbers_out_of_range(self) -> None:
        with pytest.raises(ValueError, match="degrees of freedom are above 0"):
            family_from_covariance([0], [[1]], df=0, rng=generator())
        with pytest.raises(ValueError, match="degrees of freedom are above 0"):
            family_from_factor([0], [1], np.eye(1), df=math.nan, rng=generator())
        with pytest.raises(ValueError, match="estimates are finite"):
            family_from_covariance([math.nan], [[1]], df=5, rng=generator())
        with pytest.raises(ValueError, match="multiple of 1000"):
            family_from_covariance([0], [[1]], df=5, rng=generator(), draws=1500)
        with pytest.raises(ValueError, match="length 1"):
            family_from_factor([0], [1], 2 * np.eye(1), df=5, rng=generator())
        with pytest.raises(ValueError, match="rests on 2 to 3 units"):
            family_from_influence([0], [[1, -1, 0]], clusters=[4], rng=generator())

    @pytest.mark.parametrize("alpha", [0, 0.6, math.nan])
    def test_a_bound_of_no_chance(self, alpha: float) -> None:
        family = random_family(0, 2, draws=1000)
        with pytest.raises(ValueError, match=r"alpha is above 0 and at most 0.5"):
            max_t.lower(family, alpha)

    def test_what_no_draw_shows_is_bonferroni(self) -> None:
        family = random_family(0, 2, draws=1000)
        reach = max_t.critical(family, 1e-6, two_sided=True)
        assert reach == pytest.approx(norm.isf(1e-6 / 4), rel=1e-9)

    @pytest.mark.parametrize("limit", [math.nan, math.inf, [0.0], [0.0, 1.0, 2.0]])
    def test_a_limit_that_does_not_fit(self, limit: float) -> None:
        with pytest.raises(ValueError, match="limit is a finite number, or 2"):
            max_t.p_above(random_family(0, 2), limit)
