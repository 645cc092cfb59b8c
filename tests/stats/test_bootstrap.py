import tracemalloc

import numpy as np
import pytest

from kdaudit.stats import bootstrap
from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.bootstrap import block_bootstrap, blocks, percentile_bootstrap_interval


def ratio(sums: FloatArray) -> FloatArray:
    return sums[:, 0] / sums[:, 1]


def block_sums(values: FloatArray, codes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> FloatArray:
    return np.stack([np.bincount(codes, values), np.bincount(codes)], axis=1).astype(np.float64)


class TestBlocks:
    def test_random_blocks_are_of_equal_size(self) -> None:
        sizes = np.bincount(blocks(10_500, None, np.random.default_rng(0)))
        assert sizes.size == 2000
        assert set(sizes.tolist()) == {5, 6}

    def test_few_rows_are_their_own_blocks(self) -> None:
        assert sorted(blocks(7, None, np.random.default_rng(0)).tolist()) == list(range(7))

    def test_rows_are_put_into_blocks_at_random(self) -> None:
        one, two = (blocks(100, None, np.random.default_rng(s), most=10) for s in (1, 2))
        assert one.tolist() != two.tolist()

    def test_clusters_are_blocks(self) -> None:
        codes = blocks(5, [9, 4, 9, 4, 7], np.random.default_rng(0))
        assert codes.tolist() == [2, 0, 2, 0, 1]

    def test_many_clusters_are_joined_and_never_split(self) -> None:
        clusters = np.random.default_rng(0).integers(0, 500, 4000)
        codes = blocks(4000, clusters, np.random.default_rng(1), most=50)
        pairs = np.unique(np.stack([clusters, codes]), axis=1)
        assert pairs.shape[1] == np.unique(clusters).size
        assert np.bincount(pairs[1]).tolist() == [10] * 50

    def test_what_does_not_fit_is_refused(self) -> None:
        with pytest.raises(ValueError, match="one code per row, 3"):
            blocks(3, [1, 2], np.random.default_rng(0))
        with pytest.raises(ValueError, match="at least one block"):
            blocks(3, None, np.random.default_rng(0), most=0)


class TestDraws:
    def test_they_spread_as_the_analytic_error_says(self) -> None:
        rng = np.random.default_rng(0)
        values = rng.exponential(size=20_000)
        sums = block_sums(values, blocks(values.size, None, rng, most=1000))
        draws = block_bootstrap(sums, ratio, replicates=4000, rng=rng)
        assert draws.mean() == pytest.approx(values.mean(), abs=0.0005)
        assert draws.std() == pytest.approx(values.std() / np.sqrt(values.size), rel=0.08)

    def test_with_clusters_they_spread_as_the_cluster_robust_error_says(self) -> None:
        rng = np.random.default_rng(1)
        clusters = np.repeat(np.arange(300), 10)
        values = rng.standard_normal(300)[clusters] + rng.standard_normal(3000)
        sums = block_sums(values, blocks(3000, clusters, rng))
        draws = block_bootstrap(sums, ratio, replicates=4000, rng=rng)
        robust = np.sqrt((np.bincount(clusters, values - values.mean()) ** 2).sum()) / 3000
        assert draws.std() == pytest.approx(robust, rel=0.05)

    def test_the_interval_is_nearly_the_normal_one(self) -> None:
        rng = np.random.default_rng(2)
        values = rng.random(5000)
        sums = block_sums(values, blocks(5000, None, rng))
        draws = block_bootstrap(sums, ratio, replicates=10_000, rng=rng)
        half = 1.645 * values.std() / np.sqrt(5000)
        expected = (values.mean() - half, values.mean() + half)
        assert percentile_bootstrap_interval(draws, 0.9) == pytest.approx(expected, abs=0.05 * half)

    def test_a_statistic_may_have_several_values(self) -> None:
        sums = np.random.default_rng(3).random((50, 4))
        draws = block_bootstrap(
            sums, lambda s: s[:, :3] / s[:, 3:], replicates=20, rng=np.random.default_rng(0)
        )
        assert draws.shape == (20, 3)

    def test_chunks_do_not_change_the_draws(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sums = np.random.default_rng(4).random((50, 2))
        whole = block_bootstrap(sums, ratio, replicates=101, rng=np.random.default_rng(0))
        monkeypatch.setattr(bootstrap, "CHUNK_BYTES", 10_000)
        parts = block_bootstrap(sums, ratio, replicates=101, rng=np.random.default_rng(0))
        assert parts == pytest.approx(whole, rel=1e-12)

    def test_memory_stays_bounded(self) -> None:
        sums = np.ones((2000, 10))
        tracemalloc.start()
        block_bootstrap(sums, ratio, replicates=4000, rng=np.random.default_rng(0))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 70e6

    @pytest.mark.parametrize(("shape", "replicates"), [((1, 2), 5), ((4,), 5), ((4, 2), 0)])
    def test_what_cannot_be_resampled_is_refused(
        self, shape: tuple[int, ...], replicates: int
    ) -> None:
        with pytest.raises(ValueError, match="needs two blocks and a replicate"):
            block_bootstrap(
                np.ones(shape), ratio, replicates=replicates, rng=np.random.default_rng(0)
            )


class TestPercentileInterval:
    def test_its_ends_are_draws(self) -> None:
        draws = np.random.default_rng(0).permutation(np.arange(1.0, 20_001))
        assert percentile_bootstrap_interval(draws, 0.9) == (1000, 19_000)

    @pytest.mark.parametrize("draws", [[], [1.0, np.nan], [[1.0]]])
    def test_what_has_no_quantile_is_refused(self, draws: list[float]) -> None:
        with pytest.raises(ValueError, match="finite draws, at least one"):
            percentile_bootstrap_interval(draws, 0.9)
