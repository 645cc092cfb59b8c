"""Where a run is computed: device, precision, and the parts of a batch of each process.

Processes, devices and collective operations are Accelerate's. Gradients are summed here, by each
part's share of the batch: an average over processes is another gradient where parts are uneven.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, broadcast_object_list, parse_flag_from_env, reduce
from torch import Tensor, nn

from kdaudit.distill.recipe import Precision
from kdaudit.distill.training.sources import Batch

PATIENCE = timedelta(days=2)  # others wait while the main process asks a teacher


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """How batches are computed.

    Attributes:
        precision: ``no`` for float32, or ``bf16``: matrix products in bfloat16 (autocast); weights,
            losses and validation stay in float32.
        accumulate: parts a process works its share of a batch off in, one after the other.
    """

    precision: Precision = "no"
    accumulate: int = 1

    @cached_property
    def _state(self) -> PartialState:
        cpu = not torch.cuda.is_available() or parse_flag_from_env("ACCELERATE_USE_CPU")
        return PartialState(cpu=cpu, timeout=PATIENCE)

    @cached_property
    def device(self) -> torch.device:
        """A GPU with CUDA, else the CPU."""
        found = self._state.device
        return found if found is not None and found.type == "cuda" else torch.device("cpu")

    @cached_property
    def processes(self) -> int:
        """How many work on each batch."""
        return int(self._state.num_processes)

    @cached_property
    def index(self) -> int:
        """Which of them this is, from 0."""
        return int(self._state.process_index)

    @property
    def main(self) -> bool:
        """Whether this one writes."""
        return self.index == 0

    @cached_property
    def whole(self) -> bool:
        """Whether a batch is worked off in one piece."""
        return self.processes * self.accumulate == 1

    def parts(self, batch: Batch) -> Iterator[Batch]:
        """This process's parts of a batch; none of them empty, so perhaps none at all."""
        count = self.processes * self.accumulate
        for number in range(self.index * self.accumulate, (self.index + 1) * self.accumulate):
            start, stop = (len(batch) * edge // count for edge in (number, number + 1))
            if start < stop:
                yield batch.take(slice(start, stop))

    def placed(self, batch: Batch) -> Batch:
        """The batch where it is computed."""
        if batch.inputs.device == self.device:
            return batch
        moved: dict[str, Any] = {
            one.name: self._moved(getattr(batch, one.name)) for one in fields(batch)
        }
        return replace(batch, **moved)

    @contextmanager
    def placing(self, modules: Sequence[nn.Module]) -> Iterator[None]:
        """Modules where batches are computed; afterwards back on the CPU, where others look."""
        try:
            for module in modules:
                module.to(self.device)
            yield
        finally:
            for module in modules:
                module.to("cpu")

    def main_first(self) -> AbstractContextManager[Any]:
        """The main process goes ahead; the others follow when it is done, and find its files."""
        found: AbstractContextManager[Any] = self._state.main_process_first()
        return found

    @property
    def facts(self) -> dict[str, object]:
        """What weights depend on; empty for one process on the CPU."""
        said: dict[str, object] = {}
        if self.device.type != "cpu":
            said["device"] = self.device.type
        if self.processes > 1:
            said["processes"] = self.processes
        return said

    def autocast(self) -> AbstractContextManager[Any]:
        """In which modules are run while learning."""
        if self.precision == "no":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def summed(self, gradients: Sequence[nn.Parameter]) -> None:
        """Add up the gradients of all processes; one that nobody has stays None."""
        if self.processes == 1:
            return
        mine = [torch.zeros_like(p) if p.grad is None else p.grad for p in gradients]
        there = torch.tensor([float(p.grad is not None) for p in gradients], device=self.device)
        flat = self.total(torch.cat([there, *(grad.reshape(-1) for grad in mine)]))
        found, *pieces = torch.split(flat, [len(mine), *(grad.numel() for grad in mine)])
        for p, known, piece in zip(gradients, found.tolist(), pieces, strict=True):
            p.grad = piece.view_as(p).clone() if known else None

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        return values if self.processes == 1 else reduce(values, reduction="sum")

    def same(self, modules: Sequence[nn.Module]) -> None:
        """Give every process the buffers of the main one, such as a batch norm's statistics."""
        if self.processes > 1:
            for module in modules:
                for buffer in module.buffers():
                    buffer.copy_(broadcast(buffer.clone()))

    def agreed(self, scores: dict[str, float]) -> dict[str, float]:
        """The main process's scores, for all: they decide when to stop."""
        if self.processes == 1:
            return scores
        found = [scores]
        broadcast_object_list(found)
        return found[0]

    def wait(self) -> None:
        """Until every process has come this far."""
        self._state.wait_for_everyone()

    def _moved(self, value: object) -> object:
        if isinstance(value, Tensor):
            return value.to(self.device, non_blocking=True)
        if isinstance(value, Mapping):
            return {name: self._moved(one) for name, one in value.items()}
        return value
