"""Swap protected terms in texts: what would the model have said of the other group?

One map, applied to all words at once: "he" and "she" change places in the same pass, so swapping
twice gives the text back. Words are whole words; their case is kept.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kdaudit.errors import ConfigError


def swap_map(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Every spelling of every term, and what takes its place.

    Three spellings of a term are swapped: lower case, with a capital, and in capitals; any other,
    such as "hE", stays, since it could not be swapped back.

    Args:
        pairs: terms that change places; a term stands in one pair only.

    Raises:
        ConfigError: naming the term that stands twice or is empty.

    >>> swap_map([("he", "she")])
    {'he': 'she', 'she': 'he', 'He': 'She', 'She': 'He', 'HE': 'SHE', 'SHE': 'HE'}
    >>> swap_map([("his", "her"), ("him", "her")])
    Traceback (most recent call last):
    kdaudit.errors.ConfigError: [data.counterfactual] swaps 'her' twice; a term stands in one pair
    """
    terms = [term.strip().lower() for pair in pairs for term in pair]
    for term in terms:
        if not term:
            raise ConfigError("[data.counterfactual] swaps an empty term; write words")
        if terms.count(term) > 1:
            raise ConfigError(
                f"[data.counterfactual] swaps {term!r} twice; a term stands in one pair"
            )
    found: dict[str, str] = {}
    for spell in (str.lower, _capital, str.upper):
        for one, other in pairs:
            x, y = spell(one.strip()), spell(other.strip())
            if x not in found and y not in found:
                found[x], found[y] = y, x
    return found


def swapped(
    texts: npt.NDArray[np.object_], terms: dict[str, str]
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.bool_]]:
    """The texts with all terms swapped, and which texts that changed.

    Args:
        texts: (N,) strings, None where a cell is empty.
        terms: from `swap_map`.

    >>> texts, changed = swapped(np.array(["He said the theme", "no"], object),
    ...                          swap_map([("he", "she")]))
    >>> texts.tolist(), changed.tolist()
    (['She said the theme', 'no'], [True, False])
    """
    # Longest first, so that a term of two words goes before its first word.
    words = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
    out = np.full(len(texts), None, dtype=object)
    out[:] = [
        None if text is None else pattern.sub(lambda m: terms[m[0]], str(text))
        for text in texts.tolist()
    ]
    return out, np.asarray(out != texts, dtype=np.bool_)


def _capital(term: str) -> str:
    return term[:1].upper() + term[1:].lower()
