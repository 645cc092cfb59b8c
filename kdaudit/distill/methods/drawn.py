"""Rows that are drawn instead of read, as a batch needs them, and shown to the teacher at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Batch, Source
from kdaudit.distill.training.train import draw
from kdaudit.errors import ModelError

Make = Callable[[int, torch.Generator], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Mean and standard deviation of each encoded feature.

    Attributes:
        mean: (D,).
        std: (D,), at least 0.
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> "Moments":
        """Those of (N, D) rows.

        >>> found = Moments.of(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
        >>> found.mean.tolist(), found.std.tolist()
        ([2.0, 5.0], [1.0, 0.0])
        """
        return cls(mean=rows.mean(dim=0), std=rows.std(dim=0, correction=0))

    def __call__(self, standard: Tensor) -> Tensor:
        """(B, D) numbers of mean 0 and deviation 1, brought to these moments."""
        return self.mean.to(standard) + self.std.to(standard) * standard


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaussian:
    """Features drawn one by one, each normal with its own mean and deviation.

    Attributes:
        moments: of the features.
    """

    moments: Moments

    def __call__(self, rows: int, generator: torch.Generator) -> Tensor:
        """(B, D)."""
        return self.moments(torch.randn(rows, len(self.moments.mean), generator=generator))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generated:
    """What a network makes of noise, brought to given moments in every batch.

    Attributes:
        network: (B, L) to (B, D) of mean 0 and deviation 1 over the batch, with its gradient.
        latent: L.
        moments: of the features.
    """

    network: nn.Module
    latent: int
    moments: Moments

    def __call__(self, rows: int, generator: torch.Generator) -> Tensor:
        """(B, D), with the graph that leads to the network."""
        if rows < 2:
            raise ModelError("a generator makes two rows or more at once: raise batch_size")
        noise = torch.randn(rows, self.latent, generator=generator)
        made: Tensor = self.network(noise.to(_device(self.network)))
        return self.moments(made)


def network(latent: int, hidden: int, width: int) -> nn.Module:
    """A generator with one hidden layer, whose outputs have mean 0 and deviation 1 in each batch.

    Args:
        latent: numbers of noise.
        hidden: units.
        width: features.
    """
    return nn.Sequential(
        nn.Linear(latent, hidden),
        nn.BatchNorm1d(hidden, track_running_stats=False),
        nn.LeakyReLU(0.2),
        nn.Linear(hidden, width),
        nn.BatchNorm1d(width, affine=False, track_running_stats=False),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """Rows drawn from a stream of seed and epoch, with the teacher's answers of now; no labels.

    Attributes:
        make: the rows of a batch.
        teacher: who answers; never changed.
        rows: per epoch.
        batch_size: most rows of a batch.
        seed: of the arm.
    """

    make: Make
    teacher: Participant
    rows: int
    batch_size: int
    seed: int

    def __len__(self) -> int:
        return max(1, -(-self.rows // self.batch_size))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """As many rows as ``rows`` says, in batches that differ by one row at most."""
        generator = torch.Generator().manual_seed(draw(self.seed, "drawn", str(epoch)))
        least, more = divmod(self.rows, len(self))
        for index in range(len(self)):
            inputs = self.make(least + (index < more), generator).to(_device(self.teacher.module))
            # Where rows have a gradient, their answers have one too: a generator learns from both.
            answers = self.teacher(inputs, learning=True).logits
            yield Batch(inputs=inputs, targets=answers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shuffled:
    """A source whose rows are given what teachers say of another row of the batch.

    Attributes:
        source: the rows.
        seed: of the arm.
    """

    source: Source
    seed: int

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The same inputs, other answers."""
        generator = torch.Generator().manual_seed(draw(self.seed, "shuffled", str(epoch)))
        for batch in self.source.batches(epoch):
            yield batch.taught(torch.randperm(len(batch), generator=generator))


def _device(module: nn.Module) -> torch.device:
    return next((p.device for p in module.parameters()), torch.device("cpu"))
