"""Names and values that other people wrote, made safe to look at: nothing hidden or endless."""

import re
import unicodedata
from collections.abc import Iterable

LABEL = 96
PROSE = 4_000
HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})


def visible(text: str) -> str:
    r"""Show control, direction-changing and zero-width characters as escapes.

    A group called ``approved`` with a right-to-left override in it must not read as another word
    in a document people sign. Line breaks and tabs stay: HTML and Markdown decide what they mean.

    >>> visible("a\u202eb\x1b[31m")
    'a\\u202eb\\u001b[31m'
    >>> visible("naïve 東京")
    'naïve 東京'
    """
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    if category in HIDDEN:
        code = ord(character)
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return character


def clip(text: str, limit: int = LABEL) -> str:
    """Shorten from the middle: both ends of a name tell it from its neighbours.

    >>> clip("abcdefghij", 7)
    'abcd…ij'
    >>> clip("abc", 7)
    'abc'
    """
    if len(text) <= limit:
        return text
    head = (limit * 2) // 3
    return f"{text[:head]}…{text[len(text) - (limit - head - 1) :]}"


def line(text: str, limit: int = LABEL) -> str:
    r"""One visible line.

    >>> line("two\n lines\x00")
    'two lines\\u0000'
    """
    return clip(visible(" ".join(re.split(r"[\s]+", text.strip()))), limit)


def slug(text: str) -> str:
    """Letters, digits and hyphens of a text, for use in an anchor.

    >>> slug("SLC001[channel=web page]")
    'SLC001-channel-web-page'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:60] or "x"


def anchors(names: Iterable[str], prefix: str) -> dict[str, str]:
    """One anchor per name: readable, stable and unique whatever the names contain.

    >>> anchors(["A[x=1]", "A[x=!1]"], "f")
    {'A[x=1]': 'f-A-x-1', 'A[x=!1]': 'f-A-x-1-2'}
    """
    made: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if name in made:
            continue
        base = f"{prefix}-{slug(name)}"
        candidate, number = base, 1
        while candidate in taken:
            number += 1
            candidate = f"{base}-{number}"
        taken.add(candidate)
        made[name] = candidate
    return made


def sentence(text: str) -> str:
    """Upper-case the first letter and end with a full stop.

    >>> sentence("nothing was measured")
    'Nothing was measured.'
    """
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?…" else ".")


def listing(items: Iterable[str], most: int = 6) -> str:
    """Join names for a sentence; what is left out is counted.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    >>> listing(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    names = list(items)
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def plural(number: int, one: str, many: str = "") -> str:
    """Count with the right noun.

    >>> plural(1, "row"), plural(2_000, "row"), plural(2, "is", "are")
    ('1 row', '2,000 rows', '2 are')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
