import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.stats.arrays import FloatArray
from kdaudit.stats.clusters import correction, degrees_of_freedom, design

exhaustive = settings(deadline=None, max_examples=100, derandomize=True)
masses = st.lists(st.floats(0.02, 50.0), min_size=2, max_size=30).map(np.array)


def expected_sandwich(share: FloatArray, variance: FloatArray) -> float:
    """E Σ p²(x - m)² of independent units, by the variance of each residual."""
    return float((share**2 * (variance * (1 - 2 * share) + (share**2 * variance).sum())).sum())


class TestDesign:
    @given(masses)
    @exhaustive
    def test_it_counts_by_the_shares(self, mass: FloatArray) -> None:
        share = mass / mass.sum()
        found = design(mass)
        assert found.units.tolist() == [len(mass)]
        assert found.effective[0] == pytest.approx(1 / (share**2).sum())
        assert found.largest[0] == pytest.approx(share.max())
        assert 1 <= found.effective[0] <= len(mass) * (1 + 1e-12)

    @given(masses, st.integers(0, 10_000))
    @exhaustive
    def test_groups_are_counted_each_for_itself(self, mass: FloatArray, seed: int) -> None:
        group = np.random.default_rng(seed).integers(0, 3, len(mass))
        together = design(mass, group, 4)
        for number in range(4):
            alone = design(mass[group == number])
            for name in ("units", "effective", "largest"):
                assert getattr(together, name)[number] == pytest.approx(getattr(alone, name)[0])

    def test_units_of_no_mass_are_none(self) -> None:
        found = design([2.0, 0.0, 2.0, 0.0], [0, 0, 0, 1], 2)
        assert found.units.tolist() == [2, 0]
        assert found.effective.tolist() == [2, 0]
        assert found.largest.tolist() == [0.5, 1]

    @pytest.mark.parametrize("scale", [1e-300, 1e300])
    def test_the_scale_of_weights_does_not_matter(self, scale: float) -> None:
        assert design([scale, scale / 2]).effective[0] == pytest.approx(1.8)

    @pytest.mark.parametrize("mass", [[-1.0], [np.nan], [np.inf]])
    def test_what_is_no_mass_is_refused(self, mass: list[float]) -> None:
        with pytest.raises(ValueError, match="finite and not negative"):
            design(mass)

    def test_shapes_must_fit(self) -> None:
        with pytest.raises(ValueError, match="entries"):
            design([1.0, 2.0], [0])


class TestCorrection:
    @pytest.mark.parametrize("units", [2, 8, 100])
    def test_of_equal_units_it_is_the_usual_one(self, units: int) -> None:
        assert correction(units, 1 / units) == pytest.approx(units / (units - 1))

    @given(masses, st.integers(0, 10_000))
    @exhaustive
    def test_the_variance_is_too_small_for_no_variances_of_the_units(
        self, mass: FloatArray, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        share = mass / mass.sum()
        found = design(mass)
        factor = float(correction(found.effective, found.largest)[0])
        for variance in (
            np.ones(len(mass)),
            1 / share,  # rows within units are independent
            rng.random(len(mass)),
            np.eye(len(mass))[int(share.argmax())],  # the worst: all of it in the heaviest unit
        ):
            truth = float((share**2 * variance).sum())
            assert factor * expected_sandwich(share, variance) >= truth * (1 - 1e-9)

    def test_it_is_no_larger_than_it_must_be(self) -> None:
        share = np.array([0.4, 0.3, 0.2, 0.1])
        found = design(share)
        factor = float(correction(found.effective, found.largest)[0])
        heavy = np.array([1.0, 0.0, 0.0, 0.0])
        assert factor * expected_sandwich(share, heavy) == pytest.approx(0.4**2, rel=0.5)
        only = expected_sandwich(np.full(4, 0.25), np.arange(4.0))
        assert 4 / 3 * only == pytest.approx(0.25**2 * 6)

    def test_a_lone_unit_says_nothing(self) -> None:
        assert correction(1, 1) == np.inf

    def test_degrees_of_freedom_are_one_fewer(self) -> None:
        assert degrees_of_freedom([30.0, 8.5]).tolist() == [29, 7.5]
