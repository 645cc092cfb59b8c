"""Text as comparable tokens: numbers and dates in one spelling, words without case and accents.

The normal form of SQuAD (Rajpurkar et al. 2016: lower case, no punctuation, no articles), with
accents folded, hyphens as spaces, and with numbers and dates made canonical. English month and
number words.

What stands at the end of a word belongs to it where it tells words apart: C, C++ and C#; Na, Na+
and Na-. An article is one where a word follows it: the A of "Hepatitis A" is none, nor is a letter
that is all there is.
"""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

Kind = Literal["word", "number", "date"]
ARTICLES = frozenset(("a", "an", "the"))
EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w*])", re.DOTALL)  # of Markdown
VERBS = frozenset(
    ("is", "was", "because", "since", "and", "or", "would", "seems")
)  # after a letter
NAMES = "january february march april may june july august september october november december"
UPWARDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
BY_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
RANKS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
MONTHS, UNITS, TENS, ORDINALS = (words.split() for words in (NAMES, UPWARDS, BY_TENS, RANKS))
SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}

_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" if len(name) > 3 else name for name in MONTHS)
_MONTH = _MONTH.replace("sep(?:tember)?", "sep(?:t(?:ember)?)?")
_TOKEN = re.compile(
    rf"""
    (?P<iso>(?<!\w)\d{{4}}-\d{{1,2}}-\d{{1,2}}(?!\w))
  | (?P<md>(?<!\w)(?P<md_m>{_MONTH})\.?\s+(?P<md_d>\d{{1,2}})(?:st|nd|rd|th)?(?!\w)
        (?:,?\s+(?P<md_y>\d{{4}})(?!\w))?)
  | (?P<dm>(?<!\w)(?P<dm_d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<dm_m>{_MONTH})(?!\w)\.?
        (?:,?\s+(?P<dm_y>\d{{4}})(?!\w))?)
  | (?P<my>(?<!\w)(?P<my_m>{_MONTH})\.?,?\s+(?P<my_y>\d{{4}})(?!\w))
  | (?P<slash>(?<![\w./])(?P<one>\d{{1,2}})[./](?P<two>\d{{1,2}})[./](?P<year>\d{{4}})(?![\w]))
  | (?P<ordinal>(?<!\w)\d+(?:st|nd|rd|th)(?!\w))
  | (?P<number>(?<![\w])[-−]?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?![\d])
        (?:\s+(?P<scale>{"|".join(SCALES)})(?!\w))?)
  | (?P<word>[^\W_](?:[^\W_]|['.](?=[^\W_]))*(?:[+*\#]+|(?<![^\W_][^\W_]{{3}})[-−](?!\w))?)
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """One token: a word, a number written in digits, or a date.

    Dates are ``YYYY-MM-DD``, ``YYYY-MM`` or, without a year, ``--MM-DD``.
    """

    kind: Kind
    value: str


@lru_cache(maxsize=1 << 16)
def tokens(text: str) -> tuple[Token, ...]:
    """Take a text apart.

    >>> [t.value for t in tokens("The U.S. paid $1,250.50 on 4th of July, 1776")]
    ['us', 'paid', '1250.5', 'on', '1776-07-04']
    >>> [t.value for t in tokens("São-Tomé: twenty-one, 1.2 million, third")]
    ['sao', 'tome', '21', '1200000', '3rd']
    """
    text = EMPHASIS.sub(r"\2", text)
    plain = _folded(text)
    matches = list(_TOKEN.finditer(plain))
    articles = _articles(text, plain, matches)
    found = [_token(match) for i, match in enumerate(matches) if i not in articles]
    return tuple(_compounds(found))


def _articles(text: str, plain: str, matches: Sequence[re.Match[str]]) -> frozenset[int]:
    """Positions of articles: not the last word, nor before a mark, nor a capital A inside."""
    found = set()
    for i, match in enumerate(matches):
        if match.group() not in ARTICLES or i + 1 == len(matches):
            continue
        followed = plain[match.end() : matches[i + 1].start()]
        if followed.strip():  # "A) Paris", "the answer is A, of course"
            continue
        letter = match.group() == "a" and len(text) == len(plain) and text[match.start()] == "A"
        begins = not plain[: match.start()].rstrip() or plain[: match.start()].rstrip()[-1] in ".!?"
        if letter and (not begins or matches[i + 1].group() in VERBS):
            continue
        found.add(i)
    return frozenset(found)


def values(text: str) -> tuple[str, ...]:
    """The values alone."""
    return tuple(token.value for token in tokens(text))


def position(said: Sequence[str], wanted: Sequence[str], start: int = 0) -> int:
    """Where ``wanted`` stands in ``said``, in one piece, from ``start`` on; -1 where it does not.

    A wanted year stands in every date of that year.

    >>> position(values("He died in May 1616."), values("1616"))
    3
    """
    if not wanted:
        return -1
    for at in range(start, len(said) - len(wanted) + 1):
        if all(_same(said[at + i], one) for i, one in enumerate(wanted)):
            return at
    return -1


def _same(said: str, wanted: str) -> bool:
    return said == wanted or (
        len(wanted) == 4 and wanted.isdigit() and said.startswith(f"{wanted}-")
    )


def _folded(text: str) -> str:
    # Latin, Greek and Cyrillic accents only: marks of other scripts are letters.
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in apart if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", bare).casefold().replace("’", "'").replace("‘", "'")


def _token(match: re.Match[str]) -> Token:
    text, kind = match.group(), next(name for name in _KINDS if match[name] is not None)
    if kind == "word":
        return Token("word", _word(text))
    if kind == "number":
        return Token("number", _number(match))
    if kind == "ordinal":
        return Token("word", text)
    return _date(match, kind)


_KINDS = ("iso", "md", "dm", "my", "slash", "ordinal", "number", "word")


def _word(text: str) -> str:
    word = text.replace(".", "").removesuffix("'s").replace("'", "").replace("−", "-")
    if word in ORDINALS:
        rank = ORDINALS.index(word) + 1
        return f"{rank}{('th', 'st', 'nd', 'rd')[rank if rank < 4 else 0]}"
    if word in UNITS:
        return str(UNITS.index(word))
    if word in TENS:
        return str(10 * (TENS.index(word) + 2))
    return word


def _number(match: re.Match[str]) -> str:
    text, scale = match["number"], match["scale"]
    if scale:
        text = text.removesuffix(scale)
    number = Decimal(text.strip().replace(",", "").replace("−", "-"))
    number = number.scaleb(SCALES[scale]) if scale else number
    plain = format(number.normalize(), "f")
    return "0" if plain == "-0" else plain


def _date(match: re.Match[str], kind: str) -> Token:
    year: str | None
    if kind == "iso":
        year, month, day = match["iso"].split("-")
    elif kind == "slash":
        year, month, day = match["year"], match["two"], match["one"]
        if int(match["two"]) > 12:
            month, day = match["one"], match["two"]
        elif int(match["one"]) <= 12 and match["one"] != match["two"]:
            return Token("date", match["slash"])  # day or month first? It stays as it is written
    else:
        year, month = match[f"{kind}_y"], _month(match[f"{kind}_m"])
        day = "0" if kind == "my" else match[f"{kind}_d"]
    if not (1 <= int(month) <= 12 and int(day) <= 31):
        return Token("word", match.group())
    date = f"{year or '-'}-{int(month):02d}"
    return Token("date", f"{date}-{int(day):02d}" if int(day) else date)


def _month(name: str) -> str:
    return str(1 + next(i for i, month in enumerate(MONTHS) if month.startswith(name[:3])))


def _compounds(found: Sequence[Token]) -> list[Token]:
    """Number words that belong together: twenty one is 21."""
    joined: list[Token] = []
    for token in found:
        last = joined[-1] if joined else None
        if (
            last is not None
            and (last.kind, token.kind) == ("word", "word")
            and last.value in _ROUND
            and token.value in _DIGITS
        ):
            joined[-1] = Token("word", str(int(last.value) + int(token.value)))
        elif last is not None and token.value in SCALES and last.value.isdigit():
            joined[-1] = Token(last.kind, str(int(last.value) * 10 ** SCALES[token.value]))
        else:
            joined.append(token)
    return joined


_ROUND = frozenset(str(10 * n) for n in range(2, 10))
_DIGITS = frozenset("123456789")
