"""Where batches come from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from kdaudit.stats.random import stream


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Rows a student learns from.

    Attributes:
        inputs: (B, D) encoded.
        labels: (B,) class indices, or None.
        targets: (B, C) the teacher's logits, each row up to a constant, or None; -inf where it
            excludes a class.
    """

    inputs: Tensor
    labels: Tensor | None = None
    targets: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Tensor) -> "Batch":
        """Some of the rows; each keeps its own label and target."""
        return replace(
            self,
            inputs=self.inputs[rows],
            labels=None if self.labels is None else self.labels[rows],
            targets=None if self.targets is None else self.targets[rows],
        )


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
        order = stream(self.seed, "order", str(epoch)).permutation(len(self.rows))
        for rows in np.array_split(order, len(self)):
            yield self.rows.take(torch.from_numpy(rows))
