"""Leakage: documents of a task that share a run of words with text that a model was trained on.

As in the decontamination of GPT-3 (Brown et al. 2020, appendix C) and lm-eval: lower case, without
punctuation, words between white space, and a document leaks when 13 of its words in a row stand in
the other text. What a teacher writes may hold them though nobody gave it the task.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kdaudit.data.columns import as_text as cells_of
from kdaudit.data.columns import pick
from kdaudit.data.readers import Source, read
from kdaudit.errors import ConfigError, DataError, examples
from kdaudit.estimate import Estimate
from kdaudit.stats.proportions import clopper_pearson

WORDS = 13
LEVEL = 0.9  # two-sided, of alpha = 0.05
PUNCTUATION = re.compile(r"[^\w\s]|_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """What leaks.

    Attributes:
        leaked: ids of documents that share a run of words, in the order of the documents.
        short: ids of documents of fewer words, which cannot be looked for.
        words: length of the run.
        share: of the documents that are long enough; None where none is.
    """

    leaked: tuple[str, ...]
    short: tuple[str, ...]
    words: int
    share: Estimate | None


def normalised(text: str) -> list[str]:
    """The words of a text: lower case, without punctuation, which joins what it parts.

    >>> normalised("Don't  STOP: it's_fine (now).")
    ['dont', 'stop', 'itsfine', 'now']
    """
    return PUNCTUATION.sub("", text.lower()).split()


def leakage(
    trained_on: Iterable[str],
    documents: Sequence[str],
    ids: Sequence[str],
    *,
    words: int = WORDS,
) -> Leakage:
    """Look for runs of words of the documents in text that was trained on.

    Runs of the documents are held, the text is read once; a run does not reach over two texts.

    Args:
        trained_on: texts, however many.
        documents: (N,) of the task.
        ids: (N,) theirs.
        words: how many in a row.

    Raises:
        ValueError: for fewer than two words, or ids that do not fit.

    >>> found = leakage(["so it was: To be, or not to be!"], ["to be or not", "to be"], ["a", "b"],
    ...                 words=4)
    >>> found.leaked, found.short
    (('a',), ('b',))
    """
    if words < 2 or len(documents) != len(ids):
        raise ValueError(f"needs 2 words, and an id each: {words}, {len(documents)}, {len(ids)}")
    holders: dict[tuple[str, ...], list[int]] = {}
    short = []
    for number, document in enumerate(documents):
        said = normalised(document)
        if len(said) < words:
            short.append(number)
        for run in set(_runs(said, words)):
            holders.setdefault(run, []).append(number)
    hit: set[int] = set()
    for text in trained_on:
        for run in _runs(normalised(text), words):
            hit.update(holders.get(run, ()))
    n = len(documents) - len(short)
    share = None
    if n:
        low, high = clopper_pearson(len(hit), n, LEVEL)
        share = Estimate(
            value=len(hit) / n, low=low, high=high, n=n, level=LEVEL, method="Clopper-Pearson"
        )
    return Leakage(
        leaked=tuple(ids[number] for number in sorted(hit)),
        short=tuple(ids[number] for number in short),
        words=words,
        share=share,
    )


def leakage_of(
    text: Path, task: Path, *, columns: Sequence[str] = (), words: int = WORDS
) -> Leakage:
    """Look for the documents of a task in a file of text that was trained on.

    Args:
        text: as a recipe of language models reads it: ``.jsonl`` with ``text``, or ``prompt`` and
            ``completion``; in any other file blank lines part texts.
        task: a csv, Parquet or jsonl file, a document a row.
        columns: whose texts make a document; every column of text without it.
        words: how many in a row.

    Raises:
        ConfigError: for fewer than two words.
        DataError: for a file or a column that is not there, or holds no text.
    """
    from kdaudit.distill.language.texts import read as read_texts

    if words < 2:
        raise ConfigError(f"a run has 2 words at least, got {words}; 13 is usual")
    source = read(task.name, task.parent)
    ids = (
        cells_of(source.table["id"])
        if "id" in source.table.columns
        else np.array([f"row {i + 1}" for i in range(len(source.table))], dtype=object)
    )
    parts = [cells_of(pick(source.table, name, "columns", source.name)) for name in columns]
    parts = parts or _texts(source)
    documents = [" ".join(cell for cell in row if cell) for row in zip(*parts, strict=True)]
    learnt = (f"{one.prompt} {one.text}" for one in read_texts(text))
    return leakage(learnt, documents, [str(one) for one in ids], words=words)


def _texts(source: Source) -> list[np.ndarray[tuple[int], np.dtype[np.object_]]]:
    named = [
        name
        for name, column in source.table.items()
        if name != "id" and not np.issubdtype(np.asarray(column).dtype, np.number)
    ]
    if not named:
        raise DataError(f"{source.name} has no column of text; name one with --columns")
    return [cells_of(source.table[name]) for name in named]


def as_text(found: Leakage) -> str:
    """The share, and which documents leak."""
    lines = []
    if found.share is not None:
        one = found.share
        lines.append(
            f"{len(found.leaked)} of {one.n:,} documents share {found.words} words in a row with "
            f"the text: {one.value:.2%} [{one.low:.2%}, {one.high:.2%}] ({one.method}, "
            f"{one.level:.0%})"
        )
    if found.short:
        lines.append(
            f"{len(found.short):,} documents have fewer than {found.words} words and were not "
            f"looked for: {examples(found.short)}"
        )
    lines += [f"  {name}" for name in found.leaked]
    return "\n".join(lines) + "\n"


def as_json(found: Leakage) -> str:
    """The same for a machine."""
    return json.dumps(asdict(found), indent=1, sort_keys=True, allow_nan=False) + "\n"


def _runs(said: Sequence[str], words: int) -> Iterable[tuple[str, ...]]:
    return zip(*(said[start:] for start in range(words)), strict=False)
