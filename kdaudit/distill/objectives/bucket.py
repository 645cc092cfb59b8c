"""Truncated targets: the listed classes as they are, and one bucket for all others.

To renormalise the listed ones, or to compare within them alone, teaches another teacher: the first
is over-confident, the second says nothing of the mass outside. With the bucket on both sides the
student learns how much is left out, and the rest is exact (Anshumann et al. 2025 have the
bias of the alternatives).
"""

import torch
from torch import Tensor

from kdaudit.distill.objectives.objective import upcast

NOTHING = -1e4  # as a log-probability: e to it is 0 in float64, and it has a gradient


def coarse_student(logits: Tensor, listed: Tensor, temperature: float) -> Tensor:
    """(B, C + 1) log-probabilities at T of the listed classes, and last of all others together.

    A class that is not listed has a place and no mass.

    Args:
        logits: (B, C) of the student.
        listed: (B, C) whether the target lists the class.
        temperature: T > 0.

    >>> listed = torch.tensor([[True, False, False]])
    >>> q = torch.tensor([[0.5, 0.3, 0.2]])
    >>> coarse_student(q.log(), listed, 1.0).exp().round(decimals=3).tolist()
    [[0.5, 0.0, 0.0, 0.5]]
    """
    log_q = torch.log_softmax(upcast(logits) / temperature, dim=1)
    others = log_q.masked_fill(listed, NOTHING).logsumexp(dim=1, keepdim=True)
    return torch.cat([log_q.masked_fill(~listed, NOTHING), others], dim=1)


def coarse_target(logits: Tensor, norms: Tensor, temperature: float) -> Tensor:
    """(B, C + 1) log-probabilities at T of the listed classes, and last of the bucket.

    Args:
        logits: (B, C) of the teacher, -inf where a class is not listed.
        norms: (B,) log Σ_c exp(z(c)/T) over all classes.
        temperature: T > 0.

    >>> z = torch.tensor([[0.5, 0.3, 0.2]]).log()
    >>> z[0, 2] = -torch.inf
    >>> [f"{p:.3f}" for p in coarse_target(z, torch.zeros(1), 1.0).exp()[0]]
    ['0.500', '0.300', '0.000', '0.200']
    """
    listed = torch.isfinite(logits)
    log_p = upcast(logits) / temperature - norms[:, None]
    # In float64: what is left is a small difference of large masses.
    left = 1 - log_p.double().exp().sum(dim=1, keepdim=True)
    left = left.clamp(min=0).log().to(log_p.dtype)
    left = left.masked_fill(listed.all(dim=1, keepdim=True), NOTHING)
    return torch.cat([log_p.masked_fill(~listed, NOTHING), left], dim=1)


def tail_mass(logits: Tensor, norms: Tensor, temperature: float) -> Tensor:
    """(B,) the mass of the bucket at T, in [0, 1]."""
    return coarse_target(logits, norms, temperature)[:, -1].exp()
