"""Targets of other rows stop a run, before it begins and while it goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kdaudit.distill.distill import distill
from kdaudit.distill.recipe import read_recipe
from kdaudit.distill.targets.alignment import Guarded, agreement, at_chance, refuse_shuffled
from kdaudit.distill.targets.feed import feed
from kdaudit.distill.task import prepare
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import TEACHER, Batch, Stored
from kdaudit.errors import DamagedError, DataError
from kdaudit.evidence.store import Store
from kdaudit.lineage import ArmKind
from kdaudit.models.code import Code
from kdaudit.progress import silent

from .conftest import STUDENT
from .test_partial_targets import in_form


def rows(n: int = 400, classes: int = 5, accuracy: float = 0.97) -> Batch:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (n,), generator=generator)
    wrong = torch.rand(n, generator=generator) > accuracy
    answer = torch.where(wrong, (labels + 1) % classes, labels)
    targets = torch.nn.functional.one_hot(answer, classes) * 4.0
    return Batch(inputs=torch.randn(n, 3, generator=generator), labels=labels, targets=targets)


def shuffled(batch: Batch) -> Batch:
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(1))
    return batch.taught(order)


@dataclass(frozen=True)
class Slipped:
    """A source that gives every row the target of the row before it."""

    source: Stored

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, epoch: int) -> Iterator[Batch]:
        for batch in self.source.batches(epoch):
            yield replace(batch, targets=batch.answers(TEACHER).roll(1, 0))


def test_shuffled_targets_are_seen_before_training_and_sound_ones_are_not() -> None:
    refuse_shuffled(rows(), "transfer")
    refuse_shuffled(rows(accuracy=0.35), "transfer")  # a weak teacher is still a teacher
    refuse_shuffled(shuffled(rows(50)), "transfer")  # too few to tell
    refuse_shuffled(replace(shuffled(rows()), labels=None), "transfer")
    with pytest.raises(DataError, match=r"look shuffled: .* on 87 of 400 rows .* at random: 81"):
        refuse_shuffled(shuffled(rows()), "transfer")
    assert at_chance(shuffled(rows()))


def test_targets_that_slip_during_training_stop_it() -> None:
    stored = Stored(rows=rows(), batch_size=64, seed=0)
    share = agreement(stored.rows)
    assert share is not None
    assert 0.95 < share < 0.99
    sound = Guarded(source=stored, agreement=share)
    for epoch in range(1, 20):
        assert sum(map(len, sound.batches(epoch))) == 400
    slipped = Guarded(source=Slipped(stored), agreement=share)
    with pytest.raises(
        DamagedError, match=r"in epoch 3 .* agree with the labels on \d+ of 5\d row"
    ):
        next(iter(slipped.batches(3)))


def test_where_the_teacher_is_there_it_is_asked(code: Callable[[str], Code]) -> None:
    module = nn.Linear(3, 5)
    teacher = Participant(name=TEACHER, module=module, factory=code("t:t"), classes=5)
    unlabelled = replace(rows(), labels=None)
    with torch.no_grad():
        right = replace(unlabelled, targets=module(unlabelled.inputs) + 3.0)  # up to a constant
    guarded = Guarded(
        source=Stored(rows=right, batch_size=64, seed=0), agreement=None, teacher=teacher
    )
    assert len(list(guarded.batches(1))) == len(guarded)
    wrong = replace(guarded, source=Stored(rows=shuffled(right), batch_size=64, seed=0))
    with pytest.raises(DamagedError, match="not what the teacher answers to these rows"):
        list(wrong.batches(1))
    assert not module.training


def test_the_shuffled_control_is_left_alone_and_every_other_arm_is_guarded() -> None:
    stored = Stored(rows=rows(), batch_size=64, seed=0)
    kinds: tuple[ArmKind, ...] = ("main", "hard", "shuffled")
    sources = [feed(kind, stored, own=None, augmented=None, teacher=None) for kind in kinds]
    assert [type(source) for source in sources] == [Guarded, Guarded, Stored]


def recipe_of_a_shuffled_file(project: Path, hard_weight: float) -> Path:
    answers = in_form("full")
    answers["id"] = answers["id"].sample(frac=1, random_state=5).to_numpy()
    answers.to_csv(project / "teacher.csv", index=False)
    audit = project / "audit.toml"
    audit.write_text(
        audit.read_text().replace('distill = "teacher.toml"', 'predictions = "teacher.csv"')
    )
    recipe = project / "student.toml"
    recipe.write_text(
        STUDENT.replace(
            "[objectives.response]", f"[objectives.response]\nhard_weight = {hard_weight}"
        )
    )
    return recipe


def test_a_file_whose_ids_were_shuffled_stops_the_run(project: Path) -> None:
    recipe = recipe_of_a_shuffled_file(project, 0.3)
    with pytest.raises(DataError, match="the targets of the transfer rows look shuffled"):
        distill(recipe, store=Store(project / ".kdaudit"))


def test_where_labels_are_not_learnt_it_is_said_instead(project: Path) -> None:
    recipe = recipe_of_a_shuffled_file(project, 0.0)
    found = prepare(read_recipe(recipe), project, Store(project / ".kdaudit"), silent)
    assert found.targets is not None
    assert "answers dealt at random" in found.targets["warning, transfer rows"]


def test_a_run_stops_when_its_targets_slip(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: a recipe whose batches lose their targets is not trained to the end."""
    answers = in_form("full")
    answers.to_csv(project / "teacher.csv", index=False)
    audit = project / "audit.toml"
    audit.write_text(
        audit.read_text().replace('distill = "teacher.toml"', 'predictions = "teacher.csv"')
    )

    def slip(source: Stored, **rest: Any) -> Guarded:
        return Guarded(source=Slipped(source), **rest)

    monkeypatch.setattr("kdaudit.distill.targets.feed.Guarded", slip)
    with pytest.raises(DamagedError, match="no longer those of their rows"):
        distill(project / "student.toml", store=Store(project / ".kdaudit"))
