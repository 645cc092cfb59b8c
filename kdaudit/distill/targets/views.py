"""Augmented rows: what a student is shown is drawn anew, and its targets are of what it was shown.

Targets that were stored of the rows as they are belong to no augmented row: the teacher is either
asked about every batch (`Live`), or has answered a fixed number of views of each row (`Views`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kdaudit.distill.training.sources import TEACHER, Batch, Stored
from kdaudit.errors import ModelError
from kdaudit.models.adapter import Columns
from kdaudit.models.code import Code
from kdaudit.models.inputs import for_code
from kdaudit.models.torch import Encoder
from kdaudit.stats.random import stream

Rows = npt.NDArray[np.int64]


def view(augment: Code, columns: Columns, generator: np.random.Generator) -> Columns:
    """The rows as ``augment(columns, generator)`` changes them.

    Args:
        augment: given a dict of (N,) arrays and a generator, from which alone it may draw; returns
            a dict of the same columns and rows.
        columns: (N,) arrays by name; copies are handed over.
        generator: of what it draws.

    Raises:
        ModelError: if it fails, or returns other columns or rows.
    """
    n = len(next(iter(columns.values())))
    shown = for_code(columns)
    given = augment({name: column.copy() for name, column in shown.items()}, generator)
    if not isinstance(given, Mapping) or set(given) != set(columns):
        got = sorted(given) if isinstance(given, Mapping) else type(given).__name__
        raise ModelError(f"{augment.name} must return the columns {sorted(columns)}, got {got}")
    found = {name: np.asarray(given[name]) for name in columns}
    for name, column in found.items():
        if column.shape != (n,):
            raise ModelError(f"{augment.name} made {column.shape} of {name!r}; needed is ({n},)")
    return found


def numbered(augment: Code, columns: Columns, number: int) -> Columns:
    """The stored view of a number; the same for every seed of a recipe."""
    return view(augment, columns, stream(0, "view", str(number)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Live:
    """Rows that are changed anew in every batch, and shown so to the student and to the teacher.

    What is drawn depends on the seed, the epoch and the number of the batch alone, so a resumed run
    sees the same views.

    Attributes:
        order: the rows as they are, and the order in which they come.
        columns: (N,) input columns of those rows.
        augment: changes them.
        encoder: of the student.
        answer: (B, C) targets of changed rows; None where nobody asks for them.
        shown: what the teacher's module is shown of changed rows, where a method looks into it.
        taught: (N,) the row whose view the teacher sees in place of each; None for its own.
    """

    order: Stored
    columns: Columns
    augment: Code
    encoder: Encoder
    answer: Callable[[Columns], Tensor] | None = None
    shown: Callable[[Columns], Tensor] | None = None
    taught: Rows | None = None

    def __len__(self) -> int:
        return len(self.order)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Every row once, each in a view of its own."""
        for number, rows in enumerate(self.order.parts(epoch)):
            changed = self._view(rows, "augment", epoch, number)
            seen = changed
            if self.taught is not None:
                seen = self._view(self.taught[rows], "augment for another", epoch, number)
            batch = self.order.rows.take(torch.from_numpy(rows))
            yield replace(
                batch,
                inputs=encoded(self.encoder, changed, self.augment),
                targets=None if self.answer is None else self.answer(seen),
                shown={} if self.shown is None else {TEACHER: self.shown(seen)},
            )

    def _view(self, rows: Rows, name: str, epoch: int, number: int) -> Columns:
        given = {column: values[rows] for column, values in self.columns.items()}
        return view(self.augment, given, stream(self.order.seed, name, str(epoch), str(number)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Views:
    """Stored views of all rows, one after the other: epoch e learns from view (e - 1) mod n.

    Attributes:
        views: (n) the same rows in the same order, changed in different ways.
    """

    views: tuple[Stored, ...]

    def __len__(self) -> int:
        return len(self.views[0])

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Every row once."""
        return self.views[(epoch - 1) % len(self.views)].batches(epoch)


def encoded(encoder: Encoder, columns: Columns, augment: Code) -> Tensor:
    """(B, D) what a student is shown.

    Raises:
        ModelError: for NaN or infinity.
    """
    found = encoder(columns)
    if not bool(torch.isfinite(found).all()):
        raise ModelError(f"{augment.name} makes rows that are encoded as NaN or infinity")
    return found
