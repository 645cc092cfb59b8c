"""Hints: the student's layers learn to say what the teacher's say (Romero et al. 2015)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from kdaudit.distill.objectives.activations import Pair, mean_over_positions, positions, watches
from kdaudit.distill.objectives.objective import Forward, Objective
from kdaudit.distill.training.sources import Batch

FORMULAS = {"mse": "Σ_d (g(d) - h_teacher(d))²/D", "cosine": "1 - cos(g, h_teacher)"}


class Hints(Objective):
    """Weight times the mean over rows, pairs and positions of a distance to the teacher's layer.

    The projectors are trained with the student and stay behind when it is exported.
    """

    def __init__(
        self,
        *,
        weight: float,
        pairs: Sequence[Pair],
        projectors: Sequence[nn.Module],
        distance: Literal["mse", "cosine"],
        padding: int | None = None,
    ) -> None:
        super().__init__()
        self.name = "feature"
        self.weight = weight
        self.pairs = pairs
        self.projectors = nn.ModuleList(projectors)
        self.distance = distance
        self.padding = padding
        self.watches = watches(pairs)
        projected = any(not isinstance(one, nn.Identity) for one in projectors)
        self.formula = (
            f"{weight!r}·mean_rows(mean_layers(mean_positions({FORMULAS[distance]}))), "
            f"g = {'W·h_student + b' if projected else 'h_student'}, "
            f"layers {', '.join(map(str, pairs))}"
            + ("" if padding is None else f", positions without token {padding}")
        )

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The distance."""
        rows = []
        for pair, projector in zip(self.pairs, self.projectors, strict=True):
            student, teacher = (positions(given) for given in pair.of(outputs))
            guess = projector(student)
            each = (
                (guess - teacher).square().mean(dim=2)
                if self.distance == "mse"
                else 1 - cosine_similarity(guess, teacher, dim=2)
            )
            rows.append(mean_over_positions(each, batch, self.padding))
        return self.weight * torch.stack(rows).mean()
