"""A multilayer perceptron on pixels."""

import itertools
from collections.abc import Mapping

import numpy as np
import torch


def encode(columns: Mapping[str, np.ndarray], state: object) -> np.ndarray:
    """(N, 64) float32 pixels between 0 and 1."""
    del state
    pixels = np.stack([columns[name] for name in sorted(columns)], axis=1)
    return (pixels / 16).astype(np.float32)


def perceptron(
    inputs: int, classes: int, hidden: list[int], dropout: float = 0.0
) -> torch.nn.Module:
    """Fully connected layers with ReLU and dropout between them."""
    widths = [inputs, *hidden]
    layers: list[torch.nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU(), torch.nn.Dropout(dropout)]
    return torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], classes))
