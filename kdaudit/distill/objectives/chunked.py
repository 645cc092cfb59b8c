"""The loss of a large vocabulary, a few positions at a time, with its gradient in the same pass.

A language model's logits are positions × vocabulary: for 8,192 positions and 128,256 tokens 4 GB in
float32, several times over with gradients and a teacher. Here the student's head is applied to a
few positions, their loss and its analytic gradient by the logits are computed, carried through the
head, and the logits are forgotten. What is kept has the size of the hidden states and of the head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from kdaudit.distill.objectives.chunked_terms import Term
from kdaudit.distill.objectives.objective import upcast

CHUNK = 128  # positions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """What turns hidden states into logits, and the hidden states.

    Attributes:
        hidden: (N, H); or (N, V) logits themselves where there is no weight.
        weight: (V, H), or None.
        bias: (V,), or None.
    """

    hidden: Tensor
    weight: Tensor | None = None
    bias: Tensor | None = None

    def logits(self, rows: Tensor) -> Tensor:
        """(c, V) logits of positions (c,), in the type of the hidden states.

        >>> head = Head(hidden=torch.eye(2), weight=torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> head.logits(torch.tensor([1])).tolist()
        [[2.0, 4.0]]
        """
        hidden = self.hidden[rows]
        return hidden if self.weight is None else linear(hidden, self.weight, self.bias)

    def cast(self) -> "Head":
        """The same, weight and bias in the type of the hidden states, as autocast would have it."""
        kind = self.hidden.dtype
        weight, bias = (None if x is None else x.to(kind) for x in (self.weight, self.bias))
        return replace(self, weight=weight, bias=bias)

    def pull(self, rows: Tensor, gradient: Tensor, sums: Sequence[Tensor | None]) -> None:
        """Carry a gradient by logits through the head, and add it up.

        Args:
            rows: (c,) positions, none of which was pulled before.
            gradient: (c, V) by their logits; may be changed.
            sums: of the gradients by hidden states, weight and bias; None where not wanted.
        """
        of_hidden, of_weight, of_bias = sums
        if of_weight is not None:
            of_weight.addmm_(gradient.t(), self.hidden[rows].to(gradient.dtype))
        if of_bias is not None:
            of_bias += gradient.sum(dim=0)
        if of_hidden is not None:
            if self.weight is not None:
                gradient = gradient.to(self.weight.dtype) @ self.weight
            of_hidden[rows] = gradient.to(of_hidden.dtype)


class Loss(NamedTuple):
    """What `chunked_loss` gives.

    Attributes:
        total: the loss, to be minimised.
        parts: (K,) each term's share of it; no gradient.
        discarded: (K,) probability, a mean over positions, that the teacher of a term gives to
            tokens the student does not have; no gradient.
    """

    total: Tensor
    parts: Tensor
    discarded: Tensor


def chunked_loss(
    student: Head,
    terms: Sequence[Term],
    valid: Tensor,
    *,
    positions: int | None = None,
    chunk: int = CHUNK,
) -> Loss:
    """The sum of loss terms, a mean over valid positions.

    Sums are in float32 at least, whatever the type of the hidden states. Only valid positions are
    looked at, so what stands elsewhere cannot change a bit.

    Args:
        student: hidden states (N, H) and head; either may learn.
        terms: K of them.
        valid: (N,) bool; padding, prompts and last tokens are not.
        positions: what to divide by; the number of valid positions unless the batch is a part of a
            larger one, whose valid positions it is then.
        chunk: positions at a time; without effect on the result beyond rounding.

    >>> from kdaudit.distill.objectives.chunked_terms import Labels
    >>> logits = torch.tensor([[0.0, 0.0], [5.0, 1.0]])
    >>> valid = torch.tensor([True, False])
    >>> loss = chunked_loss(Head(hidden=logits), [Labels(labels=torch.tensor([1, 0]))], valid)
    >>> round(float(loss.total), 4)
    0.6931
    """
    rows = valid.nonzero().squeeze(1)
    divisor = max(1, len(rows) if positions is None else positions)
    # Inside, every product has the type that the code names, autocast or not.
    with torch.autocast(student.hidden.device.type, enabled=False):
        apply: Callable[..., Any] = _Chunked.apply
        found = apply(
            student.hidden,
            student.weight,
            student.bias,
            terms,
            rows,
            divisor,
            chunk,
            torch.is_grad_enabled(),
        )
    return Loss(*found)


class _Chunked(torch.autograd.Function):
    """Loss and gradients in the forward pass; the backward pass only scales them."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917  # autograd wants every tensor on its own
        ctx: Any,
        hidden: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        terms: Sequence[Term],
        rows: Tensor,
        divisor: int,
        chunk: int,
        learning: bool,  # noqa: FBT001  # likewise
    ) -> tuple[Tensor, Tensor, Tensor]:
        head = Head(hidden=hidden, weight=weight, bias=bias).cast()
        kind = torch.promote_types(hidden.dtype, torch.float32)
        sums = [
            torch.zeros_like(x, dtype=kind) if x is not None and asked and learning else None
            for x, asked in zip((hidden, weight, bias), ctx.needs_input_grad, strict=False)
        ]
        parts = hidden.new_zeros((2, len(terms)), dtype=torch.float64)
        for some in torch.split(rows, chunk):
            logits = upcast(head.logits(some))
            gradient: Tensor | None = None
            for number, term in enumerate(terms):
                part = term(some, logits)
                parts[0, number] += part.loss.sum(dtype=torch.float64)
                parts[1, number] += part.discarded.sum(dtype=torch.float64)
                gradient = part.gradient if gradient is None else gradient.add_(part.gradient)
                del part
            del logits
            if gradient is not None and learning:
                head.pull(some, gradient.div_(divisor), sums)
        ctx.save_for_backward(*sums)
        ctx.types = [None if t is None else t.dtype for t in (hidden, weight, bias)]
        losses, discarded = parts[0] / divisor, parts[1] / max(1, len(rows))
        total, *told = (x.to(kind) for x in (losses.sum(), losses, discarded))
        ctx.mark_non_differentiable(*told)
        return total, told[0], told[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [
            None if found is None else (found * outer[0]).to(kind)
            for found, kind in zip(ctx.saved_tensors, ctx.types, strict=True)
        ]
        return (*scaled, *[None] * 5)
