"""What an earlier run of benchmarks left behind: scores by task, document and repeat."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from kdaudit.data.typed_tables import column, from_frame
from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Floats

Better = Literal["higher", "lower"]
LONGEST = 200  # characters of a cell that is kept as a column of the rows


@dataclass(frozen=True, slots=True)
class Reported:
    """What the tool itself says of a task or group: a value, and its standard error if any."""

    value: float
    stderr: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskLog:
    """One task of one run; every sequence is (M,), a row per document and repeat.

    Attributes:
        task: its name.
        file: where it stands, for messages.
        version: of the task, or None where the run does not say.
        setting: what must be equal to compare two runs beside the version, by name.
        filters: names of what was applied to the answers before they were scored.
        documents: digests of the documents.
        repeats: 0 for the first time a document was asked, 1 for the second …
        prompts: digests of what the model was shown.
        targets: digests of what was expected.
        scores: by metric, (M,) numbers; NaN where the row has none.
        unscored: by metric, why it has no number per row.
        better: by metric, which way is better, where the run says so.
        averaged: metrics that the tool averages over rows.
        reported: by metric, the tool's own aggregate.
        fields: columns of the document that are short: text, numbers, truth values.
    """

    task: str
    file: str
    version: str | None
    setting: Mapping[str, str]
    filters: frozenset[str]
    documents: tuple[str, ...]
    repeats: tuple[int, ...]
    prompts: tuple[str, ...]
    targets: tuple[str, ...]
    scores: Mapping[str, Floats]
    unscored: Mapping[str, str]
    better: Mapping[str, Better]
    averaged: frozenset[str]
    reported: Mapping[str, Reported]
    fields: Mapping[str, tuple[object, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def ids(self) -> list[str]:
        """(M,) by which rows pair: task, document, repeat."""
        return [
            f"{self.task}/{document}/{repeat}"
            for document, repeat in zip(self.documents, self.repeats, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLog:
    """A group of tasks: its leaves, and the tool's own aggregate by metric."""

    group: str
    tasks: tuple[str, ...]
    reported: Mapping[str, Reported]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BenchmarkLogs:
    """All tasks of one model.

    Attributes:
        tool: that ran them.
        name: as the audit file names the folder or file.
        sha256: of every file that was read.
        tasks: by name, sorted.
        groups: of tasks, by name, sorted.
        about: what is known of the model: its folder and files, where it ran here.
    """

    tool: str
    name: str
    sha256: str
    tasks: Mapping[str, TaskLog]
    groups: tuple[GroupLog, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row per task, document and repeat: id, task, document, repeat, ``doc.<field>``."""
        return from_frame(pd.concat([_rows(log) for log in self.tasks.values()], ignore_index=True))


def _rows(log: TaskLog) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": log.ids,
            "task": log.task,
            "document": log.documents,
            "repeat": np.array(log.repeats, dtype=np.int64),
            **{f"doc.{name}": column(cells) for name, cells in log.fields.items()},
        }
    )


def short_fields(documents: Sequence[object]) -> dict[str, tuple[object, ...]]:
    """Columns of documents whose every cell is short: text, a number, a truth value or nothing."""
    found = [document for document in documents if isinstance(document, dict)]
    if len(found) < len(documents):
        return {}
    names = sorted({str(name) for document in found for name in document})
    columns = {name: tuple(document.get(name) for document in found) for name in names}
    return {name: cells for name, cells in columns.items() if all(map(_is_short, cells))}


def _is_short(cell: object) -> bool:
    if isinstance(cell, str):
        return len(cell) <= LONGEST
    return cell is None or isinstance(cell, bool | int | float)


def once(logs: Sequence[TaskLog]) -> dict[str, TaskLog]:
    """The logs by task, sorted.

    Raises:
        DataError: for a task that was run twice, naming both files.
    """
    found: dict[str, TaskLog] = {}
    for log in logs:
        if log.task in found:
            raise DataError(
                f"task {log.task!r} stands in {found[log.task].file} and in {log.file}; name a "
                "folder that holds one run of one model, or move one of them away"
            )
        found[log.task] = log
    return dict(sorted(found.items()))


def repeats(documents: Iterable[str]) -> Iterator[int]:
    """How often each document stood before.

    >>> list(repeats(["a", "b", "a"]))
    [0, 0, 1]
    """
    seen: Counter[str] = Counter()
    for document in documents:
        yield seen[document]
        seen[document] += 1
