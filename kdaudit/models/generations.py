"""Saved generations: a jsonl, Parquet or csv file of what one language model wrote, made anywhere.

One row per answer: ``id`` and ``text``; where known ``finish_reason`` (``length`` means cut off) or
``truncated``, ``tokens``, and ``model``, the name of the writer. ``repeat`` numbers several answers
to one prompt: 0, or none, is the answer that is audited, the others are samples. ``judge`` holds a
judge's reply and ``human`` a person's grade of the answer: A correct, B incorrect, C not attempted.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdaudit.data.columns import as_numbers, as_text, distinct, pick
from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Bools, Generations, Ints, Strings
from kdaudit.models.adapter import Answers
from kdaudit.models.recorded_file import RecordedFile

MOST = 2**31  # answers to a prompt, and more than any has
TRUE, FALSE = frozenset(("true", "1")), frozenset(("false", "0"))


class GenerationsFile(RecordedFile):
    """Texts that were recorded elsewhere, in a file."""

    __slots__ = ()

    def answers(self, id_column: str, classes: Sequence[str]) -> Answers:
        """The texts, one entry per id in the order of first appearance.

        Args:
            id_column: the data file's id column; ``id`` is accepted as well.
            classes: unused.

        Raises:
            DataError: naming the column that is missing, or the cell that cannot be read.
        """
        del classes
        table, name = self.source.table, self.source.name
        column, ids = self.ids(id_column)
        text = as_text(pick(table, "text", "text", name))
        repeat = _repeats(table, name)
        if "repeat" in table.columns:
            both = zip(ids, repeat, strict=True)
            numbered = [None if i is None else f"{i}#{r}" for i, r in both]
            distinct(np.array(numbered, dtype=object), name, f"{column} with repeat")
        else:
            distinct(ids, name, column)
        codes, found = pd.factorize(ids)
        first = np.full(len(found), -1, dtype=np.int64)
        first[codes[repeat == 0]] = np.flatnonzero(repeat == 0)
        written = Generations(
            text=text,
            truncated=_truncated(table, name),
            tokens=as_numbers(table["tokens"], name)
            if "tokens" in table.columns
            else np.full(len(ids), np.nan),
            samples=np.full(len(ids), None, dtype=object),
            judge=_optional(table, "judge"),
            human=_optional(table, "human"),
            models=tuple(sorted({m for m in _optional(table, "model") if m is not None})),
        ).take(np.maximum(first, 0))
        written.samples[:] = _samples(text, codes, repeat, len(found))
        return Answers(
            ids=np.asarray(found, dtype=object),
            classes=(),
            probabilities=None,
            labels=None,
            written=written.without(first < 0),
        )


def _optional(table: pd.DataFrame, column: str) -> Strings:
    if column in table.columns:
        return as_text(table[column])
    return np.full(len(table), None, dtype=object)


def _repeats(table: pd.DataFrame, name: str) -> Ints:
    if "repeat" not in table.columns:
        return np.zeros(len(table), dtype=np.int64)
    number = np.nan_to_num(as_numbers(table["repeat"], name))
    strange = (number < 0) | (number >= MOST) | (number % 1 != 0)
    if strange.any():
        wrong = int(np.flatnonzero(strange)[0])
        raise DataError(
            f"{name}: column 'repeat' numbers the answers to one prompt from 0; data row "
            f"{wrong + 1} holds {number[wrong]:g}"
        )
    return number.astype(np.int64)


def _truncated(table: pd.DataFrame, name: str) -> Bools:
    if "truncated" in table.columns:
        cells = [None if c is None else c.lower() for c in as_text(table["truncated"])]
        strange = [i for i, cell in enumerate(cells) if cell not in TRUE | FALSE | {None}]
        if strange:
            raise DataError(
                f"{name}: column 'truncated' is true or false; data row {strange[0] + 1} holds "
                f"{cells[strange[0]]!r}"
            )
        return np.array([cell in TRUE for cell in cells], dtype=np.bool_)
    return np.array([c == "length" for c in _optional(table, "finish_reason")], dtype=np.bool_)


def _samples(text: Strings, codes: Ints, repeat: Ints, size: int) -> Strings:
    """(size,) tuples of the further answers to each prompt, in the order of their numbers."""
    samples: list[list[str]] = [[] for _ in range(size)]
    for row in np.argsort(repeat, kind="stable"):
        if repeat[row] > 0 and text[row] is not None:
            samples[codes[row]].append(text[row])
    made = np.empty(size, dtype=object)
    made[:] = [tuple(some) for some in samples]
    return made
