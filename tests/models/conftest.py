"""A tiny model of each kind, on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

STUDENT = """
import numpy as np
from torch import nn

def build(inputs, classes, hidden=4):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, classes))

def encode(columns, state):
    return np.stack([[len(text), text.count("a")] for text in columns["message"]]) / state["scale"]
"""  # noqa: E501


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with ``student.py``, ``state.json`` and ``w.safetensors`` for D = 2, C = 3."""
    (tmp_path / "student.py").write_text(STUDENT)
    (tmp_path / "state.json").write_text('{"scale": 10}')
    generator = torch.Generator().manual_seed(0)
    shapes = {"0.weight": (4, 2), "0.bias": (4,), "3.weight": (3, 4), "3.bias": (3,)}
    tensors = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / "w.safetensors")
    return tmp_path
