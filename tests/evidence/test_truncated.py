"""What is kept of a large vocabulary is exact at every declared temperature, and no other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax

from kdaudit.errors import DataError
from kdaudit.evidence.truncated import (
    TopK,
    Truncated,
    Width,
    bytes_per_position,
    pack,
    truncate,
    unpack,
)

GRID = (1.0, 2.0, 4.0, 8.0, 20.0)


def logits(
    positions: int, vocabulary: int, seed: int = 0
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return 3 * np.random.default_rng(seed).normal(size=(positions, vocabulary)) + 40


def stored(z: np.ndarray[tuple[int, int], np.dtype[np.float64]], top: TopK) -> Truncated:
    return unpack(pack(truncate(z, top), top), top, z.shape[1])


@given(
    vocabulary=st.integers(1, 300),
    k=st.integers(1, 40),
    seed=st.integers(0, 2**31),
    temperatures=st.lists(st.sampled_from(GRID), min_size=1, unique=True),
)
def test_every_declared_temperature_is_exact(
    vocabulary: int, k: int, seed: int, temperatures: list[float]
) -> None:
    z = logits(5, vocabulary, seed)
    kept = stored(z, TopK(k=k, temperatures=tuple(temperatures)))
    assert (kept.ids[:, 0] == z.argmax(axis=1)).all()
    assert (np.diff(kept.logits, axis=1) <= 0).all()
    for temperature in temperatures:
        log_p = log_softmax(z / temperature, axis=1)
        expected = np.exp(np.take_along_axis(log_p, kept.ids, axis=1))
        np.testing.assert_allclose(np.exp(kept.log_p(temperature)), expected, rtol=2e-5)
        left = 1 - expected.sum(axis=1) if k < vocabulary else np.zeros(5)
        np.testing.assert_allclose(np.exp(kept.tail(temperature)), left, atol=2e-6)


def test_half_precision_costs_less_than_a_ten_thousandth_and_nothing_of_the_likeliest() -> None:
    z = logits(200, 5000)
    kept = stored(z, TopK(k=64, temperatures=(1.0,), dtype="float16"))
    p = np.exp(log_softmax(z, axis=1))
    expected = np.take_along_axis(p, kept.ids, axis=1)
    found = np.exp(kept.log_p(1.0))
    assert np.abs(found - expected).max() < 1e-4
    np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=1e-5)


def test_the_mass_left_out_at_another_temperature_does_not_follow_from_that_at_one() -> None:
    """Log-probabilities at T = 1 are of no use at T = 4: the bucket softens as many, not as one."""
    kept = truncate(logits(200, 500), TopK(k=16, temperatures=(1.0, 4.0)))
    guessed = np.exp(np.column_stack([kept.log_p(1.0), kept.tail(1.0)]) / 4)
    as_one = (guessed[:, -1] / guessed.sum(axis=1)).mean()
    assert np.exp(kept.tail(4.0)).mean() - as_one > 0.5


@pytest.mark.parametrize("temperature", [3.0, 0.999])
def test_a_temperature_that_was_not_declared_is_refused(temperature: float) -> None:
    kept = truncate(logits(2, 9), TopK(k=3, temperatures=(1.0, 2.0)))
    for ask in (kept.log_p, kept.tail):
        with pytest.raises(DataError, match=r"T = \S+ cannot be had .* truncated for T = 1, 2"):
            ask(temperature)


@pytest.mark.parametrize(
    ("k", "vocabulary", "dtype", "temperatures", "expected"),
    [
        (64, 128256, "float16", 1, 268),  # dense float16 takes 256,512
        (64, 128256, "float16", 5, 284),
        (64, 128256, "float32", 1, 396),
        (16, 500, "float16", 1, 54),
        (16, 3, "float32", 1, 17),
    ],
)
def test_a_position_takes_as_many_bytes_as_is_said(
    k: int, vocabulary: int, dtype: Width, temperatures: int, expected: int
) -> None:
    top = TopK(k=k, temperatures=GRID[:temperatures], dtype=dtype)
    kept = truncate(logits(2, vocabulary), top)
    assert pack(kept, top).shape == (2, expected)
    assert bytes_per_position(top, vocabulary) == expected


def test_masked_and_missing_logits_pass_through() -> None:
    z = np.array([[0.0, -1e9, 1.0], [np.nan, 0.0, 1.0], [0.0, -np.inf, 1.0], [np.inf, 0.0, 0.0]])
    kept = stored(z, TopK(k=3, temperatures=(1.0,), dtype="float16"))
    assert np.exp(kept.log_p(1.0))[0].round(4).tolist() == [0.7311, 0.2689, 0.0]
    assert np.isnan(kept.logits[[1, 3]]).all()
    assert np.isnan(kept.norms[[1, 3]]).all()
    assert np.exp(kept.log_p(1.0))[2].round(4).tolist() == [0.7311, 0.2689, 0.0]


def test_kept_logits_come_back_at_their_places() -> None:
    z = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    dense = truncate(z, TopK(k=2, temperatures=(1.0,))).dense()
    assert dense.tolist() == [[0.0, -np.inf, -1.0], [-np.inf, 0.0, -1.0]]


def test_each_position_by_itself_is_the_same() -> None:
    top = TopK(k=2, temperatures=(1.0, 2.0))
    kept = truncate(logits(3, 5), top)
    packed = np.concatenate([pack(one, top) for one in kept.each()])
    assert np.array_equal(packed, pack(kept, top))
