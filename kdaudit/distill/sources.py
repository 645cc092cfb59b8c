"""Where batches come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from kdaudit.stats.random import stream

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
    """

    inputs: Tensor
    labels: Tensor | None = None
    targets: Tensor | None = None
    further: Mapping[str, Tensor] = field(default_factory=dict)
    shown: Mapping[str, Tensor] = field(default_factory=dict)
    groups: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: Tensor | slice) -> "Batch":
        """Some of the rows; each keeps everything that is its own."""
        return replace(
            self.taught(rows),
            inputs=self.inputs[rows],
            labels=None if self.labels is None else self.labels[rows],
            groups=None if self.groups is None else self.groups[rows],
        )

    def taught(self, rows: Tensor | slice) -> "Batch":
        """Inputs, labels and groups as they are, with what teachers say and see of ``rows``."""
        return replace(
            self,
            targets=None if self.targets is None else self.targets[rows],
            further={name: answers[rows] for name, answers in self.further.items()},
            shown={name: inputs[rows] for name, inputs in self.shown.items()},
        )

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
        own = {name: getattr(self, name) for name in ("inputs", "labels", "targets", "groups")}
        named = {f"further/{name}": x for name, x in self.further.items()}
        named |= {f"shown/{name}": x for name, x in self.shown.items()}
        return {name: x for name, x in own.items() if x is not None} | named


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
