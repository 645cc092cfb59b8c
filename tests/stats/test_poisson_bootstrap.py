import math

import numpy as np
import pytest
from numpy.typing import NDArray

from kdaudit.stats import poisson_bootstrap as module
from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.order_statistics import percentile_interval
from kdaudit.stats.poisson_bootstrap import COPIES, poisson_bootstrap


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_table_of_copies_is_poissons() -> None:
    copies = np.arange(len(COPIES))
    share = np.array(COPIES) / 65536
    assert share.sum() == 1
    assert (share * copies).sum() == 1
    assert (share * (copies - 1) ** 2).sum() == 1
    expected = [math.exp(-1) / math.factorial(int(k)) for k in copies]
    assert share.tolist() == pytest.approx(expected, abs=6e-5)


def test_weights_have_the_shares_of_the_table() -> None:
    seen = poisson_bootstrap(
        200_000,
        lambda w: np.stack([(w == k).mean(axis=1) for k in range(4)], axis=1),
        replicates=5,
        rng=generator(),
    )
    assert seen.mean(axis=0) == pytest.approx(np.array(COPIES[:4]) / 65536, abs=0.002)


def test_a_ratio_spreads_as_the_analytic_error_says() -> None:
    x = np.random.default_rng(1).exponential(size=2000)

    def mean(weights: NDArray[np.uint8]) -> FloatArray:
        return np.asarray((weights @ x) / weights.sum(axis=1), np.float64)

    draws = poisson_bootstrap(2000, mean, replicates=4000, rng=generator())
    assert draws.mean() == pytest.approx(x.mean(), abs=0.002)
    assert draws.std() == pytest.approx(x.std() / math.sqrt(2000), rel=0.05)


def test_a_weighted_quantile_spreads_as_order_statistics_say() -> None:
    x = np.sort(np.random.default_rng(2).exponential(size=1500))

    def median(weights: NDArray[np.uint8]) -> FloatArray:
        total = np.cumsum(weights, axis=1, dtype=np.int64)
        return np.asarray(x[(total < total[:, -1:] / 2).sum(axis=1)], np.float64)

    draws = poisson_bootstrap(1500, median, replicates=2000, rng=generator())
    exact = percentile_interval(x, 0.5, 0.9)
    assert exact is not None
    assert np.quantile(draws, [0.05, 0.95]) == pytest.approx(list(exact), abs=0.01)


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    def first(weights: NDArray[np.uint8]) -> FloatArray:
        return weights[:, :3].astype(np.float64)

    whole = poisson_bootstrap(7, first, replicates=50, rng=generator())
    monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    assert poisson_bootstrap(7, first, replicates=50, rng=generator()).tolist() == whole.tolist()


@pytest.mark.parametrize(("rows", "replicates"), [(0, 5), (5, 0)])
def test_what_cannot_be_resampled_is_refused(rows: int, replicates: int) -> None:
    with pytest.raises(ValueError, match="needs a row and a replicate"):
        poisson_bootstrap(rows, lambda w: w.sum(axis=1), replicates=replicates, rng=generator())
