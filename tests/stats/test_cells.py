import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.stats import cells as module
from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.cells import cell_sums, encode, multinomial_bootstrap

some = settings(deadline=None, max_examples=50, derandomize=True)
columns = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-3, 3), min_size=n, max_size=n),
        st.lists(st.sampled_from("abc"), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n),
        st.lists(st.sampled_from([0, 10**15, -(10**15)]), min_size=n, max_size=n),
    )
)


class TestEncoding:
    @given(columns)
    @some
    def test_rows_share_a_cell_exactly_when_they_agree(
        self, given: tuple[list[int], list[str], list[bool], list[int]]
    ) -> None:
        cells = encode(given)
        rows = list(zip(*given, strict=True))
        names = sorted(set(rows))
        assert [names[code] for code in cells.codes] == rows
        assert list(zip(*(level.tolist() for level in cells.levels), strict=True)) == names

    def test_many_wide_columns_do_not_overflow(self) -> None:
        rng = np.random.default_rng(0)
        wide = [rng.integers(0, 2**60, 1000) for _ in range(6)]
        assert encode(wide).codes.max() == 999

    def test_a_million_rows_are_cheap(self) -> None:
        rng = np.random.default_rng(0)
        wide = [rng.integers(0, 5, 1_000_000) for _ in range(4)]
        start = time.process_time()
        encode(wide)
        assert time.process_time() - start < 2  # 0.1 s on the slowest machine it was tried on

    def test_what_does_not_fit_is_refused(self) -> None:
        with pytest.raises(ValueError, match="of one length"):
            encode([])
        with pytest.raises(ValueError, match="of one length"):
            encode([[1, 2], [1]])
        with pytest.raises(ValueError, match="no rows"):
            encode([[]])


class TestSums:
    @given(columns)
    @some
    def test_they_add_up(self, given: tuple[list[int], list[str], list[bool], list[int]]) -> None:
        cells = encode(given)
        assert cell_sums(cells).sum() == len(given[0])
        assert cell_sums(cells, given[0]).sum() == sum(given[0])

    def test_weights_that_do_not_fit_are_refused(self) -> None:
        cells = encode([[1, 2]])
        for weights in ([1.0], [1.0, np.nan]):
            with pytest.raises(ValueError, match="a finite number per row, 2"):
                cell_sums(cells, weights)


def rate(sums: FloatArray) -> FloatArray:
    return sums[:, 0] / sums[:, 1]


class TestBootstrap:
    def test_it_spreads_as_resampled_rows_do(self) -> None:
        rng = np.random.default_rng(0)
        right, inside = rng.random(3000) < 0.8, rng.random(3000) < 0.3
        cells = encode([right, inside])
        level_right, level_inside = cells.levels
        per_row = np.stack([level_right & level_inside, level_inside], axis=1).astype(np.float64)
        draws = multinomial_bootstrap(cell_sums(cells), per_row, rate, replicates=4000, rng=rng)
        rows = rng.integers(3000, size=(2000, 3000))
        resampled = (right & inside)[rows].sum(axis=1) / inside[rows].sum(axis=1)
        assert draws.mean() == pytest.approx(right[inside].mean(), abs=0.001)
        assert draws.std() == pytest.approx(resampled.std(), rel=0.06)

    def test_every_draw_has_as_many_rows_as_the_data(self) -> None:
        draws = multinomial_bootstrap(
            [3, 0, 9], np.eye(3), lambda s: s, replicates=50, rng=np.random.default_rng(0)
        )
        assert (draws.sum(axis=1) == 12).all()
        assert (draws[:, 1] == 0).all()

    def test_chunks_do_not_change_the_draws(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole, parts = (
            (monkeypatch.setattr(module, "CHUNK_BYTES", size), draw_some())[1]
            for size in (10**8, 500)
        )
        assert whole.tolist() == parts.tolist()

    @pytest.mark.parametrize(
        ("counts", "rows", "replicates", "message"),
        [
            ([0, 0], 2, 5, "not all 0"),
            ([1.5, 1], 2, 5, "whole"),
            ([-1, 2], 2, 5, "whole"),
            ([1, 2], 3, 5, "needs"),
            ([1, 2], 2, 0, "needs"),
        ],
    )
    def test_what_cannot_be_resampled_is_refused(
        self, counts: list[float], rows: int, replicates: int, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            multinomial_bootstrap(
                counts,
                np.ones((rows, 2)),
                rate,
                replicates=replicates,
                rng=np.random.default_rng(0),
            )


def draw_some() -> FloatArray:
    return multinomial_bootstrap(
        [5, 9], np.eye(2), lambda s: s, replicates=99, rng=np.random.default_rng(0)
    )
