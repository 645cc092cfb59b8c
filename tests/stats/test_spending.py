"""Alpha spending: published shares, and that all looks together spend alpha."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.stats.spending import Spending, spent

KINDS = st.sampled_from(["pocock", "obrien-fleming"])


def test_the_shares_of_four_looks() -> None:
    """Lan and DeMets (1983), one-sided alpha = 0.025: as R's gsDesign 3.6 prints ``spend``.

    sfLDOF at 1/4 .. 4/4: 0.0000, 0.0015, 0.0096, 0.0250 cumulated; sfLDPocock: 0.0089, 0.0155,
    0.0207, 0.0250.
    """
    parts = (0.25, 0.5, 0.75, 1.0)
    late = [spent(0.025, part, "obrien-fleming") for part in parts]
    even = [spent(0.025, part, "pocock") for part in parts]
    assert late == pytest.approx([0.0000, 0.0015, 0.0096, 0.0250], abs=5e-5)
    assert even == pytest.approx([0.0089, 0.0155, 0.0207, 0.0250], abs=5e-5)


@given(alpha=st.floats(0.001, 0.49), looks=st.integers(1, 60), kind=KINDS)
def test_all_looks_together_spend_alpha(alpha: float, looks: int, kind: Spending) -> None:
    gone = [spent(alpha, look / looks, kind) for look in range(looks + 1)]
    assert gone[0] == 0
    assert gone[-1] == pytest.approx(alpha, rel=1e-9)
    assert all(later >= earlier for earlier, later in pairwise(gone))


@pytest.mark.parametrize(("alpha", "part"), [(0, 0.5), (1, 0.5), (0.05, -0.1), (0.05, 1.1)])
def test_numbers_out_of_range(alpha: float, part: float) -> None:
    with pytest.raises(ValueError, match="alpha lies in"):
        spent(alpha, part, "pocock")


def test_not_a_number() -> None:
    with pytest.raises(ValueError, match="alpha lies in"):
        spent(math.nan, 0.5, "pocock")
