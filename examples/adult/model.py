"""A multilayer perceptron on census columns: standardised numbers beside one-hot categories."""

import itertools
from collections.abc import Mapping

import numpy as np
import torch

Columns = Mapping[str, np.ndarray]


def fit(columns: Columns) -> dict[str, object]:
    """What encoding needs to remember, learnt from training rows only: scales and categories."""
    state: dict[str, object] = {}
    for name, values in columns.items():
        if values.dtype.kind == "f":
            squeezed = np.log1p(values)
            state[name] = [float(squeezed.mean()), float(squeezed.std() or 1.0)]
        else:
            state[name] = sorted(set(values.tolist()))
    return state


def encode(columns: Columns, state: Mapping[str, list]) -> np.ndarray:
    """(N, D) float32; a category never seen in training is all zeros."""
    parts = []
    for name in sorted(columns):
        values, known = columns[name], state[name]
        if values.dtype.kind == "f":
            mean, scale = known
            parts.append(((np.log1p(values) - mean) / scale)[:, None])
        else:
            parts.append(values[:, None] == np.array(known, dtype=object)[None, :])
    return np.concatenate(parts, axis=1).astype(np.float32)


def perceptron(
    inputs: int, classes: int, hidden: list[int], dropout: float = 0.0
) -> torch.nn.Module:
    """Fully connected layers with ReLU and dropout between them."""
    widths = [inputs, *hidden]
    layers: list[torch.nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [torch.nn.Linear(before, after), torch.nn.ReLU(), torch.nn.Dropout(dropout)]
    return torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], classes))
