"""Many groups at once say what one group at a time says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.stats.grouped_means import CellSums, grouped_contrasts, grouped_means
from kdaudit.stats.means import JointMeans, joint_contrast, joint_means

Array = np.ndarray[Any, Any]
GROUPS = 4


@st.composite
def designs(draw: st.DrawFn) -> dict[str, Any]:
    """Rows of a few groups, one of them perhaps without rows, clustered and weighted or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 60))
    series = draw(st.integers(1, 3))
    scores = rng.random((series, n)) if draw(st.booleans()) else rng.integers(0, 2, (series, n))
    return {
        "scores": draw(
            st.sampled_from([scores, 100 * scores, scores + 10, scores < 0.6, scores > 2])
        ),
        "codes": rng.integers(draw(st.integers(-1, 1)), draw(st.integers(2, GROUPS + 2)), n),
        "clusters": rng.integers(0, draw(st.integers(1, n)), n) * draw(st.sampled_from([1, 999]))
        if draw(st.booleans())
        else None,
        "weights": rng.choice([0.0, 0.1, 1.0, 7.0], n) if draw(st.booleans()) else None,
    }


def part(design: dict[str, Any], rows: Array) -> dict[str, Any]:
    return {k: None if design[k] is None else design[k][rows] for k in ("clusters", "weights")}


def alike(found: JointMeans | None, one: JointMeans | None, scale: float) -> None:
    if one is None or found is None:
        assert one is None
        assert found is None
        return
    assert found.mean == pytest.approx(one.mean, rel=1e-12, abs=1e-12 * scale)
    assert found.covariance == pytest.approx(one.covariance, rel=1e-12, abs=1e-12 * scale**2)
    assert (found.n, found.clusters) == (one.n, one.clusters)
    assert (found.df, found.effective, found.largest) == pytest.approx(
        (one.df, one.effective, one.largest), rel=1e-12, abs=1e-12
    )


@given(designs())
@settings(deadline=None)
def test_means_of_many_groups_are_those_of_each(design: dict[str, Any]) -> None:
    codes, scores = design["codes"], design["scores"]
    found = grouped_means(
        scores, codes, GROUPS, clusters=design["clusters"], weights=design["weights"]
    )
    for group, one in enumerate(found):
        rows = codes == group
        expected = joint_means(scores[:, rows], **part(design, rows)) if rows.any() else None
        alike(one, expected, float(np.abs(scores).max()))
    assert len(found) == GROUPS


@given(designs())
@settings(deadline=None)
def test_contrasts_of_many_groups_are_those_of_each(design: dict[str, Any]) -> None:
    codes, scores = design["codes"], design["scores"]
    more = {k: design[k] for k in ("clusters", "weights")}
    found = grouped_contrasts(scores, codes, GROUPS, **more)
    for group, one in enumerate(found):
        inside, rest = codes == group, (codes != group) & (codes >= 0)
        expected = joint_contrast(scores, group=inside, rest=rest, **more)
        alike(one, expected, float(np.abs(scores).max()))
    assert len(found) == GROUPS


@given(designs(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_groups_made_of_cells_are_those_of_the_rows(design: dict[str, Any], seed: int) -> None:
    cells, scores = design["codes"], np.asarray(design["scores"])
    group = np.random.default_rng(seed).integers(-1, GROUPS, GROUPS + 2)
    codes = np.where(cells >= 0, group[cells], -1)
    sums = CellSums(scores, cells, len(group))
    scale = float(np.abs(scores).max())
    for found, expected in (
        (sums.means(group, GROUPS), grouped_means(scores, codes, GROUPS)),
        (sums.contrasts(group, GROUPS), grouped_contrasts(scores, codes, GROUPS)),
    ):
        assert len(found) == GROUPS
        for one, other in zip(found, expected, strict=True):
            alike(one, other, scale)


def test_a_rest_that_does_not_vary_has_no_variance_left_by_rounding() -> None:
    # The group has nearly all rows and all the spread: total less group would not give zero.
    rng = np.random.default_rng(0)
    scores = np.append(rng.random(20_000), np.full(30, 0.1))[None]
    codes = np.append(np.zeros(20_000, np.int64), np.arange(30) % 3 + 1)
    first = grouped_contrasts(scores, codes, 1)[0]
    alone = joint_means(scores[:, codes == 0])
    assert first is not None
    assert alone is not None
    assert first.covariance == pytest.approx(alone.covariance, rel=1e-12)


def test_the_scale_of_the_weights_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    scores, codes, weights = rng.random((1, 60)), np.arange(60) % 3, rng.random(60)
    for several in (grouped_means, grouped_contrasts):
        first, *others = (
            several(scores, codes, 3, weights=weights * k) for k in (1, 1e-300, 1e300)
        )
        for other in others:
            for one, same in zip(first, other, strict=True):
                alike(same, one, 1.0)


def test_a_row_without_a_group_is_in_no_rest_and_one_beyond_the_last_is() -> None:
    scores, codes = [[1.0, 0.0, 1.0, 0.0, 1.0, 1.0]], np.array([0, 0, 1, 1, -1, -1])
    without, beyond = (grouped_contrasts(scores, c, 1)[0] for c in (codes, codes % 9))
    assert without is not None
    assert beyond is not None
    assert (without.mean[0], beyond.mean[0]) == (0.0, -0.25)


def test_no_rows_say_nothing() -> None:
    for several in (grouped_means, grouped_contrasts):
        for clusters in (None, np.zeros(0, np.int64)):
            nothing = np.zeros(0, np.int64)
            assert several(np.zeros((2, 0)), nothing, 2, clusters=clusters) == [None, None]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scores": [0.0, 1.0]}, "one entry per row"),
        ({"codes": [0, 0, 0]}, "one entry per row"),
        ({"scores": [[0.0, np.nan]]}, "finite"),
        ({"weights": [1.0, -1.0]}, "weights are finite and not negative"),
        ({"weights": [1.0]}, "one entry per row"),
        ({"clusters": [1]}, "one entry per row"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"scores": [[0.0, 1.0]], "codes": [0, 0], "groups": 1} | changed
    for several in (grouped_means, grouped_contrasts):
        with pytest.raises(ValueError, match=words):
            several(**given)
