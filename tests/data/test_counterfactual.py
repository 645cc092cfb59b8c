"""Terms change places whole, in every spelling, and swapping twice gives the text back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.data.counterfactual import swap_map, swapped
from kdaudit.errors import ConfigError

PAIRS = [("he", "she"), ("his", "her"), ("Ali", "John Smith"), ("i", "we")]


def texts(*cells: str) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    return np.array(cells, dtype=object)


def test_only_whole_words_change_and_their_case_stays() -> None:
    given_texts = texts("He left his hat there.", "SHE, the chef", "Ali's; john smith", "hE", "")
    out, changed = swapped(given_texts, swap_map(PAIRS))
    expected = ["She left her hat there.", "HE, the chef", "John smith's; ali", "hE", ""]
    assert out.tolist() == expected
    assert changed.tolist() == [True, True, True, False, False]


words = st.sampled_from(["he", "She", "HIS", "her", "ali", "Ali", "John smith", "I", "WE", "We"])


@given(st.lists(st.one_of(words, st.text(max_size=6)), max_size=8))
def test_swapping_twice_gives_the_text_back(parts: list[str]) -> None:
    text = texts(" ".join(parts))
    terms = swap_map(PAIRS)
    once, changed = swapped(text, terms)
    assert swapped(once, terms)[0].tolist() == text.tolist()
    assert changed[0] == (once[0] != text[0])


@pytest.mark.parametrize("pairs", [[("a", "b"), ("B", "c")], [("a", "a")], [("a", " ")]])
def test_a_term_stands_in_one_pair(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(ConfigError, match=r"\[data.counterfactual\]"):
        swap_map(pairs)
