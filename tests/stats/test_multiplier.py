import numpy as np
import pytest

from kdaudit.stats import multiplier
from kdaudit.stats.multiplier import multiplier_draws


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_their_covariance_is_that_of_the_estimates() -> None:
    counts = np.array([40, 5, 300, 0])
    influence = np.random.default_rng(1).standard_normal((4, 3))
    draws = multiplier_draws(counts, influence, replicates=50_000, rng=generator())
    expected = (influence * counts[:, None]).T @ influence
    assert np.cov(draws, rowvar=False, ddof=0) == pytest.approx(expected, rel=0.05, abs=3)
    assert draws.mean(axis=0) == pytest.approx(0, abs=0.5)


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    influence = np.eye(3)
    whole = multiplier_draws([1, 2, 3], influence, replicates=99, rng=generator())
    monkeypatch.setattr(multiplier, "CHUNK_BYTES", 500)
    parts = multiplier_draws([1, 2, 3], influence, replicates=99, rng=generator())
    assert parts == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(
    ("counts", "rows", "replicates", "message"),
    [([1], 2, 5, "needs"), ([-1, 1], 2, 5, "not negative"), ([1, 1], 2, 0, "one replicate")],
)
def test_what_cannot_be_drawn_is_refused(
    counts: list[int], rows: int, replicates: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        multiplier_draws(counts, np.ones((rows, 1)), replicates=replicates, rng=generator())
