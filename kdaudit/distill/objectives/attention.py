"""Attention: the student looks where the teacher looks."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from kdaudit.distill.objectives.activations import (
    Pair,
    mean_over_positions,
    positions,
    tokens,
    watches,
)
from kdaudit.distill.objectives.objective import Forward, Objective
from kdaudit.distill.training.sources import Batch


class _Attention(Objective):
    """What is compared layer by layer, at positions that hold no padding."""

    def __init__(self, *, weight: float, pairs: Sequence[Pair], padding: int | None = None) -> None:
        super().__init__()
        self.name = "attention"
        self.weight = weight
        self.pairs = pairs
        self.padding = padding
        self.watches = watches(pairs)


class ActivationMaps(_Attention):
    """Where layers are active (Zagoruyko and Komodakis 2017, §3.1).

    A layer's map a(p) is the sum of its squared activations at position p; maps are compared by
    shape, each divided by its norm, so layers may differ in channels.
    """

    def __init__(self, *, weight: float, pairs: Sequence[Pair], padding: int | None = None) -> None:
        super().__init__(weight=weight, pairs=pairs, padding=padding)
        self.formula = (
            f"{weight!r}·mean_rows(mean_layers(Σ_p (a_student(p)/‖a_student‖ - "
            f"a_teacher(p)/‖a_teacher‖)²)), a(p) = Σ_d h(p, d)², {_said(pairs, padding)}"
        )

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The squared distance between the maps; in [0, 2] times the weight."""
        rows = []
        for pair in self.pairs:
            student, teacher = (self._map(positions(given), batch) for given in pair.of(outputs))
            rows.append((student - teacher).square().sum(dim=1))
        return self.weight * torch.stack(rows).mean()

    def _map(self, activation: Tensor, batch: Batch) -> Tensor:
        energy = activation.square().sum(dim=2)
        if self.padding is not None:
            kept = tokens(batch, self.padding, energy.shape[1])
            energy = torch.where(kept, energy, torch.zeros_like(energy))
        return normalize(energy, dim=1)


class AttentionWeights(_Attention):
    """What each position attends to: KL of the teacher's attention, averaged over its heads.

    Averaged, because student and teacher may differ in heads; the mean of distributions is one.
    """

    def __init__(self, *, weight: float, pairs: Sequence[Pair], padding: int | None = None) -> None:
        super().__init__(weight=weight, pairs=pairs, padding=padding)
        self.formula = (
            f"{weight!r}·mean_rows(mean_layers(mean_positions(Σ_k a_teacher(k)·"
            "(log a_teacher(k) - log a_student(k)) - a_teacher(k) + a_student(k)))), "
            f"a = mean_heads(attention), "
            f"{_said(pairs, padding)}"
        )

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The divergence."""
        rows = []
        for pair in self.pairs:
            student, teacher = (_mean_of_heads(given) for given in pair.of(outputs))
            floor = student.clamp(min=torch.finfo(student.dtype).tiny)
            kl = torch.special.xlogy(teacher, teacher) - torch.special.xlogy(teacher, floor)
            # Both sum to 1, unless dropout was among them: then the KL of measures, at least 0 too.
            each = kl - teacher + student
            rows.append(mean_over_positions(each.sum(dim=2), batch, self.padding))
        return self.weight * torch.stack(rows).mean()


def _mean_of_heads(attention: Tensor) -> Tensor:
    """(B, S, S) from (B, H, S, S), or as it is."""
    return attention.mean(dim=1) if attention.ndim == 4 else attention


def _said(pairs: Sequence[Pair], padding: int | None) -> str:
    layers = f"layers {', '.join(map(str, pairs))}"
    return layers if padding is None else f"{layers}, positions without token {padding}"
