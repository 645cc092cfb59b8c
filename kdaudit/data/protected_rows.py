"""Protected texts as rows: how each begins, which models are shown, and how it goes on."""

import re
from itertools import islice

import numpy as np

from kdaudit.data.audit_file import ProtectedTable
from kdaudit.data.columns import as_category, as_text, distinct, pick
from kdaudit.data.frame import Frame
from kdaudit.data.readers import Source
from kdaudit.errors import DataError

WORD = re.compile(r"\S+")


def protected_rows(source: Source, table: ProtectedTable) -> Frame:
    """The texts of a file, cut into a beginning and its continuation.

    Returns:
        Rows with the input ``prefix``, the continuation as the one answer and the one choice, and
        the columns of ``slices`` as attributes.

    Raises:
        DataError: for a text that is empty, or no longer than its beginning.
    """
    rows = source.table
    ids = (
        as_text(rows["id"])
        if "id" in rows.columns
        else np.array([f"{i:012d}" for i in range(len(rows))], dtype=object)
    )
    distinct(ids, source.name, "id")
    parts = [
        cut(text, table.prefix_words, table.suffix_words)
        for text in as_text(pick(rows, table.text, "protected texts", source.name))
    ]
    for name, part in zip(ids, parts, strict=True):
        if part is None:
            raise DataError(
                f"{source.name}: the text of id {name!r} has no more than prefix_words = "
                f"{table.prefix_words} words, so nothing is left to go on with; lower it, or take "
                "the row out"
            )
    order = np.argsort(ids.astype(str), kind="stable")
    prefix, suffix = (np.empty(len(ids), dtype=object) for _ in range(2))
    prefix[:] = [part[0] for part in parts if part is not None]
    suffix[:] = [(part[1],) for part in parts if part is not None]
    return Frame(
        ids=ids[order],
        labels=None,
        inputs={"prefix": prefix[order]},
        out_of_scope=np.zeros(len(ids), dtype=np.bool_),
        attributes={
            name: as_category(pick(rows, name, "protected slices", source.name)).take(order)
            for name in table.slices
        },
        answers=suffix[order],
        choices=suffix[order],
    )


def cut(text: str | None, prefix_words: int, suffix_words: int) -> tuple[str, str] | None:
    r"""The first words of a text, and those after them with the white space between.

    None where nothing is left after the first words.

    >>> cut("To be,\n or not to be", 2, 3)
    ('To be,', '\n or not to')
    >>> cut("To be", 2, 3) is None
    True
    """
    ends = [word.end() for word in islice(WORD.finditer(text or ""), prefix_words + suffix_words)]
    if text is None or len(ends) <= prefix_words:
        return None
    at = ends[prefix_words - 1]
    return text[:at], text[at : ends[-1]]
