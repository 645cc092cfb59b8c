"""A model that takes part in training: one that learns, or one that only answers."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdaudit.models.code import Code
from kdaudit.models.torch import logits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Participant:
    """A module, and its optimiser if it has one.

    Attributes:
        name: what objectives call its outputs.
        module: maps (B, D) to logits (B, C).
        factory: what built it; for messages.
        classes: C.
        optimiser: None for one that never changes: it stays in eval mode and gets no gradients.
    """

    name: str
    module: nn.Module
    factory: Code
    classes: int
    optimiser: torch.optim.Optimizer | None = None

    def __post_init__(self) -> None:
        self.module.eval()

    def __call__(self, inputs: Tensor, *, learning: bool) -> Tensor:
        """Logits (B, C); in train mode and with gradients only where it learns now.

        Raises:
            ModelError: if its own code fails.
        """
        active = learning and self.optimiser is not None
        if self.module.training != active:
            self.module.train(active)
        with torch.set_grad_enabled(active):
            return logits(self.module, inputs, self.factory, self.classes)
