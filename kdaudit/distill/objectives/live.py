"""What others answer now: peers, one's own past, a teacher that goes on learning."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.objectives.objective import Forward, Objective
from kdaudit.distill.training.sources import STUDENT, Batch


class Live(Objective):
    """Weight times T² times the mean over rows and others of the divergence from their answers.

    Their answers are constants: no gradient reaches them. They move while the learner learns, so
    what is left of this term does not tell when to stop.
    """

    validated = False

    def __init__(
        self,
        *,
        name: str,
        weight: float,
        divergence: Divergence,
        of: Sequence[str],
        learner: str = STUDENT,
    ) -> None:
        super().__init__()
        self.name = name
        self.weight = weight
        self.divergence = divergence
        self.of = tuple(of)
        self.learner = learner
        self.trains = (learner,)
        self.watches = dict.fromkeys(self.of, ())
        self.formula = f"{divergence.formula(weight)}, a mean over teachers {', '.join(of)} of now"

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:  # noqa: ARG002
        """The divergence of the learner from the others."""
        own = outputs[self.learner].logits
        each = [self.divergence(own, outputs[other].logits.detach()) for other in self.of]
        return self.weight * self.divergence.factor * torch.stack(each).mean()
