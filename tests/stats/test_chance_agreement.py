"""Moments of agreement by chance, against every deal there is."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.stats.chance_agreement import ChanceAgreement, chance_agreement

Pairs = list[tuple[int, int]]
codes = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=6)


@given(codes)
def test_the_moments_are_those_of_all_deals(pairs: Pairs) -> None:
    one, other = zip(*pairs, strict=True)
    deals = [sum(a == b for a, b in zip(one, deal, strict=True)) for deal in permutations(other)]
    found = chance_agreement(one, other, [0] * len(one))
    assert found.expected == pytest.approx(np.mean(deals))
    assert found.sd == pytest.approx(np.std(deals), abs=1e-9)
    assert found.same == sum(a == b for a, b in pairs)


def of(rows: Pairs, stratum: list[int]) -> ChanceAgreement:
    return chance_agreement([one for one, _ in rows], [other for _, other in rows], stratum)


@given(codes, codes)
def test_strata_are_dealt_apart(first: Pairs, second: Pairs) -> None:
    parts = [of(rows, [0] * len(rows)) for rows in (first, second)]
    stratum = [0] * len(first) + [1] * len(second)
    both = of(first + second, stratum)
    assert both.expected == pytest.approx(sum(part.expected for part in parts))
    assert both.sd == pytest.approx(np.sqrt(sum(part.sd**2 for part in parts)), abs=1e-9)


def test_no_rows_agree_on_nothing() -> None:
    assert chance_agreement([], [], []).n == 0


def test_lengths_must_fit() -> None:
    with pytest.raises(ValueError, match="same rows"):
        chance_agreement([0], [0, 1], [0])
