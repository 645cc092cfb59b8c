"""What a loss term is, and what it is given."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor, nn

from kdaudit.distill.sources import Batch


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
        watches: names of modules whose outputs it reads, by participant.
    """

    name: str
    formula: str
    watches: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @abstractmethod
    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The weighted loss, a mean over the rows of the batch.

        Args:
            outputs: what each participant gave, by its name.
            batch: labels and stored targets.
        """


def upcast(values: Tensor) -> Tensor:
    """In float32 at least: halves lose what a logarithm needs."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
