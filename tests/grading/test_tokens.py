"""One spelling for numbers, dates and words, so that equal things compare equal."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.grading.tokens import position, tokens, values


@pytest.mark.parametrize(
    "spellings",
    [
        ("4 July 1776", "July 4, 1776", "1776-07-04", "the 4th of July 1776", "Jul. 4 1776"),
        ("25/12/2020", "12/25/2020", "25.12.2020", "December 25th, 2020"),
        ("Sept. 1939", "September 1939", "sep 1939"),
        ("1,250", "1250", "1250.0", "1250.00"),
        ("1.2 million", "1,200,000", "1200000"),
        ("twenty-one", "21", "Twenty One"),
        ("third", "3rd"),
        ("The U.S.", "US", "u.s."),
        ("São Paulo", "sao paulo", "SAO-PAULO"),
        ("Beyoncé's", "beyonce"),
        ("two thousand", "2000"),
    ],
)
def test_what_is_the_same_has_the_same_tokens(spellings: tuple[str, ...]) -> None:
    assert len({values(one) for one in spellings}) == 1, [values(one) for one in spellings]


@pytest.mark.parametrize(
    ("one", "other"),
    [("1912", "1913"), ("4 July 1776", "7 April 1776"), ("-5", "5"), ("1.5", "15"), ("B12", "12")],
)
def test_what_differs_has_other_tokens(one: str, other: str) -> None:
    assert values(one) != values(other)


def test_an_ambiguous_date_stays_as_it_is_written() -> None:
    assert tokens("04/07/1776") == (("date", "04/07/1776"),)
    assert values("04/04/1776") == ("1776-04-04",)


def test_a_year_is_found_in_its_dates_and_nowhere_else() -> None:
    assert position(values("It was on 4 July 1776."), ("1776",)) >= 0
    assert position(values("It was on 4 July 1777."), ("1776",)) == -1
    assert position(values("It has 17761 rows."), ("1776",)) == -1


@given(st.text(string.printable + "éß’ω中", max_size=60))
def test_normalising_again_changes_nothing(text: str) -> None:
    once = [token.value for token in tokens(text) if token.kind == "word"]
    assert all(value == value.casefold() for value in once)
    assert values(" ".join(once)) == values(" ".join(values(" ".join(once))))
