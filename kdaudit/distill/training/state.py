"""All tensors of a run by name, and back: modules, loss terms and optimisers, without pickle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from kdaudit.distill.objectives import Objective
from kdaudit.distill.training.learner import Learner


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What changes while a run goes on.

    Attributes:
        participants: the modules of those that change, buffers included, and their optimisers.
        objectives: the modules that loss terms own.
    """

    participants: Sequence[Learner]
    objectives: Sequence[Objective]

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor, by name."""
        found = under("modules", self._modules().state_dict())
        for p in self.participants:
            kept = {} if p.optimiser is None else p.optimiser.state_dict()["state"]
            for index, state in kept.items():
                found |= under(f"optimiser/{p.name}/{index}", state)
        return found

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        self._modules().load_state_dict(beneath("modules", tensors))
        for p in self.participants:
            if p.optimiser is None:
                continue
            state: dict[int, dict[str, Tensor]] = {}
            for name, tensor in beneath(f"optimiser/{p.name}", tensors).items():
                index, _, key = name.partition("/")
                state.setdefault(int(index), {})[key] = tensor
            groups = p.optimiser.state_dict()["param_groups"]
            p.optimiser.load_state_dict({"state": state, "param_groups": groups})

    def _modules(self) -> nn.Module:
        models = nn.ModuleDict({p.name: p.module for p in self.participants if p.kept})
        return nn.ModuleList([models, nn.ModuleList(self.objectives)])


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with a prefix before their names."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def beneath(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one prefix, without it."""
    head = f"{prefix}/"
    return {name.removeprefix(head): t for name, t in tensors.items() if name.startswith(head)}
