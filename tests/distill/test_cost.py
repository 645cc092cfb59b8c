"""What training took: operations by hand, energy from counters, nothing estimated."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from kdaudit.distill.distill import distill
from kdaudit.distill.objectives import STUDENT, TEACHER, Hard
from kdaudit.distill.training.flops import counted
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Batch
from kdaudit.distill.training.step import Step
from kdaudit.energy import Reading, reading
from kdaudit.evidence.store import Store
from kdaudit.models.code import Code


@pytest.mark.parametrize("accumulate", [1, 3])
def test_operations_of_a_step_by_hand(accumulate: int) -> None:
    """A product of (B, D) and (D, C) takes 2BDC; backwards only the weights' gradient is needed."""
    torch.manual_seed(0)
    student, teacher = nn.Linear(5, 3), nn.Linear(5, 3)
    code = Code(name="a:b", function=lambda: None, digest="", source=None)
    people = [
        Participant(
            name=STUDENT,
            module=student,
            factory=code,
            classes=3,
            optimiser=torch.optim.SGD(student.parameters(), lr=0.1),
        ),
        Participant(name=TEACHER, module=teacher, factory=code, classes=3),
    ]
    rows = Batch(inputs=torch.randn(8, 5), labels=torch.zeros(8, dtype=torch.int64))
    step = Step(people, [Hard(name="hard", weight=1.0)], Runtime(accumulate=accumulate))
    once = 2 * 8 * 5 * 3
    assert counted(step, rows)[1:] == (2 * once, once)


def counter(folder: Path, name: str, now: int, turn: int = 262_143_328_850) -> None:
    folder.mkdir(parents=True)
    for file, text in (("name", name), ("energy_uj", now), ("max_energy_range_uj", turn)):
        (folder / file).write_text(f"{text}\n")


def test_energy_is_read_from_whole_packages(tmp_path: Path) -> None:
    counter(tmp_path / "intel-rapl:0", "package-0", 5_000_000)
    counter(tmp_path / "intel-rapl:0:0", "core", 1_000_000)
    before = reading(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("7500000")
    assert before.until(reading(tmp_path)) == {"RAPL package-0": 2.5}


def test_a_counter_that_turned_over_once_is_read_and_one_that_may_have_twice_is_not() -> None:
    before = Reading(0.0, {"RAPL package-0": (9_000_000, 10_000_000)})
    after = Reading(0.005, {"RAPL package-0": (1_000_000, 10_000_000)})
    assert before.until(after) == {"RAPL package-0": 2.0}
    assert before.until(replace(after, at=3600.0)) == {}


def test_a_machine_that_does_not_count_has_not_measured(tmp_path: Path) -> None:
    assert reading(tmp_path / "absent").until(reading(tmp_path / "absent")) == {}


def test_the_lineage_says_what_training_took(project: Path, store: Store) -> None:
    distill(project / "teacher.toml", store=store)
    lineage = distill(project / "student.toml", store=store).lineage
    assert lineage.cost is not None
    assert lineage.cost.device in ("cpu", "cuda")
    assert (lineage.cost.precision, lineage.cost.accumulate, lineage.cost.processes) == ("no", 1, 1)
    assert lineage.cost.flops is not None
    # The net's products, forwards and for both layers' weights and the inner layer, per row.
    per_row = 2 * (2 * 8) * 2 + 2 * (8 * 3) * 3
    rows = sum(arm.steps for arm in lineage.arms) * 64
    assert 0.8 * per_row * rows < lineage.cost.flops <= per_row * rows
    assert lineage.cost.teacher_flops == 0
    assert bool(lineage.cost.joules) == (lineage.cost.joules_by != "not measured by this machine")
