"""Record truncated answers once, in shards that are kept, and read them back by content.

A row is what a model is shown at once: of a classifier one position, of a language model a
sequence with as many positions as it answers at. Its key is the digest of what was shown, after
every transform; where it stands is never asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kdaudit.errors import DamagedError, DataError, ModelError
from kdaudit.evidence.kinds import Ints
from kdaudit.evidence.missing import left, refuse_missing
from kdaudit.evidence.record import Progress
from kdaudit.evidence.store import Entry, Store
from kdaudit.evidence.truncated import (
    TAIL,
    TopK,
    Truncated,
    bytes_per_position,
    pack,
    unpack,
)
from kdaudit.governance.digest import json_digest

KIND = "truncated"
PART_ROWS = 2048  # rows between two points at which a killed recording can go on
BATCH_ROWS = 64  # rows that are asked for at once

ABOUT = ("model", "inputs", "split", "variant", "vocabulary", "classes", "temperatures", "dtype")

Answer = Callable[[slice], Sequence[Truncated]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ask:
    """What is recorded, and everything it depends on.

    Attributes:
        who: the model by name and digest: weights and buffers, code, tokenizer or encoder, dtype,
            versions of libraries.
        rows: (N,) 16-byte content digests; the same content may stand twice.
        split: name of the split.
        vocabulary: V, or the number of classes.
        top: what is kept.
        variant: how the rows were changed.
        classes: their names, where they have any.
    """

    who: Mapping[str, str]
    rows: npt.NDArray[np.object_]
    split: str
    vocabulary: int
    top: TopK
    variant: str = "as-is"
    classes: tuple[str, ...] = ()

    def key(self) -> dict[str, object]:
        """Everything the answers depend on."""
        return {
            "model": dict(self.who),
            "inputs": json_digest([row.hex() for row in self.rows.tolist()]),
            "split": self.split,
            "variant": self.variant,
            "vocabulary": self.vocabulary,
            "classes": list(self.classes),
            "top_k": self.top.k,
            "temperatures": list(self.top.temperatures),
            "dtype": self.top.dtype,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """Truncated answers, packed, by row.

    Attributes:
        packed: (P, bytes) positions of all rows one after another.
        starts: (N + 1,) where each row's positions begin.
        place: of each row's digest.
        ask: what was asked.
        digest: of the evidence key.
        about: what the manifest says.
        computed: rows asked for just now; 0 when everything was in the store.
    """

    packed: npt.NDArray[np.uint8]
    starts: Ints
    place: Mapping[bytes, int]
    ask: Ask
    digest: str
    about: Mapping[str, object]
    computed: int

    def of(self, rows: Sequence[bytes]) -> tuple[Truncated, Ints]:
        """Answers to some rows, found by their content.

        Args:
            rows: (B,) content digests.

        Returns:
            The positions of those rows one after another, and (B,) how many each row has.

        Raises:
            DataError: naming a row that was never recorded.
        """
        lacking = [row for row in rows if row not in self.place]
        if lacking:
            raise DataError(
                f"{len(lacking)} of {len(rows)} rows were never recorded, e.g. the one with the "
                f"content digest {lacking[0].hex()}: they, or what was made of them, changed "
                "since; record them with `kdaudit targets RECIPE --record`"
            )
        index = np.array([self.place[row] for row in rows], dtype=np.int64)
        lengths = self.starts[index + 1] - self.starts[index]
        spans = [np.arange(self.starts[i], self.starts[i + 1]) for i in index]
        where = np.concatenate(spans) if spans else np.empty(0, np.int64)
        return unpack(self.packed[where], self.ask.top, self.ask.vocabulary), lengths


def record_truncated(
    ask: Ask,
    answer: Answer,
    *,
    store: Store,
    progress: Progress = lambda _: None,
    facts: Callable[[Kept], Mapping[str, object]] = lambda _: {},
) -> Kept:
    """Ask for every row once, unless the store already holds the answers.

    Args:
        ask: what, of whom.
        answer: given a span of rows, one `Truncated` per row.
        store: where shards are kept.
        progress: called with the number of rows done since the last call.
        facts: of all answers, what the manifest says beside that, such as their accuracy.

    Raises:
        ModelError: for answers to another number of rows, or over another vocabulary.
        DamagedError: if stored shards are not what was written.
    """
    entry = store.entry(KIND, ask.key())
    parts = max(1, -(-len(ask.rows) // PART_ROWS))
    computed = 0
    if entry.sealed:
        progress(len(ask.rows))
    else:
        for number in range(parts):
            span = slice(number * PART_ROWS, min((number + 1) * PART_ROWS, len(ask.rows)))
            if entry.has(number):
                progress(span.stop - span.start)
            else:
                entry.write(number, _asked(ask, answer, span, progress))
                computed += span.stop - span.start
        kept = _kept(entry.written(parts), entry, ask, about={}, computed=computed)
        entry.seal(parts, _about(ask, len(kept.packed)) | dict(facts(kept)))
    return _kept(entry.read(), entry, ask, about=entry.about(), computed=computed)


def stored(ask: Ask, store: Store) -> Kept:
    """What was recorded; nobody is asked.

    Raises:
        DataError: naming what differs from the nearest thing that was recorded.
        DamagedError: if stored shards are not what was written.
    """
    entry = store.look(KIND, ask.key())
    if not entry.sealed:
        refuse_missing(ask.key(), entry, store, KIND)
    return _kept(entry.read(), entry, ask, about=entry.about(), computed=0)


def rows_left(ask: Ask, store: Store) -> int:
    """For how many rows `record_truncated` would ask; nothing is asked or written."""
    entry = store.look(KIND, ask.key())
    return 0 if entry.sealed else left(entry, len(ask.rows), PART_ROWS)


def _asked(ask: Ask, answer: Answer, span: slice, progress: Progress) -> pa.Table:
    packed, lengths = list[bytes](), list[int]()
    for start in range(span.start, span.stop, BATCH_ROWS):
        batch = slice(start, min(start + BATCH_ROWS, span.stop))
        given = answer(batch)
        if len(given) != batch.stop - batch.start:
            raise ModelError(
                f"the model answered {len(given)} rows of {batch.stop - batch.start}; each row "
                "must be answered once"
            )
        for one in given:
            if (one.vocabulary, one.temperatures) != (ask.vocabulary, ask.top.temperatures):
                raise ModelError(
                    f"the model answered over {one.vocabulary} outcomes at T = {one.temperatures}; "
                    f"asked were {ask.vocabulary} at T = {ask.top.temperatures}"
                )
            packed.append(pack(one, ask.top).tobytes())
            lengths.append(len(one))
        progress(batch.stop - batch.start)
    return pa.table(
        {
            "row": pa.array(ask.rows[span].tolist(), pa.binary()),
            "positions": pa.array(lengths, pa.int32()),
            "answers": pa.array(packed, pa.large_binary()),
        }
    )


def _about(ask: Ask, positions: int) -> dict[str, object]:
    key = ask.key()
    per_position = bytes_per_position(ask.top, ask.vocabulary)
    return {
        "kind": "top_k",
        "k": min(ask.top.k, ask.vocabulary),
        "tail": TAIL,
        "rows": len(ask.rows),
        "positions": positions,
        "bytes per position": per_position,
        **{name: key[name] for name in ABOUT},
    }


def _kept(
    table: pa.Table, entry: Entry, ask: Ask, *, about: Mapping[str, object], computed: int
) -> Kept:
    rows = table.column("row").to_pylist()
    if rows != ask.rows.tolist():
        raise DamagedError(f"stored evidence {entry.digest} holds other rows than its key says")
    lengths = table.column("positions").to_numpy().astype(np.int64)
    width = bytes_per_position(ask.top, ask.vocabulary)
    chunks = [np.frombuffer(x.as_buffer(), np.uint8) for x in table.column("answers")]
    packed = np.concatenate(chunks) if chunks else np.empty(0, np.uint8)
    return Kept(
        packed=packed.reshape(-1, width),
        starts=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        place={row: number for number, row in enumerate(rows)},
        ask=ask,
        digest=entry.digest,
        about=about,
        computed=computed,
    )
