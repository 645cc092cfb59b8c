"""What the student is to answer: targets made of what the teachers answered.

Each reading gives (B, C) logits, a row up to a constant, whose softmax at the temperature asked for
is the target.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kdaudit.distill.objectives.objective import upcast
from kdaudit.distill.training.sources import TEACHER, Batch


class Reading(nn.Module, ABC):
    """From a batch to targets; ``formula`` says how, and is empty for targets as they are."""

    formula: str

    @abstractmethod
    def forward(self, batch: Batch, temperature: float) -> Tensor:
        """(B, C) logits of the targets at ``temperature``."""


class Stored(Reading):
    """The teacher's answers as they are."""

    formula = ""

    def forward(self, batch: Batch, temperature: float) -> Tensor:  # noqa: ARG002  # at any
        """The stored targets."""
        return batch.answers(TEACHER)


class Corrected(Reading):
    """The teacher's answers with other class shares in each group (Saerens et al. 2002, §2).

    p(c | x) becomes proportional to p(c | x)·π(c)/π_g(c): as if every group g had the shares π.

    Attributes:
        offsets: (G, C), log π(c) - log π_g(c).
    """

    offsets: Tensor

    def __init__(self, offsets: Tensor, formula: str) -> None:
        super().__init__()
        self.register_buffer("offsets", offsets)
        self.formula = formula

    def forward(self, batch: Batch, temperature: float) -> Tensor:  # noqa: ARG002  # at any
        """The stored targets, moved by the row of the row's group."""
        assert batch.groups is not None
        return batch.answers(TEACHER) + self.offsets[batch.groups]


class Mixture(Reading):
    """The weighted mean of the teachers' softened probabilities."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = weights
        self.formula = f"p_T = {_sum(weights, 'softmax(z_{}/T)')}"

    def forward(self, batch: Batch, temperature: float) -> Tensor:
        """Their logarithm, times the temperature that will divide it."""
        parts = [
            (upcast(batch.answers(name)) / temperature).log_softmax(dim=1) + math.log(weight)
            for name, weight in self.weights.items()
        ]
        return temperature * torch.stack(parts).logsumexp(dim=0)


class MeanLogits(Reading):
    """The softmax of the weighted mean of the teachers' logits: what they all allow."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = weights
        self.formula = f"z_teacher = {_sum(weights, 'z_{}')}"

    def forward(self, batch: Batch, temperature: float) -> Tensor:  # noqa: ARG002  # at any
        """The mean; a constant that one teacher's row has more is a constant of the mean."""
        parts = [weight * upcast(batch.answers(name)) for name, weight in self.weights.items()]
        return torch.stack(parts).sum(dim=0)


def _sum(weights: Mapping[str, float], each: str) -> str:
    return " + ".join(f"{weight!r}·{each.format(name)}" for name, weight in weights.items())
