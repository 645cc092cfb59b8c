"""Largest values and sums of exponentials of segments, against plain loops."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from kdaudit.stats.segments import segment_logsumexp, segment_max

Rows = list[list[float]]
rows = st.lists(st.lists(st.floats(-1e6, 0), max_size=4), min_size=1, max_size=8)


def laid(found: Rows) -> tuple[list[float], list[int]]:
    return [x for row in found for x in row], [0, *np.cumsum([len(row) for row in found]).tolist()]


@given(rows)
def test_they_are_what_a_loop_finds(found: Rows) -> None:
    values, start = laid(found)
    largest = [max(row, default=-math.inf) for row in found]
    sums = [float(logsumexp(row)) if row else -math.inf for row in found]
    assert segment_max(values, start).tolist() == largest
    np.testing.assert_allclose(segment_logsumexp(values, start), sums, rtol=1e-12)


def test_nothing_underflows_and_zero_probability_is_minus_infinity() -> None:
    made = segment_logsumexp([-5000.0, -5000.0, -math.inf, -math.inf], [0, 2, 4])
    assert made[0] == -5000 + math.log(2)
    assert made[1] == -math.inf
