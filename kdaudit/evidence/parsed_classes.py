"""What class a language model's answer names: a rule, so that the same text is the same class.

The answer, or its first line, must be the name of one class and nothing else: more than that is
not read into it. Where no name fits as it is, case, white space, and quotes, punctuation and
Markdown around the name do not matter, in this order.
"""

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from kdaudit.evidence.kinds import Strings

Form = Callable[[str], str]


def parsed(texts: Strings, classes: Sequence[str]) -> Strings:
    r"""The class that each answer names.

    Args:
        texts: (N,) answers, None where there is none.
        classes: different names.

    Returns:
        (N,) names out of ``classes``; None where the answer is missing, names no class, or lines
        of it name several.

    >>> said = ["**Yes**.", "no\n\nIt is too late.", "Yes and no", "yes\nno", None]
    >>> parsed(np.array(said, dtype=object), ["yes", "no"]).tolist()
    ['yes', 'no', None, None, None]
    """
    names = [_Names(classes, form) for form in (_trimmed, _folded, _bare)]
    labels = np.full(len(texts), None, dtype=object)
    for row, text in enumerate(texts):
        if text is not None:
            labels[row] = _class(text, names)
    return labels


class _Names:
    """Classes by one form of their names; a form that several share names none of them."""

    def __init__(self, classes: Sequence[str], form: Form) -> None:
        self.form = form
        forms = [form(name) for name in classes]
        self.known = {
            one: name if forms.count(one) == 1 else None
            for one, name in zip(forms, classes, strict=True)
            if one
        }


def _class(text: str, names: Sequence[_Names]) -> str | None:
    whole = _named(text, names)
    if whole is not None:
        return whole
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    first = _named(lines[0], names)
    others = {_named(line, names) for line in lines[1:]}
    return first if others <= {first, None} else None


def _named(text: str, names: Sequence[_Names]) -> str | None:
    for one in names:
        form = one.form(text)
        if form in one.known:
            return one.known[form]
    return None


def _trimmed(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _folded(text: str) -> str:
    return _trimmed(unicodedata.normalize("NFKC", text).casefold())


def _bare(text: str) -> str:
    """Without punctuation, quotes and Markdown around it."""
    folded = _folded(text)
    inside = [i for i, letter in enumerate(folded) if not _around(letter)]
    return folded[inside[0] : inside[-1] + 1] if inside else ""


def _around(letter: str) -> bool:
    return letter.isspace() or letter == "`" or unicodedata.category(letter).startswith("P")
