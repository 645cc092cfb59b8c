"""An answer in words names one class, or none."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.evidence.parsed_classes import parsed


def one(text: str | None, *classes: str) -> Any:
    return parsed(np.array([text], dtype=object), classes)[0]


@pytest.mark.parametrize(
    "text",
    [
        "yes", "Yes", " YES\n", "**yes**", "`yes`", '"Yes."', "“yes”", "(yes)", "- yes", "yes!",
        "*Yes*:", "ｙｅｓ", "yes\n\nBecause no is too little.", "\n\n**Yes.**\nIt fits: no doubt",
        "yes\nyes",
    ],
)  # fmt: skip
def test_a_name_stands_alone_or_on_the_first_line(text: str) -> None:
    assert one(text, "yes", "no") == "yes"


@pytest.mark.parametrize(
    "text",
    [
        None, "", "  \n", "maybe", "yes and no", "yes or no", "yes, because", "I say yes", "yess",
        "yes\nno", "yes\n\n**No.**", "Because it fits.\nyes", "Answer: yes", "y es", "...",
    ],
)  # fmt: skip
def test_anything_else_is_no_class(text: str | None) -> None:
    assert one(text, "yes", "no") is None


def test_signs_and_case_that_tell_classes_apart_are_kept() -> None:
    languages = ("C", "C++", "C#", "c")
    assert [one(text, *languages) for text in ("C", "C++", "**C#**", "c")] == [
        "C", "C++", None, "c",
    ]  # fmt: skip
    assert one("`C`", "C", "C++") == "C"
    assert one("c++.", "C", "C++") == "C++"
    assert one("+", "+", "-") == "+"
    assert one("+.", "+", "-") == "+"
    assert one("$", "$", "€") == "$"


def test_a_name_of_several_words_and_signs() -> None:
    assert one('"Card  Not\nWorking"', "card not working", "other") == "card not working"
    assert one("card_not_working", "card_not_working", "card") == "card_not_working"
    assert one("Straße", "STRASSE", "x") == "STRASSE"
    assert one("U.S.", "U.S.", "US") == "U.S."


names = st.lists(st.text(min_size=1).filter(lambda t: t.strip()), min_size=2, max_size=4).filter(
    lambda some: len({" ".join(name.split()) for name in some}) == len(some)
)


@given(names, st.data())
def test_the_name_itself_names_its_class_and_every_answer_one_or_none(
    classes: list[str], data: st.DataObject
) -> None:
    import unicodedata

    if len({" ".join(unicodedata.normalize("NFC", n).split()) for n in classes}) < len(classes):
        return
    name = data.draw(st.sampled_from(classes))
    assert one(name, *classes) == name
    assert one(f"  {name}\n", *classes) == name
    assert one(data.draw(st.text()), *classes) in (*classes, None)
