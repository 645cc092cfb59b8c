"""What modules give, in one form: (B, P, D), D numbers at each of P positions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from kdaudit.distill.objectives.objective import Forward, upcast
from kdaudit.distill.training.sources import STUDENT, TEACHER, Batch
from kdaudit.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A module of the student, and the one of the teacher that it is compared with."""

    student: str
    teacher: str

    def __str__(self) -> str:
        return f"{self.student} → {self.teacher}"

    def of(self, outputs: Mapping[str, Forward]) -> tuple[Tensor, Tensor]:
        """What they gave, in float32 at least; images pooled to the smaller grid."""
        given = outputs[STUDENT].inner[self.student], outputs[TEACHER].inner[self.teacher]
        student, teacher = (upcast(tensor) for tensor in given)
        if student.ndim == teacher.ndim == 4:
            height, width = map(min, student.shape[2:], teacher.shape[2:])
            student, teacher = (
                x if x.shape[2:] == (height, width) else adaptive_avg_pool2d(x, (height, width))
                for x in (student, teacher)
            )
        return student, teacher


def watches(pairs: Sequence[Pair]) -> dict[str, tuple[str, ...]]:
    """The modules of some pairs, by participant."""
    return {
        STUDENT: tuple(dict.fromkeys(pair.student for pair in pairs)),
        TEACHER: tuple(dict.fromkeys(pair.teacher for pair in pairs)),
    }


def positions(activation: Tensor) -> Tensor:
    """(B, D) as one position, (B, S, D) as S, and an image (B, D, H, W) as H·W.

    >>> [tuple(positions(torch.zeros(n)).shape) for n in ((2, 5), (2, 3, 5), (2, 5, 4, 4))]
    [(2, 1, 5), (2, 3, 5), (2, 16, 5)]
    """
    if activation.ndim == 2:
        return activation[:, None, :]
    if activation.ndim == 4:
        return activation.flatten(2).transpose(1, 2)
    return activation


def mean_over_positions(values: Tensor, batch: Batch, padding: int | None) -> Tensor:
    """(B, ...) means of (B, P, ...) over the positions that are no padding."""
    if padding is None:
        return values.mean(dim=1)
    kept = tokens(batch, padding, values.shape[1]).to(values.dtype)
    share = kept / kept.sum(dim=1, keepdim=True).clamp(min=1)
    # Not by multiplication: what stands at padding may be infinite.
    shaped = kept.reshape(*kept.shape, *[1] * (values.ndim - 2)) > 0
    clean = torch.where(shaped, values, torch.zeros_like(values))
    return torch.einsum("bp,bp...->b...", share, clean)


def tokens(batch: Batch, padding: int, count: int) -> Tensor:
    """(B, P) whether a position holds a token: its input is not ``padding``.

    Inputs may be longer than P where all that is beyond is padding: modules cut that off.

    Raises:
        ModelError: if inputs and positions do not correspond.
    """
    inputs = batch.inputs
    if inputs.ndim == 2 and (inputs[:, count:] == padding).all():
        inputs = inputs[:, :count]
    if tuple(inputs.shape) != (len(batch), count):
        raise ModelError(
            f"padding = {padding} is looked for in the student's inputs, of shape "
            f"{tuple(batch.inputs.shape)}, but the layer has {count} positions; name another "
            "layer, or take padding out"
        )
    return inputs != padding
