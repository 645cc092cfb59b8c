import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.stats.levels import levels


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40))
def test_levels_are_what_unique_and_counting_give(rows: list[tuple[int, bool]]) -> None:
    claimed = np.array([p for p, _ in rows]) / 6
    happened = np.array([y for _, y in rows])
    found = levels(claimed, happened)
    values, codes, counts = np.unique(claimed, return_inverse=True, return_counts=True)
    assert found.claimed.tolist() == values.tolist()
    assert found.rows.tolist() == found.mass.tolist() == counts.tolist()
    assert found.happened.tolist() == np.bincount(codes, happened).tolist()
    assert found.by_row(values).tolist() == claimed.tolist()


def test_weights_are_summed_by_level() -> None:
    found = levels([0.5, 0.9, 0.5], [1, 1, 0], [2.0, 0.0, 3.0])
    assert (found.rows.tolist(), found.mass.tolist(), found.happened.tolist()) == (
        [2, 1],
        [5.0, 0.0],
        [2.0, 0.0],
    )


@pytest.mark.parametrize(
    ("claimed", "happened", "weights", "words"),
    [
        ([0.5], [1, 0], None, "one row each"),
        ([0.5, float("nan")], [1, 0], None, "claims are finite"),
        ([], [], None, "at least one row"),
        ([0.5, 0.6], [1, 0], [0.0, 0.0], "at least one row has weight"),
        ([0.5, 0.6], [1, 0], [1.0], "one per row"),
    ],
)
def test_what_does_not_fit_is_refused(
    claimed: list[float], happened: list[int], weights: list[float] | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        levels(claimed, happened, weights)
