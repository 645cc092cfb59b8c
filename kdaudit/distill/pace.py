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

    def step(
        self,
        optimisers: Sequence[torch.optim.Optimizer],
        rates: Sequence[Sequence[float]],
        factor: float,
    ) -> None:
        """Clip, set the rates, and step.

        Args:
            optimisers: with gradients.
            rates: of each optimiser's groups, before any factor.
            factor: as `factor` gives it.
        """
        for optimiser, own in zip(optimisers, rates, strict=True):
            for group, rate in zip(optimiser.param_groups, own, strict=True):
                group["lr"] = rate * factor
            if self.clip is not None:
                learnt = [p for group in optimiser.param_groups for p in group["params"]]
                torch.nn.utils.clip_grad_norm_(learnt, self.clip)
            optimiser.step()
