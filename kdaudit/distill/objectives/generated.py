"""What a generator learns, so that its rows teach: three terms, none of which sees a data row.

Rows on which student and teacher differ (Fang et al. 2019, DFAD), of which the teacher is sure, and
of all classes alike (Chen et al. 2019, DAFL, §3.2). The generator's gradient comes through student
and teacher; neither is moved by it.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from kdaudit.distill.objectives.divergence import forward_kl
from kdaudit.distill.objectives.objective import Forward, Objective, upcast
from kdaudit.distill.training.sources import STUDENT, TEACHER, Batch

GENERATOR = "generator"


class _Generates(Objective):
    validated = False
    trains = (GENERATOR,)
    said: str

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.name = f"data_free.{type(self).__name__.lower()}"
        self.formula = f"{weight!r}·{self.said}"


class Gap(_Generates):
    """The distance between student and teacher, to be made large; slower where it is large."""

    said = "(-log(1 + mean_rows(Σ_c p_1(c)·(log p_1(c) - log q_1(c)))))"

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """Minus its logarithm: a gap without bound would be all that is learnt."""
        gap = forward_kl(outputs[STUDENT].logits, batch.answers(TEACHER), 1.0)
        return -self.weight * torch.log1p(gap.mean())


class Confidence(_Generates):
    """How unsure the teacher is: cross-entropy of its own most likely class."""

    said = "mean_rows(-log max_c p_1(c))"

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:  # noqa: ARG002
        """0 where it is sure."""
        log_p = upcast(batch.answers(TEACHER)).log_softmax(dim=1)
        return -self.weight * log_p.amax(dim=1).mean()


class Balance(_Generates):
    """How unequal the classes' shares are among the rows of a batch."""

    said = "(log C + Σ_c π(c)·log π(c)), π = mean_rows(p_1)"

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:  # noqa: ARG002
        """0 where all classes are as frequent, log C where there is one."""
        log_p = upcast(batch.answers(TEACHER)).log_softmax(dim=1)
        log_share = log_p.logsumexp(dim=0) - math.log(len(log_p))
        entropy = -(log_share.exp() * log_share).sum()
        return self.weight * (math.log(log_p.shape[1]) - entropy)
