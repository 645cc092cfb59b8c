"""How far the student's answers to a row are from the teacher's: four divergences, one scale.

Each is T²-scaled to the same size where student and teacher are close, so that a weight means the
same for all of them and at every temperature: T²·KL, T²·JSD_β/(β(1 - β)) and the squared error
below agree to second order at high temperatures.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from kdaudit.distill.methods.soft_table import DivergenceName
from kdaudit.distill.objectives.objective import upcast

FORMULAS: dict[DivergenceName, str] = {
    "forward_kl": "Σ_c p_T(c)·(log p_T(c) - log q_T(c))",
    "reverse_kl": "Σ_c q_T(c)·(log q_T(c) - log p_T(c))",
    "jsd": "KL(p_T ‖ m)/(1 - β) + KL(q_T ‖ m)/β",
    "mse": "Σ_c (z̃_student(c) - z̃_teacher(c))²/(2C)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """One of the four, with its temperature.

    Attributes:
        kind: which.
        temperature: T > 0; without effect on ``mse``.
        beta: of ``jsd`` only, in [0, 1]: forward KL at 0, reverse KL at 1.
        t_squared: whether the factor T² goes before it. Gradients of softened logits shrink as
            1/T²; the factor gives them back (Hinton, Vinyals and Dean 2015, §2).
    """

    kind: DivergenceName = "forward_kl"
    temperature: float = 1.0
    beta: float = 0.5
    t_squared: bool = True

    def __call__(self, student: Tensor, teacher: Tensor) -> Tensor:
        """(B,) divergences of (B, C) logits, without the factor."""
        if self.kind == "mse":
            return logit_mse(student, teacher)
        if self.kind == "jsd":
            return jsd(student, teacher, self.temperature, self.beta)
        kl = forward_kl if self.kind == "forward_kl" else reverse_kl
        return kl(student, teacher, self.temperature)

    @property
    def factor(self) -> float:
        """T², or 1."""
        return self.temperature**2 if self._squares else 1.0

    def formula(self, weight: float, rows: str = "") -> str:
        """The whole term; ``rows`` is a factor inside the mean."""
        inner = FORMULAS[self.kind]
        body = f"{rows}({inner})" if rows else inner
        said = f"{weight!r}·{'T²·' if self._squares else ''}mean_rows({body})"
        if self.kind == "mse":
            return f"{said}, z̃ = z - mean_c(z)"
        said += f", T = {self.temperature!r}"
        if self.kind == "jsd":
            said += f", m = β·p_T + (1 - β)·q_T, β = {self.beta!r}"
        return said

    @property
    def _squares(self) -> bool:
        return self.t_squared and self.kind != "mse"


def forward_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(p_T ‖ q_T) of each row, summed over classes; in float32 at least.

    Args:
        student: (B, C) logits.
        teacher: (B, C) logits, each row up to a constant; -inf for a class of probability 0, which
            then adds nothing.
        temperature: T > 0.

    Returns:
        (B,), at least 0 up to rounding, without the factor T².

    >>> p, q = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.5, 0.5]])
    >>> [round(float(forward_kl(x.log(), p.log(), 1.0)), 4) for x in (q, p)]
    [0.1308, 0.0]
    """
    return _kl(_log_softened(teacher, temperature), _log_softened(student, temperature))


def reverse_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(q_T ‖ p_T) of each row: it seeks one mode of the teacher, and leaves the others.

    Arguments and result as in `forward_kl`; infinite where the teacher excludes a class.

    >>> p, q = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.5, 0.5]])
    >>> round(float(reverse_kl(q.log(), p.log(), 1.0)), 4)
    0.1438
    """
    return _kl(_log_softened(student, temperature), _log_softened(teacher, temperature))


def jsd(student: Tensor, teacher: Tensor, temperature: float, beta: float) -> Tensor:
    """The generalised Jensen–Shannon divergence of each row, divided by β(1 - β).

    β·KL(p ‖ m) + (1 - β)·KL(q ‖ m) with m = β·p + (1 - β)·q vanishes at both ends of β; divided by
    β(1 - β) it goes from forward KL at β = 0 to reverse KL at β = 1 without a jump, and is KL to
    second order for every β. So a search over β compares like with like.

    Arguments and result as in `forward_kl`; finite for 0 < β < 1. Computed in float64: near the
    ends of β it is a small number divided by a small one.

    >>> p, q = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.5, 0.5]])
    >>> betas = (0.0, 1e-6, 0.5, 1 - 1e-6, 1.0)
    >>> [round(float(jsd(q.log(), p.log(), 1.0, beta)), 4) for beta in betas]
    [0.1308, 0.1308, 0.1353, 0.1438, 0.1438]
    """
    if beta in (0.0, 1.0):
        return (reverse_kl if beta else forward_kl)(student, teacher, temperature)
    log_p = _log_softened(teacher.double(), temperature)
    log_q = _log_softened(student.double(), temperature)
    weights = torch.tensor([beta, 1 - beta], dtype=torch.float64, device=student.device).log()
    log_m = torch.logaddexp(log_p + weights[0], log_q + weights[1])
    return (_kl(log_p, log_m) / (1 - beta) + _kl(log_q, log_m) / beta).to(upcast(student).dtype)


def logit_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Half the mean over classes of the squared difference of centred logits, of each row.

    Centred, because a teacher's stored answers are logits up to a constant per row; half, because
    that is the limit of T²·KL as T grows (Hinton, Vinyals and Dean 2015, §2.1).

    Arguments and result as in `forward_kl`; infinite where the teacher excludes a class.

    >>> logit_mse(torch.tensor([[1.0, -1.0]]), torch.tensor([[7.0, 7.0]])).item()
    0.5
    """
    z, v = (x - x.mean(dim=1, keepdim=True) for x in (upcast(student), upcast(teacher)))
    return (z - v).square().mean(dim=1) / 2


def _log_softened(logits: Tensor, temperature: float) -> Tensor:
    return log_softmax(upcast(logits) / temperature, dim=1)


def _kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    p, apart = log_p.exp(), log_p - log_q
    terms = p * apart
    # Only 0·∞ is to be set right. To ask whether there is any takes less than to guard against it,
    # gradient and all; of a GPU the answer would be waited for.
    if apart.device.type == "cpu" and math.isfinite(float(apart.detach().sum())):
        return terms.sum(dim=1)
    return torch.where(p > 0, terms, 0.0).sum(dim=1)
