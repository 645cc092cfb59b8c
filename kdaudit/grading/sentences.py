"""Sentences of a text, as far as full stops tell."""

import re

SHORT = "dr mr mrs ms st jr sr prof vs no mt ft e.g i.e etc ca approx"
ABBREVIATED = frozenset(SHORT.split())
END = re.compile(r"(?:[.!?]+[\"'”’)\]]*(?=\s|$))|\n+")


def sentences(text: str) -> tuple[tuple[str, bool], ...]:
    r"""Each sentence or line, and whether it has an end; the last may stop in the middle.

    >>> sentences("J. R. R. Tolkien did. He was born in")
    (('J. R. R. Tolkien did.', True), ('He was born in', False))
    >>> sentences("Paris\n")
    (('Paris', True),)
    """
    found: list[tuple[str, bool]] = []
    start = 0
    for end in END.finditer(text):
        words = text[start : end.start()].split()
        if end.group().startswith(".") and words and _abbreviates(words[-1]):
            continue
        if words:
            found.append((text[start : end.end()].strip(), True))
        start = end.end()
    rest = text[start:].strip()
    return (*found, (rest, False)) if rest else tuple(found)


def _abbreviates(word: str) -> bool:
    bare = word.lstrip("(\"'“‘").casefold()
    return (len(bare) == 1 and bare.isalpha()) or bare in ABBREVIATED
