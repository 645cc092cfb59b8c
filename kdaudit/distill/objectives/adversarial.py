"""A network that tells student from teacher, and a student that learns to be taken for the teacher.

Goodfellow et al. (2014, §3), on answers or layers instead of images, as Belagiannis et al. (2018)
use it to compress networks. It has nothing to do with attacks on a model's inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, softplus

from kdaudit.distill.objectives.activations import Pair, mean_over_positions, positions, watches
from kdaudit.distill.objectives.objective import Borrowed, Forward, Objective, upcast
from kdaudit.distill.training.sources import STUDENT, TEACHER, Batch

DISCRIMINATOR = "discriminator"
SLOPE = 0.2  # of the hidden units where they are not active


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spaces:
    """What is told apart: pairs of layers, or centred logits where there are none.

    Attributes:
        pairs: of layers.
        padding: the input at positions that do not count, or None.
    """

    pairs: Sequence[Pair] = ()
    padding: int | None = None

    def of(self, outputs: Mapping[str, Forward], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """(B, P, D) of student and teacher, for each space."""
        if not self.pairs:
            return [(_centred(outputs[STUDENT].logits), _centred(batch.answers(TEACHER)))]
        found = [pair.of(outputs) for pair in self.pairs]
        return [(positions(student), positions(teacher).detach()) for student, teacher in found]

    def mean(self, values: Tensor, batch: Batch) -> Tensor:
        """The mean over rows of the mean over the positions of each."""
        return mean_over_positions(values, batch, self.padding).mean()

    @property
    def said(self) -> str:
        """Which, for formulas."""
        if not self.pairs:
            return "h = z - mean_c(z)"
        without = "" if self.padding is None else f", positions without token {self.padding}"
        return f"layers {', '.join(map(str, self.pairs))}{without}"


class Pass(Objective):
    """The student's term: minus the logarithm of its chance to be taken for the teacher.

    The projectors bring the student's layers to the teacher's width; they are trained with the
    student and stay behind.
    """

    validated = False

    def __init__(
        self,
        *,
        weight: float,
        spaces: Spaces,
        critics: nn.ModuleList,
        projectors: Sequence[nn.Module],
    ) -> None:
        super().__init__()
        self.name = "adversarial"
        self.weight = weight
        self.spaces = spaces
        self.projectors = nn.ModuleList(projectors)
        self.critics = [Borrowed(critic) for critic in critics]
        self.watches = watches(spaces.pairs) if spaces.pairs else {}
        projected = any(not isinstance(one, nn.Identity) for one in projectors)
        g = "W·h_student + b" if projected else "h_student"
        self.formula = (
            f"{weight!r}·mean_rows(mean_spaces(-log σ(d(g)))), g = {g}, {spaces.said}, d: the "
            "discriminator"
        )

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """How surely the student is found out."""
        values = [
            self.spaces.mean(softplus(-critic(projector(student))), batch)
            for (student, _), critic, projector in zip(
                self.spaces.of(outputs, batch), self.critics, self.projectors, strict=True
            )
        ]
        return self.weight * torch.stack(values).mean()


class Tell(Objective):
    """The discriminator's term: cross-entropy of "this is the teacher"; log 2 where it cannot.

    Half the squared gradient at the teacher's points is added, times a penalty (Mescheder et al.
    2018, R1): without it a discriminator that is sure drives the student past the teacher.
    """

    validated = False
    trains = (DISCRIMINATOR,)

    def __init__(self, of: Pass, penalty: float) -> None:
        super().__init__()
        self.penalty = penalty
        self.name = "adversarial.discriminator"
        self.spaces = of.spaces
        self.critics = of.critics
        self.projectors = [Borrowed(one) for one in of.projectors]
        self.watches = of.watches
        self.formula = (
            "mean_rows(mean_spaces(-log σ(d(h_teacher)) - log(1 - σ(d(g))) + "
            f"{penalty!r}·‖∇d(h_teacher)‖²))/2"
        )

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """How badly the two are told apart."""
        values = []
        for (student, teacher), critic, projector in zip(
            self.spaces.of(outputs, batch), self.critics, self.projectors, strict=True
        ):
            found = softplus(critic(projector(student).detach()))
            missed = softplus(-critic(teacher))
            assert isinstance(critic.module, Critic)
            steep = self.penalty * critic.module.gradient(teacher).square().sum(dim=-1)
            values.append(self.spaces.mean((found + missed + steep) / 2, batch))
        return torch.stack(values).mean()


class Critic(nn.Module):
    """One hidden layer: the log-odds that a point is the teacher's."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(self, points: Tensor) -> Tensor:
        """(..., D) to (...)."""
        found: Tensor = self.last(leaky_relu(self.first(points), SLOPE))
        return found[..., 0]

    def gradient(self, points: Tensor) -> Tensor:
        """(..., D) gradients of the log-odds at (..., D) points, as a function of the weights."""
        active = torch.where(self.first(points) > 0, 1.0, SLOPE)
        return (active * self.last.weight[0]) @ self.first.weight


def _centred(logits: Tensor) -> Tensor:
    values = upcast(logits)
    return positions(values - values.mean(dim=1, keepdim=True))
