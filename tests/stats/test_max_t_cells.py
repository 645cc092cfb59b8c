import numpy as np
import pytest

from kdaudit.stats import max_t
from kdaudit.stats.arrays import BoolArray, FloatArray, IntArray
from kdaudit.stats.max_t_cells import family_from_cells
from kdaudit.stats.multiplier import multiplier_draws


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def overlapping_slices(features: int, levels: int) -> BoolArray:
    """Mark single levels of features and pairs of them: (cells, slices)."""
    grid = np.indices((levels,) * features).reshape(features, -1)
    single = [grid[f] == level for f in range(features) for level in range(levels)]
    pairs = [
        (grid[f] == one) & (grid[g] == other)
        for f in range(features)
        for g in range(f)
        for one in range(levels)
        for other in range(levels)
    ]
    return np.array(single + pairs).T


def drawn(
    rng: np.random.Generator, slices: BoolArray, rows: int, discordance: float, harm: FloatArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Rows, sums of d and sums of d² per cell; ``harm`` shifts the mean of d down."""
    count = rng.multinomial(rows, np.full(slices.shape[0], 1 / slices.shape[0]))
    only_student = rng.binomial(count, discordance / 2)
    left = (discordance / 2 + harm) / (1 - discordance / 2)
    only_teacher = rng.binomial(count - only_student, left)
    return count, only_student - only_teacher, only_student + only_teacher


SLICES = overlapping_slices(4, 3)


def test_means_and_smoothed_errors_by_hand() -> None:
    held = [[True, False], [True, True]]
    family = family_from_cells([600, 400], [-6, -40], [30, 60], held, rng=generator())
    assert family.value.tolist() == [-46 / 1000, -40 / 400]
    variance = np.array([91 / 1002 - 0.046**2, 61 / 402 - 0.01])
    assert family.se == pytest.approx(np.sqrt(variance / [1000, 400]))


def test_the_joint_distribution_is_that_of_the_rows() -> None:
    count, total, squares = drawn(generator(1), SLICES, 4000, 0.2, np.zeros(81))
    family = family_from_cells(count, total, squares, SLICES, rng=generator())
    d = np.concatenate(
        [
            np.repeat([1.0, -1, 0], [(q + s) // 2, (q - s) // 2, n - q])
            for n, s, q in zip(count, total, squares, strict=True)
        ]
    )
    rows = SLICES[np.repeat(np.arange(81), count)]
    size = rows.sum(axis=0)
    influence = rows * (d[:, None] - family.value) / size
    covariance = influence.T @ influence
    joint = family.factor @ family.factor.T
    assert joint == pytest.approx(covariance / family.se / family.se[:, None], abs=1e-6)


def test_multipliers_draw_the_same_maxima() -> None:
    count, total, squares = drawn(generator(2), SLICES, 4000, 0.2, np.zeros(81))
    family = family_from_cells(count, total, squares, SLICES, rng=generator())
    by_d = np.concatenate([(squares - total) // 2, count - squares, (squares + total) // 2])
    values = np.repeat([-1.0, 0, 1], 81)[:, None]
    size = (count[:, None] * SLICES).sum(axis=0)
    influence = np.tile(SLICES, (3, 1)) * (values - family.value) / size / family.se
    draws = multiplier_draws(by_d, influence, replicates=20_000, rng=generator(3))
    for chance in (0.5, 0.9, 0.95):
        assert np.quantile(draws.max(axis=1), chance) == pytest.approx(
            np.quantile(family.highest, chance), abs=0.05
        )


def test_a_slice_without_differing_rows_does_not_take_over() -> None:
    held = np.eye(2, dtype=np.bool_)
    family = family_from_cells([5000, 60], [-10, 0], [500, 0], held, rng=generator())
    assert family.factor[1].tolist() == [0, 0]
    alone = family_from_cells([5000], [-10], [500], [[True]], rng=generator())
    assert max_t.upper(family, 0.05)[0] == pytest.approx(max_t.upper(alone, 0.05)[0], rel=0.01)


def test_cells_may_be_split_without_changing_anything() -> None:
    held = np.array([[True, False], [True, True]])
    one = family_from_cells([600, 400], [-6, -40], [30, 60], held, rng=generator())
    two = family_from_cells(
        [200, 400, 400], [-6, 0, -40], [10, 20, 60], held[[0, 0, 1]], rng=generator()
    )
    assert one.farthest.tolist() == two.farthest.tolist()


def family_wise(rows: int, discordance: float, *, runs: int) -> float:
    """Share of scans without any harm in which some slice is found harmed."""
    rng = generator(rows)
    found = 0
    for _ in range(runs):
        count, total, squares = drawn(rng, SLICES, rows, discordance, np.zeros(81))
        family = family_from_cells(count, total, squares, SLICES, rng=rng, draws=1000)
        found += bool((max_t.p_below(family, 0) <= 0.05).any())
    return found / runs


def test_scans_without_harm_find_none() -> None:
    # 66 slices; unadjusted, most scans would find one.
    assert family_wise(3000, 0.1, runs=120) <= 0.08


def test_a_harmed_slice_is_found() -> None:
    harm = np.where(SLICES[:, 20], 0.08, 0.0)
    count, total, squares = drawn(generator(7), SLICES, 20_000, 0.06, harm)
    family = family_from_cells(count, total, squares, SLICES, rng=generator())
    assert max_t.p_below(family, 0)[20] < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "discordance"), [(1000, 0.06), (20_000, 0.03), (100_000, 0.1)])
def test_scans_without_harm_find_none_at_many_sizes(rows: int, discordance: float) -> None:
    assert family_wise(rows, discordance, runs=1000) <= 0.07


@pytest.mark.parametrize(
    ("rows", "total", "squares", "held", "message"),
    [
        ([5], [0], [0], [[True], [True]], "needs"),
        ([5], [0], [0], [True], "needs"),
        ([-1], [0], [0], [[True]], "have these sums"),
        ([5], [0], [6], [[True]], "have these sums"),
        ([5], [3], [1], [[True]], "have these sums"),
        ([5, 0], [0, 0], [0, 0], [[True, False], [False, True]], "at least one row"),
    ],
)
def test_what_is_no_table_of_cells_is_refused(
    rows: list[int], total: list[int], squares: list[int], held: list[list[bool]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        family_from_cells(rows, total, squares, held, rng=generator())
