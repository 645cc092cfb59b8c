"""The teacher's softened answers."""

from collections.abc import Mapping

from torch import Tensor

from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.objectives.objective import Forward, Objective
from kdaudit.distill.objectives.readings import Reading, Stored
from kdaudit.distill.objectives.weighting import RowWeights
from kdaudit.distill.sources import STUDENT, Batch


class Soft(Objective):
    """Weight times T² times the mean over rows of the divergence from the targets."""

    def __init__(
        self,
        *,
        name: str,
        weight: float,
        divergence: Divergence,
        reading: Reading | None = None,
        rows: RowWeights | None = None,
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
            "" if rows is None else rows.formula,
        )
        self.formula = ", ".join(part for part in said if part)

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The divergence of the student from the stored targets."""
        targets = self.reading(batch, self.divergence.temperature)
        per_row = self.divergence(outputs[STUDENT].logits, targets)
        if self.rows is not None:
            per_row = self.rows(batch) * per_row
        return self.weight * self.divergence.factor * per_row.mean()
