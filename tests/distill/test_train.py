from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from kdaudit.distill.objectives import STUDENT, Hard
from kdaudit.distill.training.checkpoint import Checkpoint, tensor_digest
from kdaudit.distill.training.convergence import unconverged
from kdaudit.distill.training.evaluate import evaluate
from kdaudit.distill.training.pace import Pace
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.train import UNHURRIED, Trained, Watch, finished, train, unwatched
from kdaudit.errors import ModelError
from kdaudit.lineage import Epoch
from kdaudit.models.code import Code

Start = Callable[..., Trained]


class Stop(Exception):  # noqa: N818  # stands for a killed process
    pass


@pytest.fixture
def start(tmp_path: Path, code: Callable[[str], Code]) -> Start:
    """Train a small student on rows of which a fifth are mislabelled."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(120, 4, generator=generator)
    labels = (inputs[:, 0] > 0).long()
    wrong = torch.rand(120, generator=generator) < 0.2
    rows = Batch(inputs=inputs, labels=torch.where(wrong, 1 - labels, labels))

    def begin(
        name: str,
        *,
        epochs: int = 20,
        patience: int = 5,
        rate: float = 0.03,
        weight: float = 1.0,
        killed_at: int = -1,
        pace: Pace = UNHURRIED,
        watch: Watch = unwatched,
    ) -> Trained:
        torch.manual_seed(1)
        module = nn.Sequential(
            nn.Linear(4, 32), nn.BatchNorm1d(32), nn.Dropout(0.3), nn.Linear(32, 2)
        )
        student = Participant(
            name=STUDENT,
            module=module,
            factory=code("a:b"),
            classes=2,
            optimiser=torch.optim.Adam(module.parameters(), lr=rate),
        )
        steps = 0

        def advance(done: int, text: str = "") -> None:
            del text
            nonlocal steps
            steps += done
            if steps == killed_at:
                raise Stop

        return train(
            [student],
            [Hard(name="hard", weight=weight)],
            Stored(rows=rows.take(torch.arange(80)), batch_size=16, seed=3),
            rows.take(torch.arange(80, 120)),
            epochs=epochs,
            patience=patience,
            seed=3,
            name=name,
            checkpoint=Checkpoint(tmp_path / f"{name}.safetensors"),
            advance=advance,
            pace=pace,
            watch=watch,
        )

    return begin


@pytest.mark.parametrize("killed_at", [1, 12, 20, 23])
def test_a_run_killed_at_any_step_ends_as_one_that_was_not(start: Start, killed_at: int) -> None:
    whole = start("whole")
    with pytest.raises(Stop):
        start("killed", killed_at=killed_at)
    resumed = start("killed")
    assert tensor_digest(resumed.weights) == tensor_digest(whole.weights)
    assert resumed.course.curve == whole.course.curve
    assert resumed.steps_now == whole.course.steps - (killed_at - 1) // 5 * 5 > 0


def test_a_finished_run_is_not_trained_again(start: Start, tmp_path: Path) -> None:
    first = start("once")
    second = finished(Checkpoint(tmp_path / "once.safetensors"))
    assert second is not None
    assert second.steps_now == 0
    assert second.course == first.course
    assert tensor_digest(second.weights) == tensor_digest(first.weights)
    assert finished(Checkpoint(tmp_path / "never.safetensors")) is None


def test_it_stops_when_patience_ends_and_keeps_the_best_epoch(start: Start) -> None:
    trained = start("patient", epochs=200)
    losses = [epoch.validation["loss"] for epoch in trained.course.curve]
    best = trained.course.best_epoch
    assert losses[best - 1] == min(losses) == trained.course.best_loss
    assert trained.course.epoch == best + 5 < 200
    assert unconverged(losses, best) == ""
    shorter = start("shorter", epochs=best)
    assert tensor_digest(shorter.weights) == tensor_digest(trained.weights)


def test_a_run_that_was_still_improving_has_not_converged(start: Start) -> None:
    course = start("short", epochs=3).course
    losses = [epoch.validation["loss"] for epoch in course.curve]
    assert "still falling" in unconverged(losses, course.best_epoch)


def test_a_run_that_never_improved_has_not_converged(start: Start) -> None:
    trained = start("wild", rate=1e4, patience=3)
    assert trained.course.best_epoch == 0
    losses = [epoch.validation["loss"] for epoch in trained.course.curve]
    assert "never fell" in unconverged(losses, 0)


def test_whoever_watches_sees_every_epoch_once_and_may_stop_and_take_up_a_run(
    start: Start,
) -> None:
    whole = start("whole", epochs=6)
    seen: list[int] = []

    def watch(point: Epoch) -> None:
        seen.append(point.epoch)
        if point.epoch == 3 and len(seen) == 3:
            raise Stop

    with pytest.raises(Stop):
        start("watched", epochs=6, watch=watch)
    resumed = start("watched", epochs=6, watch=watch)
    assert seen == [1, 2, 3, 1, 2, 3, 4, 5, 6]
    assert tensor_digest(resumed.weights) == tensor_digest(whole.weights)


def test_a_run_with_a_schedule_that_was_killed_ends_as_one_that_was_not(start: Start) -> None:
    pace = Pace(schedule="cosine", warmup=0.2, clip=0.5)
    whole = start("whole", pace=pace)
    with pytest.raises(Stop):
        start("killed", pace=pace, killed_at=23)
    resumed = start("killed", pace=pace)
    assert tensor_digest(resumed.weights) == tensor_digest(whole.weights)
    assert tensor_digest(whole.weights) != tensor_digest(start("plain").weights)


def test_a_loss_that_is_not_finite_stops_the_run_by_name(start: Start) -> None:
    with pytest.raises(ModelError, match=r"training loss of wild is nan in epoch 1; lower learn"):
        start("wild", weight=float("inf"))


def test_random_numbers_of_the_caller_are_left_alone(start: Start) -> None:
    start("once", epochs=1)
    state = torch.get_rng_state()  # `begin` seeds its first weights; the loop must not draw
    start("again", epochs=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_scores_by_hand(code: Callable[[str], Code]) -> None:
    """Two rows, q = (3/4, 1/4) both: labels 0 and 1, the teacher answers 0 and 0."""
    module = nn.Linear(1, 2)
    nn.init.zeros_(module.weight)
    module.bias.data = torch.tensor([0.75, 0.25]).log()
    student = Participant(name=STUDENT, module=module, factory=code("a:b"), classes=2)
    rows = Batch(
        inputs=torch.zeros(2, 1),
        labels=torch.tensor([0, 1]),
        targets=torch.tensor([[1.0, 0.0], [1.0, 0.0]]),
    )
    scores = evaluate([student], [Hard(name="hard", weight=2.0)], rows)
    nll = -(torch.tensor(0.75).log() + torch.tensor(0.25).log()).item() / 2
    assert scores["accuracy"] == 0.5
    assert scores["agreement"] == 1.0
    assert scores["nll"] == pytest.approx(nll)
    assert scores["loss"] == pytest.approx(2 * nll)
    assert scores["brier"] == pytest.approx((2 * 0.25**2 + 2 * 0.75**2) / 2)
