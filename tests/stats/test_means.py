from collections.abc import Mapping

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind, ttest_rel

from kdaudit.stats.arrays import FloatArray, IntArray
from kdaudit.stats.clusters import correction
from kdaudit.stats.means import JointMeans, joint_contrast, joint_means

exhaustive = settings(deadline=None, max_examples=50, derandomize=True)
seeds = st.integers(0, 10_000)


def scores(seed: int, series: int = 2, n: int = 60) -> tuple[FloatArray, IntArray, FloatArray]:
    """Draw scores that depend within series and clusters, cluster codes, and weights."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 12, n)
    values = rng.random(12)[codes] + 0.3 * rng.random(n) + 0.2 * rng.random((series, n))
    return values, codes, rng.integers(1, 5, n) / 3


def found(means: JointMeans | None) -> JointMeans:
    assert means is not None
    return means


def plain(means: JointMeans) -> FloatArray:
    """The covariance with C / (C - 1) for its correction, as others have it."""
    factor = float(correction(means.effective, means.largest))
    return means.covariance / factor * means.clusters / (means.clusters - 1)


class TestMeans:
    def test_by_hand(self) -> None:
        both = found(joint_means([[1, 1, 0, 0], [1, 1, 1, 0]]))
        assert both.mean.tolist() == [0.5, 0.75]
        assert both.covariance == pytest.approx(np.array([[1 / 12, 1 / 24], [1 / 24, 1 / 16]]))
        assert (both.df, both.n, both.clusters) == (3, 4, 4)

    def test_without_clusters_it_is_the_sample_covariance(self) -> None:
        values, _, _ = scores(1, series=3)
        both = found(joint_means(values))
        assert both.mean == pytest.approx(values.mean(axis=1), abs=1e-15)
        assert both.covariance == pytest.approx(np.cov(values) / 60, rel=1e-12)

    def test_the_difference_has_the_t_of_scipys_paired_test(self) -> None:
        values, _, _ = scores(2)
        both = found(joint_means(values))
        c = np.array([1, -1])
        t = (c @ both.mean) / np.sqrt(c @ both.covariance @ c)
        assert t == pytest.approx(ttest_rel(values[0], values[1]).statistic, rel=1e-9)

    @pytest.mark.parametrize("clustered", [True, False])
    @pytest.mark.parametrize("weighted", [True, False])
    def test_errors_are_those_of_statsmodels(self, *, clustered: bool, weighted: bool) -> None:
        values, codes, weights = scores(3)
        both = found(
            joint_means(
                values,
                clusters=codes if clustered else None,
                weights=weights if weighted else None,
            )
        )
        kind: Mapping[str, object] = {"cov_type": "HC1"}
        if clustered:
            kind = {"cov_type": "cluster", "cov_kwds": {"groups": codes}}
        for series, combination in (
            (values[0], [1, 0]),
            (values[1], [0, 1]),
            (values[0] - values[1], [1, -1]),
        ):
            c = np.array(combination)
            constant = sm.WLS(series, np.ones(60), weights if weighted else 1.0).fit(**kind)
            assert c @ both.mean == pytest.approx(constant.params[0], rel=1e-9)
            se = np.sqrt(c @ plain(both) @ c)
            assert se == pytest.approx(constant.bse[0], rel=1e-9)
        mass = weights if weighted else np.ones(60)
        share = (np.bincount(codes, mass) if clustered else mass) / mass.sum()
        assert both.effective == pytest.approx(1 / (share**2).sum())
        assert both.largest == pytest.approx(share.max())
        assert both.df == pytest.approx(both.effective - 1)

    @given(seeds)
    @exhaustive
    def test_rows_repeated_within_clusters_add_nothing(self, seed: int) -> None:
        values, codes, weights = scores(seed)
        twice = np.concatenate([values, values], axis=1)
        for weight in (None, weights):
            once = found(joint_means(values, clusters=codes, weights=weight))
            more = found(
                joint_means(
                    twice,
                    clusters=np.tile(codes, 2),
                    weights=None if weight is None else np.tile(weight, 2),
                )
            )
            assert more.covariance == pytest.approx(once.covariance, rel=1e-9)
            assert more.df == pytest.approx(once.df)
            assert (more.clusters, more.n) == (once.clusters, 2 * once.n)
        naive = (
            found(joint_means(twice)).covariance * 119 / 59 / found(joint_means(values)).covariance
        )
        assert naive == pytest.approx(np.ones((2, 2)), rel=1e-9)

    @given(seeds)
    @exhaustive
    def test_the_order_of_rows_does_not_matter(self, seed: int) -> None:
        values, codes, weights = scores(seed)
        order = np.random.default_rng(seed).permutation(60)
        once = found(joint_means(values, clusters=codes, weights=weights))
        again = found(joint_means(values[:, order], clusters=codes[order], weights=weights[order]))
        assert again.mean == pytest.approx(once.mean, rel=1e-12)
        assert again.covariance == pytest.approx(once.covariance, rel=1e-9)

    def test_clusters_of_one_row_are_rows(self) -> None:
        values, _, _ = scores(4)
        alone = found(joint_means(values, clusters=np.arange(60)))
        assert alone.covariance == pytest.approx(found(joint_means(values)).covariance)

    def test_equal_weights_are_no_weights(self) -> None:
        values, _, _ = scores(5)
        equal = found(joint_means(values, weights=np.full(60, 0.3)))
        assert equal.covariance == pytest.approx(found(joint_means(values)).covariance)

    def test_rows_of_weight_zero_are_no_rows(self) -> None:
        values, codes, weights = scores(6)
        weights[codes == 3] = 0
        kept = codes != 3
        dropped = found(joint_means(values[:, kept], clusters=codes[kept], weights=weights[kept]))
        zeroed = found(joint_means(values, clusters=codes, weights=weights))
        assert zeroed.covariance == pytest.approx(dropped.covariance)
        assert (zeroed.n, zeroed.clusters) == (dropped.n, dropped.clusters)
        assert zeroed.df == pytest.approx(dropped.df)

    @pytest.mark.parametrize("dtype", [np.float32, np.bool_, np.int8])
    def test_narrow_scores_are_computed_in_float64(self, dtype: type[np.generic]) -> None:
        values = np.random.default_rng(0).random((2, 1000)) < 0.9
        narrow = found(joint_means(values.astype(dtype)))
        assert narrow.covariance.dtype == np.float64
        assert narrow.covariance == pytest.approx(np.cov(values) / 1000, rel=1e-12)

    def test_identical_series_differ_by_exactly_nothing(self) -> None:
        values, codes, weights = scores(7, series=1)
        both = found(joint_means(np.repeat(values, 2, axis=0), clusters=codes, weights=weights))
        c = np.array([1, -1])
        assert c @ both.mean == 0
        assert c @ both.covariance @ c == 0

    @pytest.mark.parametrize(
        ("values", "clusters", "weights"),
        [
            (np.zeros((2, 0)), None, None),
            (np.zeros((2, 0)), np.zeros(0, np.int64), np.zeros(0)),
            (np.ones((2, 1)), None, None),
            (np.ones((2, 5)), np.full(5, 9), None),
            (np.ones((2, 3)), None, [0.0, 1.0, 0.0]),
        ],
    )
    def test_fewer_than_two_units_have_no_spread(
        self, values: FloatArray, clusters: IntArray | None, weights: FloatArray | None
    ) -> None:
        assert joint_means(values, clusters=clusters, weights=weights) is None

    def test_what_does_not_fit_is_refused(self) -> None:
        with pytest.raises(ValueError, match="scores are"):
            joint_means([1.0, 2.0])
        with pytest.raises(ValueError, match="scores are finite"):
            joint_means([[1.0, np.nan]])
        with pytest.raises(ValueError, match="clusters has one entry per row, 2"):
            joint_means([[1.0, 2.0]], clusters=[1, 2, 3])
        for weight in (-1.0, np.nan, np.inf):
            with pytest.raises(ValueError, match="weights are finite and not negative"):
                joint_means([[1.0, 2.0]], weights=[1.0, weight])


class TestContrast:
    def test_without_clusters_it_is_welchs_test(self) -> None:
        values, codes, _ = scores(8)
        group = codes < 4
        contrast = found(joint_contrast(values, group=group))
        t = contrast.mean[0] / np.sqrt(contrast.covariance[0, 0])
        welch = ttest_ind(values[0, group], values[0, ~group], equal_var=False)
        assert t == pytest.approx(welch.statistic, rel=1e-9)
        fewer = min(group.sum(), (~group).sum())
        assert (contrast.n, contrast.clusters, contrast.df) == (group.sum(), fewer, fewer - 1)

    @pytest.mark.parametrize("weighted", [True, False])
    def test_with_clusters_it_is_the_robust_regression_on_the_group(
        self, *, weighted: bool
    ) -> None:
        values, codes, weights = scores(9)
        group = np.random.default_rng(9).random(60) < 0.3  # clusters lie across both sides
        weight = weights if weighted else np.ones(60)
        contrast = found(joint_contrast(values, group=group, clusters=codes, weights=weight))
        difference = values[0] - values[1]
        line = sm.WLS(difference, sm.add_constant(group.astype(float)), weight).fit(
            cov_type="cluster", cov_kwds={"groups": codes}
        )
        c = np.array([1, -1])
        sides = [np.bincount(codes[side], weight[side]) for side in (group, ~group)]
        shares = [mass[mass > 0] / mass.sum() for mass in sides]
        larger = max(1 / (1 - 2 * p.max() + (p**2).sum()) for p in shares)
        # statsmodels corrects by all 12 clusters and two parameters.
        factor = np.sqrt(larger / (12 / 11 * 59 / 58))
        assert c @ contrast.mean == pytest.approx(line.params[1], rel=1e-9)
        assert np.sqrt(c @ contrast.covariance @ c) == pytest.approx(line.bse[1] * factor, rel=1e-9)
        assert contrast.clusters == min(len(p) for p in shares)
        assert contrast.df == pytest.approx(min(1 / (p**2).sum() for p in shares) - 1)
        assert contrast.largest == pytest.approx(max(p.max() for p in shares))

    def test_rows_in_neither_side_are_ignored(self) -> None:
        values, codes, weights = scores(10)
        group, rest = codes < 4, codes > 6
        used = group | rest
        part = found(
            joint_contrast(
                values[:, used], group=group[used], clusters=codes[used], weights=weights[used]
            )
        )
        whole = found(
            joint_contrast(values, group=group, rest=rest, clusters=codes, weights=weights)
        )
        assert whole.mean == pytest.approx(part.mean)
        assert whole.covariance == pytest.approx(part.covariance)

    def test_exchanging_the_sides_negates_it(self) -> None:
        values, codes, _ = scores(11)
        one = found(joint_contrast(values, group=codes < 4, clusters=codes))
        other = found(joint_contrast(values, group=codes >= 4, clusters=codes))
        assert one.mean == pytest.approx(-other.mean)
        assert one.covariance == pytest.approx(other.covariance)

    def test_a_side_with_one_unit_has_no_spread(self) -> None:
        values, codes, _ = scores(12)
        assert joint_contrast(values, group=np.arange(60) == 0) is None
        assert joint_contrast(values, group=codes == 3, clusters=codes) is None
        assert joint_contrast(values, group=codes != 3, clusters=codes) is None
        assert joint_contrast(values, group=np.ones(60, np.bool_)) is None

    def test_what_is_no_contrast_is_refused(self) -> None:
        values, codes, _ = scores(13)
        with pytest.raises(ValueError, match="share rows"):
            joint_contrast(values, group=codes < 4, rest=codes < 6)
        with pytest.raises(ValueError, match="mark each of the 60 rows"):
            joint_contrast(values, group=np.ones(3, np.bool_))
