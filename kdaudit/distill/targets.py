"""The teacher's answers to the rows a student learns from, looked up by content or id.

A model's answers are its recording in the store, found by the digest of what it was shown; answers
from a file are found by id. Never by position: the orders of two files agree until they do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from kdaudit.data.frame import Frame
from kdaudit.errors import DataError, examples
from kdaudit.evidence.align import probabilities_of
from kdaudit.evidence.kinds import Floats
from kdaudit.evidence.record import Question, record
from kdaudit.evidence.store import Store
from kdaudit.models.adapter import Adapter, Answers, Runnable
from kdaudit.progress import Advance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """A teacher's answers to N rows.

    Attributes:
        values: (N, C) log-probabilities, float32; -inf where it excludes a class.
        classes: (C,) the teacher's own names.
        evidence: digest of what they were read from.
    """

    values: torch.Tensor
    classes: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Teacher:
    """Who is asked, and how to find its answers.

    Attributes:
        name: as the audit file says it.
        adapter: a model, or a file of its answers.
        id_column: of such a file.
        two_classes: (favourable, other), for a file with one score.
    """

    name: str
    adapter: Adapter
    id_column: str
    two_classes: Sequence[str]

    def answers(self, frame: Frame, split: str, store: Store, advance: Advance) -> Targets:
        """Ask it the rows of a frame, or find the answers it gave before.

        Args:
            frame: the rows.
            split: their name; part of the evidence's key.
            store: of recordings.
            advance: told of every row.

        Raises:
            DataError: if any row has no valid answer.
        """
        if isinstance(self.adapter, Runnable):
            rows = frame.rows()
            question = Question(model=self.adapter, columns=frame.inputs, rows=rows, split=split)
            recording = record(question, store=store, progress=advance)
            values, _ = probabilities_of(recording.values, recording.space, self.name)
            found = by_content(recording.rows, values, rows)
            classes, evidence = recording.classes, recording.digest
        else:
            answers = self.adapter.answers(self.id_column, self.two_classes)
            found = by_id(answers, frame.ids, self.name)
            classes, evidence = answers.classes, self.adapter.identity()["sha256"]
        lacking = np.isnan(found).any(axis=1)
        if lacking.any():
            raise DataError(
                f"[teacher] {self.name} has no valid answer to {int(lacking.sum())} of the "
                f"{len(frame)} {split} rows, e.g. {examples(frame.ids[lacking].tolist())}; a "
                "student cannot learn from those: record them, or leave the rows out of the split"
            )
        with np.errstate(divide="ignore"):  # a probability of 0 is an answer: its logarithm is -inf
            values = np.log(found).astype(np.float32)
        return Targets(values=torch.from_numpy(values), classes=tuple(classes), evidence=evidence)


def by_content(
    recorded: npt.NDArray[np.object_], values: Floats, rows: npt.NDArray[np.object_]
) -> Floats:
    """Answers to ``rows``, by the digest of what was shown; NaN where there is none.

    Args:
        recorded: (M,) digests of the rows that were recorded.
        values: (M, C) answers to them.
        rows: (N,) digests of the rows that are asked for.

    >>> known, values = np.array([b"a", b"b"]), np.array([[1.0], [2.0]])
    >>> by_content(known, values, np.array([b"b", b"c"])).tolist()
    [[2.0], [nan]]
    """
    place: Mapping[bytes, int] = {row: i for i, row in enumerate(recorded.tolist())}
    index = np.array([place.get(row, -1) for row in rows.tolist()], dtype=np.int64)
    return np.where(index[:, None] >= 0, values[index], np.nan)


def by_id(answers: Answers, ids: npt.NDArray[np.object_], who: str) -> Floats:
    """Probabilities of the answers to ``ids``; NaN where there is none.

    Raises:
        DataError: for a file of labels, which has no probabilities.
    """
    if answers.probabilities is None:
        raise DataError(
            f"[teacher] {who} holds labels only; a soft objective needs probabilities: give "
            "p_<class> columns, or train on the labels with [objectives.hard]"
        )
    values, _ = probabilities_of(answers.probabilities, "probabilities", who)
    index = pd.Index(answers.ids).get_indexer(pd.Index(ids))
    return np.where(index[:, None] >= 0, values[index], np.nan)
