"""One batch: what every participant gives, every loss term, and the gradient of each learner."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from kdaudit.distill.objectives import Forward, Objective
from kdaudit.distill.objectives.objective import upcast
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Batch
from kdaudit.errors import unknown


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """What one optimiser moves.

    Attributes:
        optimiser: the optimiser.
        weights: all it moves.
        terms: positions of the terms whose sum it minimises.
    """

    optimiser: torch.optim.Optimizer
    weights: list[nn.Parameter]
    terms: list[int]


class Step:
    """Gradients of batches.

    A learner's gradient is that of the terms that train it, and of no other: a discriminator and
    whoever it judges are pulled apart by the same graph.
    """

    def __init__(
        self, learners: Sequence[Learner], objectives: Sequence[Objective], runtime: Runtime
    ) -> None:
        self.objectives = list(objectives)
        self.runtime = runtime
        self.asked = [one for one in learners if isinstance(one, Participant)]
        self.shares = [share for one in learners for share in _share(one, self.objectives)]
        names = [one.name for one in learners if one.optimiser is not None]
        for term in objectives:
            for name in term.trains:
                if name not in names:
                    raise ValueError(f"{term.name} trains {unknown('learner', name, names)}")

    def __call__(self, batch: Batch) -> Tensor:
        """Leave the gradient of the batch in every learner's weights.

        Returns:
            (T,) this process's part of the value of every term, whose sum over processes is the
            term's value for the batch.
        """
        for share in self.shares:
            for weight in share.weights:  # as `zero_grad` does, which opens a profile first
                weight.grad = None
        if self.runtime.whole:
            values = self._values(self.runtime.placed(batch))
            self._backward(values, keep=False)
            return values.detach()
        total = torch.zeros(len(self.objectives), device=self.runtime.device)
        counts = [term.count(batch) for term in self.objectives]
        for part in self.runtime.parts(batch):
            shares = [
                term.count(part) / max(1, whole)
                for term, whole in zip(self.objectives, counts, strict=True)
            ]
            values = self._values(self.runtime.placed(part)) * total.new_tensor(shares)
            # Parts of generated rows share the graph of what generated them.
            self._backward(values, keep=batch.inputs.requires_grad)
            total += values.detach()
        for share in self.shares:
            self.runtime.summed(share.weights)
        return total

    def _values(self, batch: Batch) -> Tensor:
        with self.runtime.autocast():
            outputs = {p.name: p(batch.seen_by(p.name), learning=True) for p in self.asked}
        if self.runtime.precision != "no":
            outputs = {name: _upcast(given) for name, given in outputs.items()}
        return torch.stack([term(outputs, batch) for term in self.objectives])

    def _backward(self, values: Tensor, *, keep: bool) -> None:
        if len(self.shares) == 1:
            torch.autograd.backward(values.sum(), retain_graph=keep)
            return
        last = len(self.shares) - 1
        for number, share in enumerate(self.shares):
            torch.autograd.backward(
                values[share.terms].sum(),
                inputs=share.weights,
                retain_graph=keep or number < last,
            )


def _share(learner: Learner, objectives: Sequence[Objective]) -> Iterator[Share]:
    terms = [i for i, term in enumerate(objectives) if learner.name in term.trains]
    if learner.optimiser is None or not terms:
        return
    groups = learner.optimiser.param_groups
    weights = [p for group in groups for p in group["params"] if p.requires_grad]
    yield Share(learner.optimiser, weights, terms)


def _upcast(given: Forward) -> Forward:
    inner = {name: upcast(tensor) for name, tensor in given.inner.items()}
    return replace(given, logits=upcast(given.logits), inner=inner)
