"""Factories of the recipes here; a copy lies beside every recipe that names one."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

AUXILIARY = 3  # outputs that no label speaks of


def perceptron(
    inputs: int, classes: int, hidden: Sequence[int], dropout: float = 0.0, jitter: int = 0
) -> nn.Module:
    """Fully connected layers with ReLU; in training with dropout, and on shifted images."""
    widths = [inputs, *hidden]
    layers: list[nn.Module] = [Jitter(jitter)] if jitter else []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


class Jitter(nn.Module):
    """Shifts each square image by up to some pixels both ways, in training only."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, images: Tensor) -> Tensor:
        """(B, side²) to (B, side²); what comes in from outside is 0."""
        if not self.training:
            return images
        count, side = len(images), math.isqrt(images.shape[1])
        padded = pad(images.view(count, side, side), [self.most] * 4)
        place = torch.arange(side)
        down, right = (torch.randint(2 * self.most + 1, (count, 1)) + place for _ in range(2))
        return padded[torch.arange(count)[:, None, None], down[:, :, None], right[:, None]].flatten(
            1
        )


class Part(nn.Module):
    """Some of the outputs of a network that has more."""

    def __init__(self, network: nn.Module, first: int, last: int) -> None:
        super().__init__()
        self.network = network
        self.first, self.last = first, last

    def forward(self, images: Tensor) -> Tensor:
        """(B, last - first) of the logits."""
        found: Tensor = self.network(images)[:, self.first : self.last]
        return found


def digits(inputs: int, classes: int, hidden: Sequence[int]) -> nn.Module:
    """The first outputs of a network with auxiliary ones after them."""
    return Part(perceptron(inputs, classes + AUXILIARY, hidden), 0, classes)


def auxiliary(inputs: int, classes: int, hidden: Sequence[int], first: int) -> nn.Module:
    """The auxiliary outputs of the same network: same seed, same first weights as `digits`."""
    return Part(perceptron(inputs, first + classes, hidden), first, first + classes)
