from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from kdaudit.distill.objectives import STUDENT, Forward, Objective
from kdaudit.distill.objectives.divergence import forward_kl
from kdaudit.distill.training.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.train import train
from kdaudit.errors import ModelError
from kdaudit.models.code import Code
from kdaudit.progress import silent


class Live(Objective):
    """Learn from a teacher that answers as training goes on."""

    name = "live"
    formula = "live"

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        student, teacher = outputs[STUDENT].logits, outputs["teacher"].logits
        assert not teacher.requires_grad
        return forward_kl(student, teacher, 1.0).mean() + 0 * batch.inputs.sum()


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))


def test_a_teacher_is_never_in_train_mode_and_nothing_in_it_changes(
    tmp_path: Path, code: Callable[[str], Code]
) -> None:
    torch.manual_seed(0)
    modes: list[bool] = []
    frozen = net()
    for module in frozen.modules():
        module.register_forward_hook(lambda m, _i, _o: modes.append(m.training))
    before = tensor_digest(frozen.state_dict())
    learning = net()
    student = Participant(
        name=STUDENT,
        module=learning,
        factory=code("a:student"),
        classes=2,
        optimiser=torch.optim.Adam(learning.parameters()),
    )
    teacher = Participant(name="teacher", module=frozen, factory=code("a:teacher"), classes=2)
    inputs = torch.randn(20, 3)
    once, again = (teacher(inputs, learning=True).logits for _ in range(2))
    torch.testing.assert_close(once, again)
    first = tensor_digest(learning.state_dict())
    train(
        [student, teacher],
        [Live()],
        Stored(rows=Batch(inputs=inputs), batch_size=5, seed=0),
        Batch(inputs=inputs),
        epochs=2,
        patience=9,
        seed=0,
        name="test",
        checkpoint=Checkpoint(tmp_path / "c.safetensors"),
        advance=silent("", 0),
    )
    assert modes
    assert not any(modes)
    assert tensor_digest(frozen.state_dict()) == before
    assert all(parameter.grad is None for parameter in frozen.parameters())
    assert tensor_digest(learning.state_dict()) != first


def test_what_a_student_does_wrong_is_said_with_its_name(code: Callable[[str], Code]) -> None:
    wide = Participant(name=STUDENT, module=net(), factory=code("nets:wide"), classes=5)
    with pytest.raises(ModelError, match=r"nets:wide must return logits of shape \(7, 5\)"):
        wide(torch.zeros(7, 3), learning=False)
    with pytest.raises(ModelError, match=r"nets:wide failed on inputs \(7, 9\): RuntimeError"):
        wide(torch.zeros(7, 9), learning=False)


def test_a_module_that_works_in_place_does_not_change_what_was_seen_before_it(
    code: Callable[[str], Code],
) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), nn.ReLU(inplace=True), nn.Linear(8, 2))
    net = Participant(name="a", module=module, factory=code("a:b"), classes=2, watch=("0", "1"))
    seen = net(torch.randn(4, 3), learning=False).inner
    assert (seen["0"] < 0).any()
    assert torch.equal(seen["1"], seen["0"].relu())


def test_a_module_that_is_not_run_is_named_and_its_hook_removed(
    code: Callable[[str], Code],
) -> None:
    class Lazy(nn.Linear):
        def __init__(self) -> None:
            super().__init__(3, 2)
            self.spare = nn.Linear(1, 1)

    module = Lazy()
    net = Participant(name="a", module=module, factory=code("a:b"), classes=2, watch=("spare",))
    with pytest.raises(ModelError, match="a:b did not run its module spare"):
        net(torch.zeros(4, 3), learning=False)
    assert not any(one._forward_hooks for one in module.modules())
