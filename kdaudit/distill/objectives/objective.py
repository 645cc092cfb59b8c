"""What a loss term is, and what it is given."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor, nn

from kdaudit.distill.training.sources import STUDENT, Batch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forward:
    """What one participant gave for a batch of B rows.

    Attributes:
        logits: (B, C).
        inner: what its watched modules gave, by the name under which they are watched.
    """

    logits: Tensor
    inner: Mapping[str, Tensor] = field(default_factory=dict)


class Objective(nn.Module, ABC):
    """A loss term; being a module, it may own modules, which are then trained and kept with it.

    Attributes:
        name: in curves; distinct among the terms of a run.
        formula: the whole term in words of mathematics, weight included: z are logits,
            p_T = softmax(z_teacher / T), q_T = softmax(z_student / T), y the label, h what a
            module gives.
        watches: names of modules whose outputs it reads, by participant; none of a teacher that is
            only asked.
        trains: the participants whose weights it moves; modules of its own move with the first.
        validated: whether its value on validation rows counts for when to stop. Only terms that
            train the student ever do.
    """

    name: str
    formula: str
    watches: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    trains: tuple[str, ...] = (STUDENT,)
    validated: bool = True

    @abstractmethod
    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The weighted loss, a mean over the rows of the batch.

        Args:
            outputs: what each participant gave, by its name.
            batch: labels and stored targets.
        """

    def count(self, batch: Batch) -> int:
        """What the mean is over: rows, unless a term says otherwise, such as positions.

        A batch may be worked off in parts, by several processes too; each part then counts by its
        share of this number, so that the whole has the gradient of the batch in one piece.
        """
        return len(batch)

    def measured(self, batch: Batch) -> dict[str, float]:  # noqa: ARG002  # of those that measure
        """What a term that asks the student itself tells of validation rows beside its value.

        Means over the same as the value, by name; nothing unless a term says otherwise.
        """
        return {}


@dataclass(frozen=True, slots=True, eq=False)
class Borrowed:
    """A module that a term uses and does not own, so that the term's learner does not move it.

    Attributes:
        module: of a participant whose own terms train it.
    """

    module: nn.Module

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Run the module."""
        found: Tensor = self.module(*inputs)
        return found


def upcast(values: Tensor) -> Tensor:
    """In float32 at least: halves lose what a logarithm needs."""
    if values.dtype in (torch.float32, torch.float64):
        return values
    return values.to(torch.promote_types(values.dtype, torch.float32))
