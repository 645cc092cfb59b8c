"""A small project: data with splits, code, an audit file, a teacher's and a student's recipe."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kdaudit.distill.distill import distill
from kdaudit.evidence.store import Store
from kdaudit.models.code import Code

NETS = """
import numpy as np
from torch import nn

def build(inputs, classes, width=8, dropout=0.0):
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, classes)
    )

def fit(columns):
    return {"mean": {name: float(column.mean()) for name, column in columns.items()}}

def encode(columns, state):
    centred = [column - state["mean"][name] for name, column in columns.items()]
    return np.stack(centred, axis=1)
"""
AUDIT = """
[audit]
name = "small"
[data]
path = "rows.csv"
label = "label"
inputs = ["a", "b"]
out_of_scope = "none of these"
split = { column = "split", audit = "test", validation = "val", transfer = "train" }
[teacher]
distill = "teacher.toml"
[student]
distill = "student.toml"
"""
TEACHER = """
audit = "audit.toml"
[student]
factory = "nets:build"
args = { width = 32, dropout = 0.1 }
[objectives.hard]
[train]
epochs = 30
learning_rate = 0.01
"""
STUDENT = """
audit = "audit.toml"
[student]
factory = "nets:build"
args = { dropout = 0.1 }
encode = "nets:encode"
fit = "nets:fit"
[objectives.response]
[train]
epochs = 6
learning_rate = 0.01
"""


def table(rows: int = 330) -> pd.DataFrame:
    """Three classes in the plane, and a few rows that are none of them."""
    rng = np.random.default_rng(0)
    label = rng.integers(3, size=rows)
    angle = 2 * np.pi * label / 3
    data = pd.DataFrame(
        {
            "id": [f"row-{i:04d}" for i in range(rows)],
            "a": 2 * np.cos(angle) + rng.normal(size=rows),
            "b": 2 * np.sin(angle) + rng.normal(size=rows),
            "label": np.array(["red", "green", "blue"])[label],
            "split": np.repeat(["train", "val", "test"], [rows - 150, 50, 100]),
        }
    )
    data.loc[[3, rows - 120, rows - 2], "label"] = "none of these"
    return data


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def begin(folder: Path) -> None:
    """Write the project into a folder."""
    texts = {"nets.py": NETS, "audit.toml": AUDIT, "teacher.toml": TEACHER, "student.toml": STUDENT}
    for name, text in texts.items():
        (folder / name).write_text(text)
    table().to_csv(folder / "rows.csv", index=False)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's store after both recipes have run."""
    folder = tmp_path_factory.mktemp("trained")
    begin(folder)
    store = Store(folder / ".kdaudit")
    for recipe in ("teacher.toml", "student.toml"):
        distill(folder / recipe, store=store)
    return store.root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's folder."""
    begin(tmp_path)
    return tmp_path


@pytest.fixture
def store(project: Path, trained: Path) -> Store:
    """A store in which both recipes have run, so that only what a test changes is trained."""
    shutil.copytree(trained, project / ".kdaudit")
    return Store(project / ".kdaudit")


@pytest.fixture
def code() -> Callable[[str], Code]:
    """Code by a name, for messages."""
    return lambda name: Code(name=name, function=lambda: None, digest="", source=None)
