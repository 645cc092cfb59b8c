"""What a text shows without understanding it: its length, a negation, a rare word.

Cheap properties by which models of language are known to differ. Words are runs of letters, marks,
digits and apostrophes, in lower case.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kdaudit.evidence.kinds import Bools, Floats, Ints
from kdaudit.evidence.view import Category, Derived

# English, beside every contraction in n't.
DENYING = (
    "no not never none nobody nothing nowhere neither nor without cannot cant dont wont doesnt "
    "didnt isnt arent wasnt werent hasnt havent hadnt couldnt shouldnt wouldnt aint hardly "
    "scarcely barely"
)
NEGATIONS = frozenset(DENYING.split())
RARE = 3  # a word seen fewer times is rare
BLOCK = 50_000  # rows at a time: the words of all rows as text need not fit into memory

Cells = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Words:
    """The words of N texts, in order.

    Attributes:
        row: (W,) whose word it is.
        code: (W,) index into ``vocabulary``.
        vocabulary: (V,) distinct words.
    """

    row: Ints
    code: Ints
    vocabulary: Cells


def lengths(cells: Cells) -> Floats:
    """(N,) characters of each text; NaN where there is none.

    >>> lengths(np.array(["née", None], dtype=object)).tolist()
    [3.0, nan]
    """
    counted = [
        pc.utf8_length(block).to_numpy(zero_copy_only=False).astype(np.float64)
        for _, block in _blocks(cells)
    ]
    return np.concatenate(counted) if counted else np.empty(0)


def words(cells: Cells) -> Words:
    """Take texts apart.

    >>> found = words(np.array(["Don’t stop, stop", None, "née 2x"], dtype=object))
    >>> [(int(r), str(found.vocabulary[c])) for r, c in zip(found.row, found.code)]
    [(0, "don't"), (0, 'stop'), (0, 'stop'), (2, 'née'), (2, '2x')]
    """
    rows, codes, known = [], [], []
    offset = 0
    for start, block in _blocks(cells):
        plain = pc.utf8_lower(pc.replace_substring(block, "\u2019", "'"))
        parts = pc.split_pattern_regex(plain, r"[^\p{L}\p{M}\p{N}']+")
        word = pc.utf8_trim(pc.list_flatten(parts), "'")
        encoded = word.dictionary_encode()
        kept = pc.not_equal(word, "").to_numpy(zero_copy_only=False)
        rows.append(pc.list_parent_indices(parts).to_numpy()[kept].astype(np.int64) + start)
        codes.append(encoded.indices.to_numpy()[kept].astype(np.int64) + offset)
        known.append(encoded.dictionary.to_numpy(zero_copy_only=False))
        offset += len(known[-1])
    if not rows:
        nothing = np.empty(0, np.int64)
        return Words(row=nothing, code=nothing, vocabulary=np.empty(0, object))
    merged, vocabulary = pd.factorize(np.concatenate(known))
    return Words(
        row=np.concatenate(rows),
        code=merged[np.concatenate(codes)].astype(np.int64),
        vocabulary=np.asarray(vocabulary, dtype=object),
    )


def negation(cells: Cells, found: Words) -> Category:
    """Whether a text has a negation, by a list of English words.

    >>> texts = np.array(["It does n't", "I don't", "nothing", "Notes", None], dtype=object)
    >>> negation(texts, words(texts)).codes.tolist()
    [1, 1, 1, 0, -1]
    """
    denies = np.array([w in NEGATIONS or w.endswith("n't") for w in found.vocabulary], np.bool_)
    return _yes_or_no(cells, found, denies, "has an English word that negates, such as not or n't")


def rare(cells: Cells, found: Words, reference: Words, of: str) -> Category:
    """Whether a text has a word that the reference texts have fewer than three times.

    Args:
        cells: (N,) the texts.
        found: their words.
        reference: the words of the texts that are compared with.
        of: which texts those are.
    """
    times = np.bincount(reference.code, minlength=len(reference.vocabulary))
    places = pd.Index(reference.vocabulary).get_indexer(pd.Index(found.vocabulary))
    seen = np.where(places >= 0, times[places], 0) if len(times) else np.zeros(len(places))
    how = f"has a word seen fewer than {RARE} times in the {of} rows"
    return _yes_or_no(cells, found, seen < RARE, how)


def _yes_or_no(cells: Cells, found: Words, chosen: Bools, how: str) -> Category:
    codes = np.where(pd.isna(cells), -1, 0).astype(np.int64)
    codes[found.row[chosen[found.code]]] = 1
    return Category(codes, ("no", "yes"), Derived(kind="words", how=how))


def _blocks(cells: Cells) -> Iterator[tuple[int, pa.Array]]:
    for start in range(0, len(cells), BLOCK):
        yield start, pa.array(cells[start : start + BLOCK], pa.string(), from_pandas=True)
