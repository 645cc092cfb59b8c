"""What an answer states that its source does not hold: numbers, dates, names, quotes, addresses.

High precision, low recall: a sentence without any of these can be unsupported and is not found.
"""

import re
from dataclasses import dataclass

from kdaudit.grading.tokens import position, tokens, values

NAME = re.compile(r"[^\W\d_a-zß-öø-ÿ][\w'’-]*")  # begins with a capital
QUOTE = re.compile(r"[\"“]([^\"“”]{3,}?)[\"”]")
ADDRESS = re.compile(r"(?:https?://|www\.)[^\s\"'<>)\]]+")
COMMON = (
    "i monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december mr mrs ms dr"
)
NO_NAMES = frozenset(COMMON.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """What a text states and its source does not hold, each as the text has it."""

    numbers: tuple[str, ...]
    dates: tuple[str, ...]
    names: tuple[str, ...]
    quotes: tuple[str, ...]
    addresses: tuple[str, ...]

    def __bool__(self) -> bool:
        return any((self.numbers, self.dates, self.names, self.quotes, self.addresses))


def unsupported(text: str, source: str, prompt: str = "") -> Unsupported:
    """Compare a text with its source.

    Args:
        text: what the model wrote.
        source: what it may say.
        prompt: what it was asked, whose numbers and names it may repeat.

    >>> found = unsupported("Ann Lee left Oslo on 3 May 2021 with 40 men.",
    ...                     "In May 2021 Ann Lee left Bergen with 40 men.")
    >>> found.dates, found.numbers, found.names
    (('2021-05-03',), (), ('Oslo',))
    """
    addresses = tuple(a.rstrip(".,;") for a in ADDRESS.findall(text))
    rest = ADDRESS.sub(" ", text)
    held = (*tokens(source), *tokens(prompt))
    known = frozenset(token.value for token in held)
    stated = dict.fromkeys(tokens(rest))
    return Unsupported(
        numbers=tuple(t.value for t in stated if t.kind == "number" and not _has(known, t.value)),
        dates=tuple(t.value for t in stated if t.kind == "date" and not _has(known, t.value)),
        names=tuple(dict.fromkeys(name for name in _names(rest) if _strange(name, known))),
        quotes=tuple(
            quote
            for quote in QUOTE.findall(rest)
            if position(values(source), values(quote)) < 0
            and position(values(prompt), values(quote)) < 0
        ),
        addresses=tuple(a for a in addresses if a not in source and a not in prompt),
    )


def _has(known: frozenset[str], value: str) -> bool:
    """Whether the source holds it, or a date of which it is the year, or the year and month."""
    return value in known or any(one.startswith(f"{value}-") for one in known)


def _strange(name: str, known: frozenset[str]) -> bool:
    said = values(name)
    return bool(said) and not all(word in known for word in said)


def _names(text: str) -> list[str]:
    """Capitalised words that do not begin a sentence, or whose next word is capitalised too."""
    found = []
    for match in NAME.finditer(text):
        if match.start() and text[match.start() - 1].isalnum():
            continue
        before = text[: match.start()].rstrip(" \t\"“'‘(")
        begins = not before or before[-1] in ".!?\n:"
        follows = NAME.match(text, match.end() + 1)
        if begins and not follows:
            continue
        if match.group().casefold() not in NO_NAMES:
            found.append(match.group())
    return found
