from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file

from kdaudit.evidence.kinds import Footprint
from kdaudit.models.footprint import footprint
from kdaudit.models.torch import TorchModel

GREEDY = """
import numpy as np
from torch import nn

class Greedy(nn.Module):
    def forward(self, x):
        self.held = np.ones(100_000_000, dtype=np.uint8)
        print("the model's own words")
        return x

def build(inputs, classes):
    return nn.Sequential(
        nn.Linear(inputs, 4), nn.ReLU(), nn.Sequential(Greedy()), nn.Linear(4, classes)
    )
"""
OPTIONS: dict[str, Any] = {
    "factory": "student:build",
    "classes": ["a", "b", "c"],
    "inputs": ["a", "b"],
}
COLUMNS = {"a": np.ones(20), "b": np.full(20, np.nan)}


def weigh(folder: Path, **changes: str) -> Footprint:
    model: Any = TorchModel.open("w.safetensors", base=folder, **OPTIONS)
    subject = {"torch": "w.safetensors", **OPTIONS, **changes}
    return footprint(model, subject, base=folder, columns=COLUMNS)


def test_memory_is_that_of_a_fresh_process_at_its_highest(folder: Path) -> None:
    held = np.ones(400_000_000, dtype=np.uint8)
    plain = weigh(folder)
    assert plain.base_memory is not None
    assert plain.peak_memory is not None
    assert plain.base_memory < len(held)  # what this process holds does not count
    assert plain.base_memory < plain.peak_memory
    assert plain.parameters == 27
    (folder / "greedy.py").write_text(GREEDY)
    save_file(load_file(folder / "w.safetensors"), folder / "greedy.safetensors")
    greedy = weigh(folder, torch="greedy.safetensors", factory="greedy:build")
    assert greedy.peak_memory is not None
    assert greedy.peak_memory - plain.peak_memory > 80e6


def test_a_model_whose_process_fails_has_a_size_but_no_memory(folder: Path) -> None:
    weighed = weigh(folder, torch="none.safetensors")
    assert (weighed.peak_memory, weighed.base_memory) == (None, None)
    assert weighed.bytes > 0
