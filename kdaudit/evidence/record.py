"""Run one model once over rows, in parts that are kept, and read the answers back by content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kdaudit.errors import DamagedError, ModelError
from kdaudit.evidence.missing import left, refuse_missing
from kdaudit.evidence.store import Entry, Store
from kdaudit.governance.digest import json_digest
from kdaudit.models.adapter import Columns, Runnable, Space, UnfitRowError

KIND = "predictions"
PART_ROWS = 8192  # rows between two points at which an interrupted run can resume
BATCH_ROWS = 256  # rows a model is asked at once

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What a model answered, in the order of the rows that were asked.

    Attributes:
        values: (N, C) float32, as the model gave them.
        space: ``logits`` or ``probabilities``.
        rows: (N,) 16-byte content digests of the rows: the only way to look an answer up.
        classes: (C,) names.
        digest: of the evidence key.
        computed: rows on which the model ran just now; 0 when everything was in the store.
    """

    values: npt.NDArray[np.float32]
    space: Space
    rows: npt.NDArray[np.object_]
    classes: tuple[str, ...]
    digest: str
    computed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """What one model is asked.

    Attributes:
        model: the model.
        columns: (N,) input arrays by name.
        rows: (N,) content digests of those inputs, from `kdaudit.data.frame.row_digests`.
        split: name of the split; part of the key, so that audit evidence is never training data.
        variant: how the rows were changed; part of the key.
    """

    model: Runnable
    columns: Columns
    rows: npt.NDArray[np.object_]
    split: str
    variant: str = "as-is"

    def key(self) -> dict[str, object]:
        """Everything the answers depend on."""
        return {
            "model": dict(self.model.identity()),
            "inputs": json_digest([list(self.columns), [row.hex() for row in self.rows.tolist()]]),
            "split": self.split,
            "variant": self.variant,
            "classes": list(self.model.classes),
        }


def record(
    question: Question,
    *,
    store: Store,
    progress: Progress = lambda _: None,
    facts: Callable[[Recording], Mapping[str, object]] = lambda _: {},
) -> Recording:
    """Ask a model every row once, unless the store already holds the answers.

    Args:
        question: the model and the rows.
        store: where parts are kept.
        progress: called with the number of rows done since the last call.
        facts: of all answers, what the manifest says beside what they are, such as their accuracy.

    Raises:
        ModelError: if the model answers in another shape than (rows, classes).
        DamagedError: if stored parts are not what was written.
    """
    model, columns, rows = question.model, question.columns, question.rows
    entry = store.entry(KIND, question.key())
    parts = max(1, -(-len(rows) // PART_ROWS))
    computed = 0
    if not entry.sealed:
        for number in range(parts):
            span = slice(number * PART_ROWS, min((number + 1) * PART_ROWS, len(rows)))
            if not entry.has(number):
                part = {name: column[span] for name, column in columns.items()}
                entry.write(number, _ask(model, part, rows[span], span.start, progress))
                computed += span.stop - span.start
            else:
                progress(span.stop - span.start)
        found = _recording(entry.written(parts), entry, question, computed)
        entry.seal(parts, _about(question) | dict(facts(found)))
    else:
        progress(len(rows))
    return _recording(entry.read(), entry, question, computed)


def stored(question: Question, *, store: Store) -> Recording:
    """What was recorded; the model is not run.

    Raises:
        DataError: naming what differs from the nearest thing that was recorded.
        DamagedError: if stored parts are not what was written.
    """
    entry = store.look(KIND, question.key())
    if not entry.sealed:
        refuse_missing(question.key(), entry, store, KIND)
    return _recording(entry.read(), entry, question, 0)


def pending(question: Question, *, store: Store) -> int:
    """On how many rows `record` would run the model; nothing is run or written."""
    entry = store.look(KIND, question.key())
    return 0 if entry.sealed else left(entry, len(question.rows), PART_ROWS)


def _ask(
    model: Runnable,
    columns: Columns,
    rows: npt.NDArray[np.object_],
    first: int,
    progress: Progress,
) -> pa.Table:
    """Answers of rows, of which the first is the ``first`` of all."""
    values, space = [], "logits"
    for start in range(0, len(rows), BATCH_ROWS):
        batch = {name: column[start : start + BATCH_ROWS] for name, column in columns.items()}
        expected = (min(BATCH_ROWS, len(rows) - start), len(model.classes))
        try:
            outputs = model.predict(batch)
        except UnfitRowError as error:
            raise UnfitRowError(error.said, error.row + first + start) from error
        if outputs.values.shape != expected:
            raise ModelError(
                f"the model answered {outputs.values.shape} to {expected[0]} rows with "
                f"{expected[1]} classes; an adapter must answer {expected}"
            )
        values.append(np.asarray(outputs.values, dtype=np.float32))
        space = outputs.space
        progress(expected[0])
    flat = np.concatenate(values) if values else np.empty((0, len(model.classes)), np.float32)
    outputs_column = pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1])
    table = pa.table({"row": pa.array(rows.tolist(), pa.binary()), "outputs": outputs_column})
    return table.replace_schema_metadata({"space": space})


def _about(question: Question) -> dict[str, object]:
    key = question.key()
    return {
        "kind": "full",
        "rows": len(question.rows),
        "dtype": "float32",
        "temperatures": "any",
        **{name: key[name] for name in ("model", "inputs", "split", "variant", "classes")},
    }


def _recording(table: pa.Table, entry: Entry, question: Question, computed: int) -> Recording:
    rows, classes = question.rows, question.model.classes
    if table.column("row").to_pylist() != rows.tolist():
        raise DamagedError(f"stored evidence {entry.digest} holds other rows than its key says")
    values = table.column("outputs").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    space: Space = "logits" if table.schema.metadata[b"space"] == b"logits" else "probabilities"
    return Recording(
        values=values.reshape(len(rows), len(classes)),
        space=space,
        rows=rows,
        classes=classes,
        digest=entry.digest,
        computed=computed,
    )
