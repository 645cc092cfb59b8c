"""What a method is set up for: the models and rows at hand, and what their layers give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from kdaudit.distill.methods.soft_table import Layers
from kdaudit.distill.objectives.activations import Pair, positions, watches
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Batch
from kdaudit.distill.training.train import draw
from kdaudit.errors import ModelError

PROBED = 2  # rows shown to both models, to see the shapes their layers give
PAST = "past"  # what a student's answers of before go by
POSITIONED = 3  # axes: rows, positions, numbers


class Another(Protocol):
    """Builds another that learns."""

    def __call__(
        self, name: str, factory: str | None = None, args: Mapping[str, object] | None = None
    ) -> Participant:
        """Untrained, with first weights drawn for its name.

        Args:
            name: its own.
            factory: ``module:function``; None for the student's.
            args: of the factory; None for the student's where the factory is.
        """
        ...


def nobody(
    name: str, factory: str | None = None, args: Mapping[str, object] | None = None
) -> Participant:
    """Build nothing: where a method has nobody beside the student."""
    raise LookupError(f"nothing builds {name} from {factory} and {args} here")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """What a method is set up for.

    Attributes:
        participants: the student untrained and, where it is there as a module, the teacher.
        transfer: rows to learn from.
        validation: rows to stop by.
        classes: C.
        seed: of what projectors start from.
        another: builds further students.
    """

    participants: Mapping[str, Participant]
    transfer: Batch
    validation: Batch
    classes: int
    seed: int
    another: Another = nobody


def pairs_of(layers: Layers) -> list[Pair]:
    """The pairs of a table."""
    return [Pair(student=student, teacher=teacher) for student, teacher in layers.items()]


def probed(
    method: str, pairs: Sequence[Pair], setting: Setting
) -> list[tuple[Pair, Tensor, Tensor]]:
    """What each pair gives for a few rows, (B, P, D) each.

    Raises:
        ModelError: naming the method and the layer that gives something else.
    """
    rows = setting.transfer.take(slice(PROBED))
    outputs = {}
    for name, names in watches(pairs).items():
        participant = replace(setting.participants[name], watch=names)
        outputs[name] = participant(rows.seen_by(name), learning=False)
    found = []
    for pair in pairs:
        student, teacher = (positions(given) for given in pair.of(outputs))
        for tensor, layer in ((student, pair.student), (teacher, pair.teacher)):
            if tensor.ndim != POSITIONED or len(tensor) != len(rows):
                raise ModelError(
                    f"[objectives.{method}] {layer} gives {tuple(tensor.shape)} for {len(rows)} "
                    "rows; compared are layers that give (rows, numbers), (rows, positions, "
                    "numbers) or images (rows, channels, height, width)"
                )
        found.append((pair, student, teacher))
    return found


def projector(student: int, teacher: int, name: str, setting: Setting) -> nn.Linear:
    """A projector; what it starts from depends on the seed and the layers' names alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(draw(setting.seed, "projector", name))
        return nn.Linear(student, teacher)


def said(given: Tensor) -> str:
    """What a layer gives per row, for messages."""
    numbers = f"{given.shape[2]} numbers"
    return numbers if given.shape[1] == 1 else f"{given.shape[1]} positions of {numbers}"
