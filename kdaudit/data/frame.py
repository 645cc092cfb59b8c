"""The strict frame: one split of the data, sorted by id, every column checked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kdaudit.data.row_digests import row_digests
from kdaudit.evidence.kinds import Bools, Floats, Ints, Strings
from kdaudit.evidence.view import Category
from kdaudit.models.adapter import Columns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """Rows of one split, in the order of their ids.

    Attributes:
        ids: (N,) strings, distinct, sorted.
        labels: (N,) strings, or None for an unlabelled transfer set; of partly labelled rows None
            where there is no label.
        inputs: (N,) arrays by column, as `kdaudit.data.columns.as_input` makes them.
        out_of_scope: (N,) rows whose label no class should claim.
        weight: (N,) positive finite numbers, or None.
        cluster: (N,) codes, or None.
        attributes: slice, sensitive and derived columns.
        answers: (N,) tuples of every way to say the truth, empty where nothing true can be said,
            or None.
        source: (N,) the text that an answer must rest on, None where a row has none; or None.
        choices: (N,) tuples of texts whose likelihood language models are asked for, or None.
        stereotyped: (N,) the choice a stereotype would make, None where a row has none; or None.
        unknown: (N,) the choice that says it cannot be told, likewise.
        listed: of partly labelled rows, those that are listed to be labelled; else None.
    """

    ids: npt.NDArray[np.object_]
    labels: npt.NDArray[np.object_] | None
    inputs: Columns
    out_of_scope: Bools
    weight: Floats | None = None
    cluster: Ints | None = None
    attributes: Mapping[str, Category] = field(default_factory=dict)
    answers: Strings | None = None
    source: Strings | None = None
    choices: Strings | None = None
    stereotyped: Strings | None = None
    unknown: Strings | None = None
    listed: "Listed | None" = None

    @property
    def labelled(self) -> Bools | None:
        """(N,) rows whose label is known; None where all are."""
        if self.listed is None or self.labels is None:
            return None
        known = np.array([label is not None for label in self.labels], dtype=np.bool_)
        return None if known.all() else known

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self) -> npt.NDArray[np.object_]:
        """(N,) 16-byte digests of each row's inputs: equal content, equal digest.

        Ids do not enter: what a model answers depends on what it was shown.
        """
        return row_digests(self.inputs, len(self))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listed:
    """Rows that are listed to be labelled.

    Attributes:
        rows: how many.
        stands_for: (N,) how many rows each of them stands for, 0 for the others; None where nobody
            says.
    """

    rows: int
    stands_for: Floats | None


def split_digest(frame: Frame) -> str:
    """SHA-256 of the ids and labels of a split: the same rows with the same answers expected.

    Of partly labelled rows it is that of the ids: who labels more rows has the same rows still.
    """
    digest = sha256()
    labels = frame.labels if frame.listed is None else None
    answers = None if frame.answers is None else list(map(json.dumps, frame.answers))
    choices = None if frame.choices is None else list(map(json.dumps, frame.choices))
    for column in (frame.ids, labels, answers, choices, frame.stereotyped, frame.unknown):
        if column is not None:
            # As Arrow holds text: where each string ends, then the bytes of all of them.
            _, offsets, letters = pa.array(column, pa.large_string()).buffers()
            ends = np.frombuffer(offsets, np.int64, len(column) + 1)
            digest.update(ends.tobytes())
            digest.update(memoryview(letters or b"")[: ends[-1]])
    return digest.hexdigest()
