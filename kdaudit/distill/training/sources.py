"""Where batches come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kdaudit.stats.random import stream

TargetKind = Literal["full", "top_k", "label", "counts"]
NAMED = ("inputs", "labels", "targets", "groups", "norms")

STUDENT = "student"
TEACHER = "teacher"  # of the audit file; further ones have names of their own


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Rows a student learns from.

    Attributes:
        inputs: (B, D) encoded.
        labels: (B,) class indices, or None.
        targets: (B, C) the teacher's logits, each row up to a constant, or None; -inf where it
            excludes a class.
        further: the same of further teachers, by name.
        shown: (B, ...) what a participant is shown where that is not ``inputs``, by its name.
        groups: (B,) codes of groups, or None.
        norms: (B, n_T) where targets are truncated: log Σ_c exp(z(c)/T) over all classes, for each
            of ``temperatures``; ``targets`` are then the logits z of the classes that are listed,
            -inf elsewhere. Else None.
        temperatures: at which the targets may be used; empty for any.
        kind: what targets are.
    """

    inputs: Tensor
    labels: Tensor | None = None
    targets: Tensor | None = None
    further: Mapping[str, Tensor] = field(default_factory=dict)
    shown: Mapping[str, Tensor] = field(default_factory=dict)
    groups: Tensor | None = None
    norms: Tensor | None = None
    temperatures: tuple[float, ...] = ()
    kind: TargetKind = "full"

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Tensor | slice) -> "Batch":
        """Some of the rows; each keeps everything that is its own."""
        return replace(
            self,
            inputs=_rows(self.inputs, rows),
            labels=None if self.labels is None else _rows(self.labels, rows),
            groups=None if self.groups is None else _rows(self.groups, rows),
            **self._said(rows),
        )

    def taught(self, rows: Tensor | slice) -> "Batch":
        """Inputs, labels and groups as they are, with what teachers say and see of ``rows``."""
        return replace(self, **self._said(rows))

    def _said(self, rows: Tensor | slice) -> dict[str, Any]:
        return {
            "targets": None if self.targets is None else _rows(self.targets, rows),
            "norms": None if self.norms is None else _rows(self.norms, rows),
            "further": {name: _rows(answers, rows) for name, answers in self.further.items()},
            "shown": {name: _rows(inputs, rows) for name, inputs in self.shown.items()},
        }

    def answers(self, teacher: str) -> Tensor:
        """(B, C) the stored logits of one teacher."""
        found = self.targets if teacher == TEACHER else self.further[teacher]
        assert found is not None
        return found

    def seen_by(self, participant: str) -> Tensor:
        """(B, ...) what a participant is shown."""
        return self.shown.get(participant, self.inputs)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name; those that are not there are left out."""
        own = {name: getattr(self, name) for name in NAMED}
        named = {f"further/{name}": x for name, x in self.further.items()}
        named |= {f"shown/{name}": x for name, x in self.shown.items()}
        return {name: x for name, x in own.items() if x is not None} | named


def _rows(tensor: Tensor, rows: Tensor | slice) -> Tensor:
    """``tensor[rows]``; by numbers, every batch's case, in half the time."""
    if isinstance(rows, Tensor) and rows.dtype == torch.int64:
        return tensor.index_select(0, rows)
    return tensor[rows]


class Source(Protocol):
    """Yields batches: a data set, a teacher's text, a student's samples, a generator."""

    def __len__(self) -> int:
        """Batches per epoch."""
        ...

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch; the same ones whenever it is asked for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stored:
    """Rows in memory, in an order that depends on seed and epoch alone.

    Batches differ in size by one row at most, so that no epoch ends in a batch of a single row.

    Attributes:
        rows: all of them.
        batch_size: most rows of a batch.
        seed: of the arm.
    """

    rows: Batch
    batch_size: int
    seed: int

    def __len__(self) -> int:
        return max(1, -(-len(self.rows) // self.batch_size))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Every row once, in the order of the stream (seed, "order", epoch)."""
        for rows in self.parts(epoch):
            yield self.rows.take(torch.from_numpy(rows))

    def parts(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """Which rows each batch has."""
        order = stream(self.seed, "order", str(epoch)).permutation(len(self.rows))
        return np.array_split(order, len(self))
