"""A batch in parts, in bfloat16 and over processes has the gradient it has in one piece."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kdaudit.distill.objectives import STUDENT, Forward, Hard, Objective
from kdaudit.distill.training.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.training.pace import Pace
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.step import Step
from kdaudit.distill.training.train import Trained, train
from kdaudit.models.code import Code
from kdaudit.progress import silent

WIDTH, CLASSES = 5, 3


class Marked(Objective):
    """Cross-entropy, a mean over the rows that have a label: others hold -100."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "marked"
        self.formula = "mean_marked(-log q(y))"

    def forward(self, outputs: Mapping[str, Forward], batch: Batch) -> Tensor:
        assert batch.labels is not None
        loss = nn.functional.cross_entropy(
            outputs[STUDENT].logits, batch.labels, reduction="sum", ignore_index=-100
        )
        return loss / max(1, self.count(batch))

    def count(self, batch: Batch) -> int:
        assert batch.labels is not None
        return int((batch.labels != -100).sum())


def student(rate: float = 0.02) -> Participant:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(WIDTH, 16), nn.ReLU(), nn.Linear(16, CLASSES))
    return Participant(
        name=STUDENT,
        module=module,
        factory=Code(name="a:b", function=lambda: None, digest="", source=None),
        classes=CLASSES,
        optimiser=torch.optim.SGD(module.parameters(), lr=rate),
    )


def batch(rows: int, seed: int = 0, marked: float = 1.0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, WIDTH, generator=generator)
    labels = inputs[:, :CLASSES].argmax(dim=1)
    lost = torch.rand(rows, generator=generator) > marked
    return Batch(inputs=inputs, labels=labels.masked_fill(lost, -100))


def gradient(rows: Batch, runtime: Runtime) -> tuple[Tensor, Tensor]:
    one = student()
    values = Step([one], [Marked()], runtime)(rows)
    grads = [p.grad for p in one.module.parameters() if p.grad is not None]
    return values, torch.cat([grad.reshape(-1) for grad in grads])


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 40), parts=st.integers(2, 7), seed=st.integers(0, 99))
def test_parts_have_the_gradient_and_the_loss_of_the_whole_batch(
    rows: int, parts: int, seed: int
) -> None:
    data = batch(rows, seed, marked=0.6)
    value, wanted = gradient(data, Runtime())
    again, found = gradient(data, Runtime(accumulate=parts))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(again, value, rtol=1e-5, atol=1e-6)


def test_a_plain_mean_of_parts_would_be_another_gradient() -> None:
    """The fault that is looked for above would be seen: uneven parts, equal weights."""
    data = batch(31, marked=0.4)
    _, wanted = gradient(data, Runtime())
    parts = list(Runtime(accumulate=4).parts(data))
    assert sorted({len(part) for part in parts}) == [7, 8]
    mean = torch.stack([gradient(part, Runtime())[1] for part in parts]).mean(dim=0)
    assert (mean - wanted).abs().max() > 0.01


def test_bfloat16_runs_the_products_in_it_and_keeps_losses_and_weights_in_float32() -> None:
    seen = []
    one = student()
    one.module[0].register_forward_hook(lambda *given: seen.append(given[2].dtype))  # type: ignore[index]
    values = Step([one], [Marked()], Runtime(precision="bf16"))(batch(64))
    assert seen == [torch.bfloat16]
    assert values.dtype == torch.float32
    grads = [p.grad for p in one.module.parameters()]
    assert {grad.dtype for grad in grads if grad is not None} == {torch.float32}
    wanted = gradient(batch(64), Runtime())[1]
    found = gradient(batch(64), Runtime(precision="bf16"))[1]
    assert 0 < (found - wanted).norm() / wanted.norm() < 0.02


def run(checkpoint: Path, runtime: Runtime) -> Trained:
    """Batches of 17, 17 and 16 rows: no part is as long as another."""
    data = batch(70)
    return train(
        [student()],
        [Hard(name="hard", weight=1.0)],
        Stored(rows=data.take(slice(50)), batch_size=17, seed=3),
        data.take(slice(50, 70)),
        epochs=3,
        patience=3,
        seed=3,
        name="a run",
        checkpoint=Checkpoint(checkpoint),
        advance=silent("", 0),
        pace=Pace(clip=0.5, schedule="linear"),
        runtime=runtime,
    )


def test_accumulation_clips_the_whole_gradient_and_resumes_nothing_of_it(tmp_path: Path) -> None:
    whole, parts = run(tmp_path / "a", Runtime()), run(tmp_path / "b", Runtime(accumulate=3))
    assert parts.course.steps == whole.course.steps == 9
    for name, tensor in whole.weights.items():
        torch.testing.assert_close(parts.weights[name], tensor, rtol=1e-4, atol=1e-5)
    assert tensor_digest(parts.weights) != tensor_digest(whole.weights)


WORKER = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from test_runtime import Runtime, run
runtime = Runtime()
assert runtime.processes == 2
found = run(Path(sys.argv[2]) / f"by-{runtime.index}", runtime)
said = {"weights": {name: x.tolist() for name, x in found.weights.items()},
        "curve": [point.train["total"] for point in found.course.curve],
        "scores": [point.validation["loss"] for point in found.course.curve]}
(Path(sys.argv[2]) / f"said-{runtime.index}.json").write_text(json.dumps(said))
torch.distributed.destroy_process_group()
"""


def test_two_processes_train_what_one_does_and_one_of_them_writes(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, "worker.py", str(Path(__file__).parent), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "by-0").exists()
    assert not (tmp_path / "by-1").exists()
    first, second = (json.loads((tmp_path / f"said-{i}.json").read_text()) for i in (0, 1))
    assert first == second
    alone = run(tmp_path / "alone", Runtime())
    for name, tensor in alone.weights.items():
        torch.testing.assert_close(torch.tensor(first["weights"][name]), tensor)
    assert first["curve"] == pytest.approx([p.train["total"] for p in alone.course.curve])
    assert first["scores"] == pytest.approx([p.validation["loss"] for p in alone.course.curve])
