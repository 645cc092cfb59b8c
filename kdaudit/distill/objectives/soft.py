"""The teacher's softened answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kdaudit.distill.objectives.bucket import coarse_student, coarse_target
from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.objectives.objective import Forward, Objective
from kdaudit.distill.objectives.readings import Reading, Stored
from kdaudit.distill.objectives.weighting import RowWeights
from kdaudit.distill.training.sources import STUDENT, Batch
from kdaudit.evidence.truncated import place


class Soft(Objective):
    """Weight times T² times the mean over rows of the divergence from the targets.

    Of truncated targets it is that over the listed classes and one bucket of all others.
    """

    def __init__(
        self,
        *,
        name: str,
        weight: float,
        divergence: Divergence,
        reading: Reading | None = None,
        rows: RowWeights | None = None,
        truncated: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.weight = weight
        self.divergence = divergence
        self.reading = reading or Stored()
        self.rows = rows
        said = (
            divergence.formula(weight, "" if rows is None else "w·"),
            self.reading.formula,
            "c: each listed class, and all others as one" if truncated else "",
            "" if rows is None else rows.formula,
        )
        self.formula = ", ".join(part for part in said if part)

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The divergence of the student from the stored targets."""
        student = outputs[STUDENT].logits
        targets = self.reading(batch, self.divergence.temperature)
        if batch.norms is None:
            per_row = self.divergence(student, targets)
        else:
            per_row = self._bucketed(student, targets, batch.norms, batch.temperatures)
        if self.rows is not None:
            per_row = self.rows(batch) * per_row
        return self.weight * self.divergence.factor * per_row.mean()

    def _bucketed(
        self, student: Tensor, targets: Tensor, norms: Tensor, temperatures: Sequence[float]
    ) -> Tensor:
        temperature = self.divergence.temperature
        given = norms[:, place(temperatures, temperature)]
        divergence = replace(self.divergence, temperature=1.0)  # they are softened already
        return divergence(
            coarse_student(student, torch.isfinite(targets), temperature),
            coarse_target(targets, given, temperature),
        )
