"""A model that takes part in training: one that learns, or one that only answers."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from kdaudit.distill.objectives import Forward, Objective
from kdaudit.distill.training.learner import Learner
from kdaudit.errors import ModelError, unknown
from kdaudit.models.code import Code
from kdaudit.models.torch import logits

WATCHED = re.compile(r"(?P<module>.*?)(?:\[(?P<part>\d+)\])?")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Participant(Learner):
    """A classifier that is asked about every batch.

    Attributes:
        name: what objectives call its outputs.
        module: maps (B, D) to logits (B, C).
        optimiser: None for one that takes no steps: it stays in eval mode and gets no gradients.
        factory: what built it; for messages.
        classes: C.
        watch: modules inside whose outputs are given too, by their names in the module, such as
            ``encoder.0``; ``encoder.0[1]`` is the second of several things that a module returns.
    """

    factory: Code
    classes: int
    watch: tuple[str, ...] = ()

    def __call__(self, inputs: Tensor, *, learning: bool) -> Forward:
        """Logits (B, C); in train mode and with gradients only where it learns now.

        Where the inputs have a gradient, because a generator made them, it flows through any
        participant; only those that learn are moved by it.

        Raises:
            ModelError: if its own code fails, or a watched module is not there or not run.
        """
        active = self.mode(learning=learning) or (learning and inputs.requires_grad)
        if not self.watch:
            with torch.set_grad_enabled(active):
                return Forward(logits=logits(self.module, inputs, self.factory, self.classes))
        with torch.set_grad_enabled(active), self._watched() as inner:
            answer = logits(self.module, inputs, self.factory, self.classes)
        for name in self.watch:
            if name not in inner:
                raise ModelError(
                    f"{self.factory.name} did not run its module {name}, so there is nothing to "
                    "compare; name one that every row passes through"
                )
        return Forward(logits=answer, inner=inner)

    def watching(self, objectives: Sequence[Objective]) -> "Participant":
        """The same, giving what some objectives read."""
        names = (name for o in objectives for name in o.watches.get(self.name, ()))
        return replace(self, watch=tuple(dict.fromkeys(names)))

    @contextmanager
    def _watched(self) -> Iterator[dict[str, Tensor]]:
        """Outputs of the watched modules as they are run; no hook is left behind."""
        inner: dict[str, Tensor] = {}
        handles = []
        try:
            for name in self.watch:
                keep = partial(self._keep, inner, name)
                handles.append(self._inside(name).register_forward_hook(keep))
            yield inner
        finally:
            for handle in handles:
                handle.remove()

    def _keep(
        self,
        inner: dict[str, Tensor],
        name: str,
        _module: nn.Module,
        _inputs: object,
        output: object,
    ) -> None:
        # A copy: what follows may work in place.
        inner[name] = self._tensor(output, name).clone()

    def _inside(self, name: str) -> nn.Module:
        module = _parsed(name)[0]
        known: dict[str, nn.Module] = dict(self.module.named_modules())
        if module not in known or not module:
            raise ModelError(
                f"{self.factory.name}: {unknown('module', module, filter(None, known))}"
            )
        return known[module]

    def _tensor(self, output: object, name: str) -> Tensor:
        part = _parsed(name)[1]
        if isinstance(output, tuple | list) and (part or 0) < len(output):
            output = output[part or 0]
        elif part is not None:
            raise ModelError(
                f"{self.factory.name}: the module of {name} gives {_kind(output)}, which has no "
                f"part {part}"
            )
        if not isinstance(output, Tensor):
            raise ModelError(
                f"{self.factory.name}: {name} gives {_kind(output)}, not a tensor; name a part of "
                "it, such as [1], or a module inside"
            )
        return output


def _parsed(name: str) -> tuple[str, int | None]:
    """A module's name, and which of the things it returns.

    >>> _parsed("encoder.0"), _parsed("encoder.0[1]")
    (('encoder.0', None), ('encoder.0', 1))
    """
    found = WATCHED.fullmatch(name)
    assert found is not None
    part = found["part"]
    return found["module"], None if part is None else int(part)


def _kind(output: object) -> str:
    return f"{len(output)} things" if isinstance(output, tuple | list) else type(output).__name__
