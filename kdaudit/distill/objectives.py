"""Loss terms: each a mean over rows, times its weight, with its formula in words of mathematics.

Notation: z are logits, p_T = softmax(z_teacher / T), q_T = softmax(z_student / T), y the label.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from kdaudit.distill.sources import Batch

STUDENT = "student"


class Objective(nn.Module, ABC):
    """A loss term; being a module, it may own modules, which are then trained and kept with it."""

    name: str
    formula: str

    @abstractmethod
    def forward(self, outputs: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """The weighted loss, a mean over the rows of the batch.

        Args:
            outputs: (B, C) logits by participant.
            batch: labels and stored targets.
        """


class Soft(Objective):
    """The teacher's softened answers, by forward KL.

    Gradients of softened logits shrink as 1/T²; the factor T² gives them back, so that weights mean
    the same at every temperature (Hinton, Vinyals and Dean 2015, §2).
    """

    def __init__(self, *, name: str, weight: float, temperature: float) -> None:
        super().__init__()
        self.name = name
        self.weight = weight
        self.temperature = temperature
        self.formula = (
            f"{weight!r}·T²·mean_rows(Σ_c p_T(c)·(log p_T(c) - log q_T(c))), T = {temperature!r}"
        )

    def forward(self, outputs: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Weight times T² times the divergence of the student from the stored targets."""
        assert batch.targets is not None
        divergence = forward_kl(outputs[STUDENT], batch.targets, self.temperature)
        return self.weight * self.temperature**2 * divergence


class Hard(Objective):
    """The labels, by cross-entropy; optionally smoothed (Szegedy et al. 2016, §7)."""

    def __init__(self, *, name: str, weight: float, smoothing: float = 0.0) -> None:
        super().__init__()
        self.name = name
        self.weight = weight
        self.smoothing = smoothing
        self.formula = (
            f"{weight!r}·mean_rows(-Σ_c r(c)·log q_1(c)), r(c) = (1 - ε)·[c = y] + ε/C, "
            f"ε = {smoothing!r}"
            if smoothing
            else f"{weight!r}·mean_rows(-log q_1(y))"
        )

    def forward(self, outputs: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Weight times the cross-entropy of the student."""
        assert batch.labels is not None
        student = _upcast(outputs[STUDENT])
        return self.weight * cross_entropy(student, batch.labels, label_smoothing=self.smoothing)


def forward_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over rows of KL(p_T || q_T), summed over classes; in float32 at least.

    Args:
        student: (B, C) logits.
        teacher: (B, C) logits, each row up to a constant; -inf for a class of probability 0, which
            then adds nothing.
        temperature: T > 0.

    Returns:
        Scalar, at least 0 up to rounding, without the factor T².

    >>> p, q = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.5, 0.5]])
    >>> f"{forward_kl(q.log(), p.log(), 1.0):.4f} {forward_kl(p.log(), p.log(), 1.0):.4f}"
    '0.1308 0.0000'
    """
    log_q = log_softmax(_upcast(student) / temperature, dim=1)
    log_p = log_softmax(_upcast(teacher) / temperature, dim=1)
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p))
    return terms.sum(dim=1).mean()


def _upcast(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
