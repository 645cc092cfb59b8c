"""Relations: rows lie to each other as they do for the teacher (Park et al. 2019).

Spaces of different widths are compared through numbers that both have: distances, in units of their
mean, and angles. They are taken within groups of at most `GROUP` rows of a batch, because triples
grow with the cube; a loss of groups is a mean over them, weighted by their rows.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from kdaudit.distill.objectives.activations import Pair, mean_over_positions, positions, watches
from kdaudit.distill.objectives.objective import Forward, Objective, upcast
from kdaudit.distill.training.sources import STUDENT, TEACHER, Batch

GROUP = 64


class Relation(Objective):
    """The Huber loss between a relation among the student's rows and among the teacher's.

    Without pairs of layers the relation is among centred logits, the teacher's being stored.
    """

    least: int  # rows that make a relation
    said: str

    def __init__(
        self, *, name: str, weight: float, pairs: Sequence[Pair] = (), padding: int | None = None
    ) -> None:
        super().__init__()
        self.name = name
        self.weight = weight
        self.pairs = pairs
        self.padding = padding
        self.watches = watches(pairs) if pairs else {}
        of = f"layers {', '.join(map(str, pairs))}" if pairs else "h = z - mean_c(z)"
        self.formula = f"{weight!r}·{self.said}, groups of at most {GROUP} rows, {of}" + (
            "" if padding is None else f", positions without token {padding}"
        )

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        """The mean over groups of rows, weighted by their size."""
        spaces = [
            tuple(self._pooled(given, batch) for given in pair.of(outputs)) for pair in self.pairs
        ] or [(_centred(outputs[STUDENT].logits), _centred(batch.answers(TEACHER)))]
        losses = []
        for student, teacher in spaces:
            groups = range(0, len(batch), GROUP)
            parts = [(student[i : i + GROUP], teacher[i : i + GROUP]) for i in groups]
            losses += [len(s) * self._loss(s, t) for s, t in parts]
        return self.weight * torch.stack(losses).sum() / (len(batch) * len(spaces))

    def _loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        if len(student) < self.least:
            return 0 * student.sum()
        return smooth_l1_loss(self.relation(student), self.relation(teacher))

    def _pooled(self, activation: Tensor, batch: Batch) -> Tensor:
        return mean_over_positions(positions(activation), batch, self.padding)

    @abstractmethod
    def relation(self, rows: Tensor) -> Tensor:
        """Numbers that do not depend on the width of (n, D) rows."""


class Distances(Relation):
    """Distances of pairs, in units of their mean."""

    least = 2
    said = (
        "mean_pairs(huber_1(ψ_student - ψ_teacher)), ψ(i, j) = ‖h_i - h_j‖/mean_pairs(‖h_i - h_j‖)"
    )

    def relation(self, rows: Tensor) -> Tensor:
        """(n(n - 1)/2,) distances over their mean.

        >>> points = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
        >>> Distances(name="d", weight=1.0).relation(points).tolist()
        [0.75, 1.0, 1.25]
        """
        # One by one: through products, as `cdist` does, near rows lose their digits.
        i, j = torch.triu_indices(len(rows), len(rows), offset=1, device=rows.device)
        distances = _norm(rows[i] - rows[j])
        return distances / distances.mean().clamp(min=torch.finfo(rows.dtype).tiny)


class Angles(Relation):
    """Cosines of the angles of triples."""

    least = 3
    said = "mean_triples(huber_1(ψ_student - ψ_teacher)), ψ(i, j, k) = cos∠(h_i - h_j, h_k - h_j)"

    def relation(self, rows: Tensor) -> Tensor:
        """(n(n - 1)(n - 2)/2,) cosines of the angle at the middle one of three different rows.

        >>> points = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
        >>> [round(x, 4) for x in Angles(name="a", weight=1.0).relation(points).tolist()]
        [0.0, 0.6, 0.8]
        """
        n = len(rows)
        difference = rows[None, :, :] - rows[:, None, :]  # (at, to, D)
        length = _norm(difference)[:, :, None]
        # Rows that coincide make no angle, and no gradient either: it would be without bound.
        apart = length > 1e-6 * length.detach().max()
        unit = torch.where(apart, difference / torch.where(apart, length, 1.0), 0.0)
        cosine = unit @ unit.transpose(1, 2)  # (at, to, to)
        different = ~torch.eye(n, dtype=torch.bool, device=rows.device)
        above = torch.ones(n, n, dtype=torch.bool, device=rows.device).triu(diagonal=1)
        return cosine[different[:, :, None] & different[:, None, :] & above]


def _norm(vectors: Tensor) -> Tensor:
    """Euclidean norms over the last axis; their gradient at 0 is 0, not NaN."""
    squares = vectors.square().sum(dim=-1)
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)


def _centred(logits: Tensor) -> Tensor:
    values = upcast(logits)
    return values - values.mean(dim=1, keepdim=True)
