"""How fast a run learns: the rate at every step, and the longest step it may take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from kdaudit.distill.recipe import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Learning rate over time, and clipping of gradients.

    What the rate is follows from the number of the step alone, so a resumed run needs no state of
    it.

    Attributes:
        schedule: constant, or falling towards 0 after the last step, along a line or half a cosine.
        warmup: share of all steps over which the rate first rises from 0, in [0, 1).
        clip: longest gradient of an optimiser's weights together (Euclidean norm); None for any.
    """

    schedule: Schedule = "constant"
    warmup: float = 0.0
    clip: float | None = None

    def factor(self, step: int, steps: int) -> float:
        """What the learning rate is multiplied by.

        Args:
            step: counted from 0.
            steps: most steps of the run, were it never stopped early.

        >>> pace = Pace(schedule="linear", warmup=0.2)
        >>> [round(pace.factor(step, 10), 3) for step in (0, 1, 2, 6, 9)]
        [0.5, 1.0, 1.0, 0.5, 0.125]
        >>> round(Pace(schedule="cosine").factor(5, 10), 3)
        0.5
        """
        rising = round(self.warmup * steps)
        if step < rising:
            return (step + 1) / rising
        if self.schedule == "constant":
            return 1.0
        left = 1 - (step - rising) / max(1, steps - rising)
        return left if self.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2

    def mover(self, optimisers: Sequence[torch.optim.Optimizer], steps: int) -> "Mover":
        """Whatever steps these optimisers at this pace.

        Args:
            optimisers: with the rates they would have at a factor of 1.
            steps: most steps of the run, were it never stopped early.
        """
        rates = [[float(group["lr"]) for group in one.param_groups] for one in optimisers]
        learnt = [[p for group in one.param_groups for p in group["params"]] for one in optimisers]
        return Mover(self, steps, list(zip(optimisers, rates, learnt, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class Mover:
    """Steps every optimiser at the pace of the run.

    Attributes:
        pace: the pace.
        steps: most steps of the run.
        moved: each optimiser, the rates of its groups before any factor, and its weights.
    """

    pace: Pace
    steps: int
    moved: list[tuple[torch.optim.Optimizer, list[float], list[torch.Tensor]]]

    def __call__(self, step: int) -> None:
        """Set the rates, clip, and step; the gradients are there, and steps count from 0."""
        factor = self.pace.factor(step, self.steps)
        for optimiser, rates, learnt in self.moved:
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            if self.pace.clip is not None:
                torch.nn.utils.clip_grad_norm_(learnt, self.pace.clip)
            optimiser.step()
