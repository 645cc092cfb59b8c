"""What a token's logits are held against: a label, the teacher's logits, or the top k of them.

Each term gives the loss of a few positions and its gradient by the student's logits in one go, so
that nobody has to keep logits for a backward pass. Let u = z/T and q = softmax(u), in buckets b
(tokens; or the teacher's top k and all others together), and let f(q) be the divergence. Then

    ∂f/∂u_i = G_b(i)·(share of i in its bucket) - q_i·Σ_b G_b,    G_b = q_b·∂f/∂q_b,

where G is -p for forward KL, q·log(q/p) for reverse KL and q·log(q/m)/β for the Jensen–Shannon
divergence: finite wherever the divergence is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.objectives.objective import upcast
from kdaudit.errors import DataError

LEAST_TAIL = 1e-7  # what float32 sums of probabilities cannot tell from nothing


class Part(NamedTuple):
    """One term at c positions.

    Attributes:
        loss: (c,), weight included.
        gradient: (c, V), of each position's loss by its logits.
        discarded: (c,) probability that the teacher gives to tokens the student does not have.
    """

    loss: Tensor
    gradient: Tensor
    discarded: Tensor


class Term(Protocol):
    """A loss term of tokens."""

    def __call__(self, rows: Tensor, logits: Tensor) -> Part:
        """The term at some positions.

        Args:
            rows: (c,) which of all positions.
            logits: (c, V) the student's there, float32 at least.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Cross-entropy of the next token, optionally smoothed (Szegedy et al. 2016, §7).

    Attributes:
        labels: (N,) token ids below V; those of positions left out may be anything.
        weight: of the term.
        smoothing: ε in [0, 1), spread over the whole vocabulary.
    """

    labels: Tensor
    weight: float = 1.0
    smoothing: float = 0.0

    def __call__(self, rows: Tensor, logits: Tensor) -> Part:
        """The cross-entropy."""
        labels, size = self.labels[rows], logits.shape[1]
        strange = labels[(labels < 0) | (labels >= size)]
        if len(strange):
            raise DataError(
                f"a label is token {int(strange[0])}, and the student knows {size:,} tokens; use "
                "the tokenizer that the student was made for, or leave such positions out"
            )
        log_q = logits.log_softmax(dim=1)
        own = log_q.gather(1, labels[:, None]).squeeze(1)
        loss = -(1 - self.smoothing) * own
        if self.smoothing:
            loss -= self.smoothing * log_q.mean(dim=1)
        gradient = log_q.exp_()
        if self.smoothing:
            gradient -= self.smoothing / size
        least = gradient.new_full((len(labels), 1), self.smoothing - 1)
        gradient.scatter_add_(1, labels[:, None], least)
        return Part(self.weight * loss, gradient.mul_(self.weight), torch.zeros_like(loss))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Full:
    """Divergence from all of the teacher's logits, asked for a few positions at a time.

    A larger vocabulary of the teacher is cut to the student's, and what is left adds up to 1 again;
    the probability lost is given as ``discarded``. Tokens that only the student has get the
    teacher's probability 0.

    Attributes:
        teacher: gives the (c, V') logits of positions (c,).
        divergence: forward_kl, reverse_kl or jsd, with its temperature.
        weight: of the term.
    """

    teacher: Callable[[Tensor], Tensor]
    divergence: Divergence
    weight: float = 1.0

    def __call__(self, rows: Tensor, logits: Tensor) -> Part:
        """The divergence."""
        temperature, size = self.divergence.temperature, logits.shape[1]
        softened = upcast(self.teacher(rows)) / temperature
        log_p, discarded = _fitted(softened, size)
        if log_p.shape[1] < size:
            if self.divergence.kind == "reverse_kl":
                raise DataError(
                    f"the student knows {size:,} tokens and the teacher {log_p.shape[1]:,}, so "
                    'reverse_kl is infinite; use divergence = "jsd" or "forward_kl"'
                )
            missing = log_p.new_full((len(rows), size - log_p.shape[1]), -math.inf)
            log_p = torch.cat((log_p, missing), dim=1)
        log_q = (logits / temperature).log_softmax(dim=1)
        value, pull, total = _pulled(self.divergence, log_p, log_q)
        gradient = pull - total * log_q.exp()
        factor = self.weight * self.divergence.factor
        return Part(factor * value, gradient.mul_(factor / temperature), discarded)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TopK:
    """Divergence from the teacher's k likeliest tokens and one bucket for all others.

    With raw logits and their log-sum-exp at the temperature asked for, the k probabilities and the
    mass of the bucket are exact. Without the bucket the student would be pushed to give those k
    tokens everything.

    Attributes:
        ids: (N, k) token ids, each once per row.
        logits: (N, k) the teacher's raw logits.
        lse: (N,) log Σ_v exp(z_v / T) over its whole vocabulary, at the divergence's T.
        divergence: forward_kl, reverse_kl or jsd, with its temperature.
        weight: of the term.
    """

    ids: Tensor
    logits: Tensor
    lse: Tensor
    divergence: Divergence
    weight: float = 1.0

    def __call__(self, rows: Tensor, logits: Tensor) -> Part:
        """The divergence, over k + 1 buckets."""
        temperature, size = self.divergence.temperature, logits.shape[1]
        ids = self.ids[rows].long()
        if ids.shape[1] >= size:
            raise DataError(
                f"the top {ids.shape[1]:,} of a vocabulary of {size:,} tokens leave no others: "
                "store fewer, or all logits"
            )
        known = ids < size
        # A token that the student lacks stands for token 0 below, with nothing in its bucket.
        safe = torch.where(known, ids, 0)
        log_q = (logits / temperature).log_softmax(dim=1)
        inside = torch.where(known, log_q.gather(1, safe), -math.inf)
        # Added, since several may stand for token 0, and of several written any may be last.
        rest = log_q.scatter_add(1, safe, torch.where(known, -math.inf, 0.0).to(log_q.dtype))
        log_tail = rest.logsumexp(dim=1, keepdim=True)
        log_p, discarded = self._buckets(rows, known, logits.dtype)
        value, pull, total = _pulled(self.divergence, log_p, torch.cat((inside, log_tail), dim=1))
        tail = pull[:, -1:] - total * log_tail.exp()
        gradient = (rest - log_tail).exp_().mul_(tail)
        own = torch.where(known, pull[:, :-1] - total * inside.exp(), 0.0)
        gradient.scatter_add_(1, safe, own)
        factor = self.weight * self.divergence.factor
        return Part(factor * value, gradient.mul_(factor / temperature), discarded)

    def _buckets(self, rows: Tensor, known: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """(c, k + 1) log-probabilities that add up to 1, and (c,) what was left out."""
        softened = self.logits[rows].double() / self.divergence.temperature
        p = (softened - self.lse[rows].double()[:, None]).exp()
        tail = (1 - p.sum(dim=1, keepdim=True)).clamp(min=LEAST_TAIL)
        discarded = torch.where(known, 0.0, p).sum(dim=1)
        p = torch.cat((torch.where(known, p, 0.0), tail), dim=1)
        return (p / p.sum(dim=1, keepdim=True)).log().to(dtype), discarded.to(dtype)


def _fitted(softened: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """(c, at most size) log-probabilities, and (c,) the probability of tokens beyond."""
    kept = softened[:, :size].log_softmax(dim=1)
    if softened.shape[1] <= size:
        return kept, torch.zeros_like(kept[:, 0])
    whole = softened.logsumexp(dim=1)
    return kept, (softened[:, size:].logsumexp(dim=1) - whole).exp()


def _pulled(divergence: Divergence, log_p: Tensor, log_q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(c,) divergences, (c, B) G, and (c, 1) the sum of G over buckets."""
    end = {"forward_kl": 0.0, "reverse_kl": 1.0}.get(divergence.kind, divergence.beta)
    if divergence.kind == "mse":
        raise ValueError("mse compares logits, not probabilities")
    if end == 0.0:
        p = log_p.exp()
        value = _expected(p, log_p, log_q).sum(dim=1)
        return value, -p, -torch.ones_like(value)[:, None]
    if end == 1.0:
        pull = _expected(log_q.exp(), log_q, log_p)
        value = pull.sum(dim=1)
        return value, pull, value[:, None]
    # As `jsd` does: near the ends of β it is a small number divided by a small one.
    dtype, log_p, log_q = log_q.dtype, log_p.double(), log_q.double()
    log_m = torch.logaddexp(log_p + math.log(end), log_q + math.log1p(-end))
    pull = _expected(log_q.exp(), log_q, log_m) / end
    total = pull.sum(dim=1)
    value = _expected(log_p.exp(), log_p, log_m).sum(dim=1) / (1 - end) + total
    return value.to(dtype), pull.to(dtype), total.to(dtype)[:, None]


def _expected(p: Tensor, log_p: Tensor, log_q: Tensor) -> Tensor:
    """p·(log p - log q), and 0 where p is 0."""
    return torch.where(p > 0, p * (log_p - log_q), torch.zeros_like(p))
