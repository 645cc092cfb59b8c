"""Loss terms of language models. They ask the student themselves: no logits are ever held."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from kdaudit.distill.language.answers import Answers
from kdaudit.distill.language.blocks import LEFT_OUT, valid
from kdaudit.distill.language.causal import Asked
from kdaudit.distill.objectives import Forward, Objective
from kdaudit.distill.objectives.chunked import chunked_loss
from kdaudit.distill.objectives.chunked_log_probs import chunked_log_probs
from kdaudit.distill.objectives.chunked_terms import Labels, Term
from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.training.sources import Batch

SAMPLED = "sampled"  # in Batch.further: rows that the student wrote
CHOSEN, REJECTED, REFERENCE = "chosen", "rejected", "reference"  # likewise: pairs


class Tokens(Objective):
    """The next token: as the text has it, as the teacher would say it, or both in one pass.

    On text that the student wrote itself only the teacher counts (Agarwal et al. 2024, on-policy
    distillation): its own words are no labels.
    """

    def __init__(
        self,
        student: Asked,
        *,
        hard_weight: float,
        answers: Answers | None = None,
        divergence: Divergence | None = None,
        soft_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.name = "tokens"
        self.student = student
        self.answers = answers
        self.divergence = divergence or Divergence()
        self.soft_weight = soft_weight if answers is not None else 0.0
        self.hard_weight = hard_weight
        said = []
        if self.soft_weight:
            said.append(self.divergence.formula(self.soft_weight))
        if hard_weight:
            said.append(f"{hard_weight!r}·mean_rows(-log q_1(y))")
        self.formula = " + ".join(said).replace("mean_rows", "mean_positions")

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:  # noqa: ARG002  # asks itself
        """The loss, a mean over the positions that predict something."""
        assert batch.labels is not None
        terms: list[Term] = []
        if self.answers is not None and self.soft_weight:
            terms.append(self.answers.term(batch, self.divergence, self.soft_weight))
        if self.hard_weight and SAMPLED not in batch.further:
            terms.append(Labels(labels=batch.labels.flatten(), weight=self.hard_weight))
        head = self.student.student(batch.inputs)
        return chunked_loss(head, terms, valid(batch).flatten()).total

    def count(self, batch: Batch) -> int:
        """Positions that predict something."""
        return int(valid(batch).sum())

    @torch.no_grad()
    def measured(self, batch: Batch) -> dict[str, float]:
        """``nll``: -log q(next token), a mean over the same positions."""
        total = log_probs(self.student, batch.inputs, batch.labels).double().sum()
        return {"nll": -float(total) / max(1, self.count(batch))}


class Preference(Objective):
    """Pairs of texts that the teacher ranked: the better one is made likelier than the worse one.

    -log σ(β·(Δ_student - Δ_reference)), Δ the difference of the two texts' log-probabilities, the
    reference being the student before it learnt (Rafailov et al. 2023, eq. 7).
    """

    validated = False  # pairs are made of texts to learn from

    def __init__(self, student: Asked, *, weight: float, beta: float) -> None:
        super().__init__()
        self.name = "preference"
        self.student = student
        self.weight = weight
        self.beta = beta
        self.formula = (
            f"{weight!r}·mean_pairs(-log σ(β·((log q(y₊) - log q(y₋)) - "
            f"(log q₀(y₊) - log q₀(y₋))))), β = {beta!r}"
        )

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:  # noqa: ARG002  # asks itself
        """The loss, a mean over the pairs of the batch."""
        both = torch.cat((batch.further[CHOSEN], batch.further[REJECTED]))
        likely = log_probs(self.student, both[:, :2], both[:, 2]).sum(dim=1)
        better, worse = likely.chunk(2)
        reference = batch.further[REFERENCE]
        margin = (better - worse) - (reference[:, 0] - reference[:, 1])
        return -self.weight * logsigmoid(self.beta * margin).mean()


def log_probs(student: Asked, inputs: Tensor, labels: Tensor | None) -> Tensor:
    """(B, T) log-probabilities of labels; 0 where a position predicts nothing.

    Args:
        student: any model.
        inputs: (B, 2, T).
        labels: (B, T).
    """
    assert labels is not None
    where = labels != LEFT_OUT
    found = chunked_log_probs(student.student(inputs), labels.flatten(), where.flatten())
    return found.view_as(labels)
