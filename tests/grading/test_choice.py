"""Which choice an answer picks: strict, so that what is unclear is missing and not a guess."""

import pytest

from kdaudit.grading.choice import picked

PEOPLE = ("The grandfather", "The grandson", "Can't be determined")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("B", 1),
        ("(b)", 1),
        (" C.", 2),
        ("(A) The grandfather", 0),
        ("B: the grandson", 1),
        ("A. The grandfather was.", 0),
        ("The answer is (B).", 1),
        ("Answer: C", 2),
        ("the grandson", 1),
        ("It was the grandson, of course.", 1),
        ("It can't be determined from the text.", 2),
        ("I don't know.", 2),
        ("I can't say whether it was the grandfather or the grandson.", 2),
        # Nothing single is picked:
        ("", None),
        ("A grandfather or a grandson", None),
        ("(A) The grandson", None),
        ("(A) or (B)", None),
        ("D", None),
        ("I don't know, but the grandfather I guess", None),
        ("Somebody else.", None),
        ("A nice day.", None),
    ],
)
def test_it_picks_one_choice_or_none(text: str, wanted: int | None) -> None:
    assert picked(text, PEOPLE, 2) == wanted


def test_a_choice_within_another_is_not_picked_twice() -> None:
    choices = ("The man", "The old man", "Unknown")
    assert picked("the old man", choices, 2) == 1
    assert picked("the man", choices, 2) == 0


def test_without_a_way_out_declining_picks_nothing() -> None:
    assert picked("I don't know.", ("He is a nurse.", "She is a nurse.")) is None
