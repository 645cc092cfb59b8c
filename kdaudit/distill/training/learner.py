"""A module that takes part in training, and how it changes: by gradients, by following, or not."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn


class Follow(Protocol):
    """How a module follows others without gradients; what it needs to remember is in the module."""

    def after_step(self, own: nn.Module, others: Mapping[str, nn.Module]) -> None:
        """Follow once every learner has taken a step.

        Args:
            own: the module that follows.
            others: the module of each participant, by name.
        """
        ...

    def after_epoch(self, own: nn.Module, others: Mapping[str, nn.Module]) -> None:
        """Follow at the end of an epoch, after validation."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learner:
    """A module with whatever changes it.

    As such it is shown no rows: loss terms or the source call its module, as they do with a
    discriminator or a generator. A `Participant` is asked about every batch as well.

    Attributes:
        name: letters, digits and underscores; loss terms that train it name it under ``trains``.
        module: in train mode during an epoch if it has an optimiser, else in eval mode.
        optimiser: of its weights and of those its terms own; None for one that takes no steps.
        follow: how it follows others, or None.
    """

    name: str
    module: nn.Module
    optimiser: torch.optim.Optimizer | None = None
    follow: Follow | None = None

    def __post_init__(self) -> None:
        self.module.eval()

    @property
    def kept(self) -> bool:
        """Whether it changes, and so belongs to a checkpoint."""
        return self.optimiser is not None or self.follow is not None

    def mode(self, *, learning: bool) -> bool:
        """Put the module into train mode if it learns now; whether it does."""
        active = learning and self.optimiser is not None
        if self.module.training != active:
            self.module.train(active)
        return active


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """An exponential moving average of a learner's weights (Tarvainen and Valpola 2017).

    Buffers, such as the statistics of a batch norm, are the learner's own.

    Attributes:
        of: the learner's name.
        decay: share of the average that a step leaves, in [0, 1).
    """

    of: str
    decay: float

    @torch.no_grad()
    def after_step(self, own: nn.Module, others: Mapping[str, nn.Module]) -> None:
        """Move towards the learner."""
        followed = others[self.of]
        for weight, theirs in zip(own.parameters(), followed.parameters(), strict=True):
            weight.lerp_(theirs, 1 - self.decay)
        for buffer, known in zip(own.buffers(), followed.buffers(), strict=True):
            buffer.copy_(known)

    def after_epoch(self, own: nn.Module, others: Mapping[str, nn.Module]) -> None:
        """Stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A learner as it was at the end of the last epoch.

    Attributes:
        of: the learner's name.
    """

    of: str

    def after_step(self, own: nn.Module, others: Mapping[str, nn.Module]) -> None:
        """Stay."""

    def after_epoch(self, own: nn.Module, others: Mapping[str, nn.Module]) -> None:
        """Become the learner of now."""
        own.load_state_dict(others[self.of].state_dict())


def copied(module: nn.Module) -> nn.Module:
    """A copy that takes no gradients, for a follower to start from."""
    return deepcopy(module).requires_grad_(requires_grad=False)
