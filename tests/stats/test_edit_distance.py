"""The bit-parallel distance is that of the plain table."""

from hypothesis import example, given
from hypothesis import strategies as st

from kdaudit.stats.edit_distance import edit_distance, similarity

TEXTS = st.text("abcé ", max_size=70)  # longer than a machine word


def plain(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


@given(TEXTS, TEXTS)
@example("", "")
@example("a" * 65, "a" * 64)
def test_it_is_the_distance_of_the_table(one: str, other: str) -> None:
    assert edit_distance(one, other) == plain(one, other)


@given(TEXTS, TEXTS, TEXTS)
def test_it_is_a_distance(one: str, other: str, third: str) -> None:
    assert edit_distance(one, other) == edit_distance(other, one)
    assert (edit_distance(one, other) == 0) == (one == other)
    assert edit_distance(one, third) <= edit_distance(one, other) + edit_distance(other, third)
    assert 0 <= similarity(one, other) <= 1
