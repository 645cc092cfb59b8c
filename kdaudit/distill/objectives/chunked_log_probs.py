"""Log-probabilities of given tokens over a large vocabulary, a few positions at a time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kdaudit.distill.objectives.chunked import CHUNK, Head
from kdaudit.distill.objectives.objective import upcast


def chunked_log_probs(
    student: Head, labels: Tensor, valid: Tensor, *, chunk: int = CHUNK
) -> Tensor:
    """(N,) log q(label) at valid positions, 0 elsewhere; float32 at least.

    The logits of a chunk are computed once more in the backward pass instead of being kept.

    Args:
        student: hidden states (N, H) and head; either may learn.
        labels: (N,) token ids; whatever they are where not valid.
        valid: (N,) bool.
        chunk: positions at a time.

    >>> logits = torch.tensor([[0.0, 0.0], [5.0, 1.0]])
    >>> chunked_log_probs(
    ...     Head(hidden=logits), torch.tensor([1, -100]), torch.tensor([True, False])
    ... ).round(decimals=4).tolist()
    [-0.6930999755859375, 0.0]
    """
    rows = valid.nonzero().squeeze(1)
    with torch.autocast(student.hidden.device.type, enabled=False):
        apply: Callable[..., Tensor] = _LogProbs.apply
        return apply(student.hidden, student.weight, student.bias, labels, rows, chunk)


class _LogProbs(torch.autograd.Function):
    """The backward pass goes through the chunks again."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        labels: Tensor,
        rows: Tensor,
        chunk: int,
    ) -> Tensor:
        ctx.save_for_backward(hidden, weight, bias, labels, rows)
        ctx.chunk = chunk
        head = Head(hidden=hidden, weight=weight, bias=bias).cast()
        kind = torch.promote_types(hidden.dtype, torch.float32)
        found = hidden.new_zeros(len(hidden), dtype=kind)
        for some in torch.split(rows, chunk):
            log_q = upcast(head.logits(some)).log_softmax(dim=1)
            found[some] = log_q.gather(1, labels[some][:, None]).squeeze(1)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, labels, rows = ctx.saved_tensors
        head = Head(hidden=hidden, weight=weight, bias=bias).cast()
        kind = torch.promote_types(hidden.dtype, torch.float32)
        given = (hidden, weight, bias)
        sums = [
            torch.zeros_like(x, dtype=kind) if x is not None and asked else None
            for x, asked in zip(given, ctx.needs_input_grad, strict=False)
        ]
        for some in torch.split(rows, ctx.chunk):
            gradient = -upcast(head.logits(some)).softmax(dim=1)
            ones = gradient.new_ones(len(some), 1)
            gradient.scatter_add_(1, labels[some][:, None], ones)
            gradient.mul_(outer[0][some][:, None])
            head.pull(some, gradient, sums)
        found = [
            None if total is None or x is None else total.to(x.dtype)
            for total, x in zip(sums, given, strict=True)
        ]
        return (*found, None, None, None)
