"""The one label that a teacher gives each row: a label like another, and no soft target."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import cross_entropy

from kdaudit.distill.objectives.objective import Forward, Objective, upcast
from kdaudit.distill.objectives.weighting import RowWeights
from kdaudit.distill.training.sources import STUDENT, TEACHER, Batch


class TeacherLabel(Objective):
    """Weight times the cross-entropy to the teacher's label, at T = 1.

    One-hot, not smoothed: how sure the teacher was is unknown, and a smoothed label would say it
    was equally sure everywhere.
    """

    def __init__(self, *, name: str, weight: float, rows: RowWeights | None = None) -> None:
        super().__init__()
        self.name = name
        self.weight = weight
        self.rows = rows
        minus = "-" if rows is None else "-w·"
        said = f"{weight!r}·mean_rows({minus}log q_1(ŷ)), ŷ: the teacher's label"
        self.formula = said if rows is None else f"{said}, {rows.formula}"

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The cross-entropy of the student."""
        labels = batch.answers(TEACHER).argmax(dim=1)
        per_row = cross_entropy(upcast(outputs[STUDENT].logits), labels, reduction="none")
        if self.rows is not None:
            per_row = self.rows(batch) * per_row
        return self.weight * per_row.mean()
