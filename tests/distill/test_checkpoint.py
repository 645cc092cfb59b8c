from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from kdaudit.distill.objectives import STUDENT, Hard
from kdaudit.distill.training.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.state import State
from kdaudit.errors import DamagedError
from kdaudit.models.code import Code


def test_tensors_and_facts_come_back_as_they_were(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "deep" / "c.safetensors")
    assert checkpoint.load() is None
    shared = torch.tensor([1.5, float("inf")])
    tensors = {"a": shared, "b": shared, "step": torch.tensor(3.0), "half": shared.bfloat16()}
    checkpoint.save(tensors, {"epoch": 3, "nested": {"x": [0.1]}})
    found = checkpoint.load()
    assert found is not None
    assert found[1] == {"epoch": 3, "nested": {"x": [0.1]}}
    assert tensor_digest(found[0]) == tensor_digest(tensors)
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["c.safetensors"]


def test_a_digest_depends_on_names_types_shapes_and_values() -> None:
    different = [
        {"a": torch.zeros(4)},
        {"b": torch.zeros(4)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.zeros(4, dtype=torch.int32)},
        {"a": torch.ones(4)},
    ]
    assert len({tensor_digest(tensors) for tensors in different}) == len(different)


@pytest.mark.parametrize("position", [4, -1])
def test_a_damaged_checkpoint_is_refused_with_the_way_out(tmp_path: Path, position: int) -> None:
    checkpoint = Checkpoint(tmp_path / "c.safetensors")
    checkpoint.save({"a": torch.ones(4)}, {})
    data = bytearray(checkpoint.path.read_bytes())
    data[position] ^= 1
    checkpoint.path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"c\.safetensors is not what was written.*delete it"):
        checkpoint.load()


def test_a_state_holds_buffers_moments_and_the_modules_of_loss_terms(
    code: Callable[[str], Code],
) -> None:
    def started(seed: int) -> State:
        torch.manual_seed(seed)
        module, owned = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Linear(4, 2)
        term = Hard(name="hard", weight=1.0)
        term.add_module("owned", owned)
        optimiser = torch.optim.AdamW([*module.parameters(), *owned.parameters()])
        student = Participant(
            name=STUDENT, module=module, factory=code("a:b"), classes=4, optimiser=optimiser
        )
        for _ in range(3):
            optimiser.zero_grad()
            owned(student(torch.randn(6, 3), learning=True).logits).sum().backward()
            optimiser.step()
        return State([student], [term])

    one, other = started(0), started(1)
    tensors = one.tensors()
    assert {"exp_avg", "weight", "running_mean"} <= {
        name.rsplit(".")[-1].rsplit("/")[-1] for name in tensors
    }
    assert tensor_digest(tensors) != tensor_digest(other.tensors())
    other.restore(tensors)
    assert tensor_digest(other.tensors()) == tensor_digest(tensors)
