"""The labels."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import cross_entropy

from kdaudit.distill.objectives.objective import Forward, Objective, upcast
from kdaudit.distill.objectives.weighting import RowWeights
from kdaudit.distill.training.sources import STUDENT, Batch


class Hard(Objective):
    """Cross-entropy; optionally of smoothed labels (Szegedy et al. 2016, §7)."""

    def __init__(
        self,
        *,
        name: str,
        weight: float,
        smoothing: float = 0.0,
        rows: RowWeights | None = None,
        learner: str = STUDENT,
    ) -> None:
        super().__init__()
        self.learner = learner
        self.trains = (learner,)
        self.name = name
        self.weight = weight
        self.smoothing = smoothing
        self.rows = rows
        minus = "-" if rows is None else "-w·"
        said = (
            f"{weight!r}·mean_rows({minus}Σ_c r(c)·log q_1(c)), r(c) = (1 - ε)·[c = y] + ε/C, "
            f"ε = {smoothing!r}"
            if smoothing
            else f"{weight!r}·mean_rows({minus}log q_1(y))"
        )
        self.formula = said if rows is None else f"{said}, {rows.formula}"

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The cross-entropy of the learner."""
        assert batch.labels is not None
        student = upcast(outputs[self.learner].logits)
        if self.rows is None:
            loss = cross_entropy(student, batch.labels, label_smoothing=self.smoothing)
        else:
            per_row = cross_entropy(
                student, batch.labels, label_smoothing=self.smoothing, reduction="none"
            )
            loss = (self.rows(batch) * per_row).mean()
        return self.weight * loss
