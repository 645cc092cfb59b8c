import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from kdaudit.distill.training.convergence import unconverged
from kdaudit.distill.training.pace import Pace


def levelling(epochs: int, rate: float) -> list[float]:
    return [1 + math.exp(-rate * epoch) for epoch in range(epochs)]


def test_early_stopping_after_a_fall_has_converged() -> None:
    losses = [2.0, 1.0, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert unconverged(losses, best_epoch=3) == ""


@pytest.mark.parametrize(
    ("losses", "best_epoch", "said"),
    [
        ([2.0], 1, "still falling when training ended after 1 epochs"),
        ([2.0, 1.0], 2, "still falling"),
        (levelling(20, 0.05), 20, "still falling when training ended after 20 epochs"),
        ([3.0, 4.0, 5.0], 0, "in 3 epochs the validation loss never fell below the untrained"),
        ([1.0, 1.5, 1.6, 1.7], 1, "rose from epoch 1 on, for 3 epochs"),
    ],
)
def test_what_has_not_converged_is_said(losses: list[float], best_epoch: int, said: str) -> None:
    assert said in unconverged(losses, best_epoch)


def test_a_curve_that_has_levelled_off_has_converged_though_its_last_epoch_is_its_best() -> None:
    losses = levelling(60, 0.2)
    assert losses.index(min(losses)) == 59
    assert unconverged(losses, best_epoch=60) == ""


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_rates_rise_over_the_warm_up_and_never_after(schedule: str) -> None:
    pace = Pace(schedule=schedule, warmup=0.1)  # type: ignore[arg-type]
    factors = [pace.factor(step, 100) for step in range(100)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10] == pytest.approx(1)
    assert all(a >= b for a, b in pairwise(factors[10:]))
    assert (factors[-1] < 0.02) == (schedule != "constant")


def test_schedules_agree_with_pytorchs_own() -> None:
    steps = 40
    for schedule, own in (
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, steps)),
        ("linear", lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, steps)),
    ):
        optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
        theirs = own(optimiser)
        pace = Pace(schedule=schedule)  # type: ignore[arg-type]
        for step in range(steps):
            assert optimiser.param_groups[0]["lr"] == pytest.approx(0.5 * pace.factor(step, steps))
            optimiser.step()
            theirs.step()


def test_a_long_gradient_is_cut_to_its_length_and_a_short_one_is_left() -> None:
    weights = nn.Parameter(torch.zeros(2))
    optimiser = torch.optim.SGD([weights], lr=1.0)
    weights.grad = torch.tensor([3.0, 4.0])
    move = Pace(clip=1.0, warmup=0.5).mover([optimiser], steps=4)
    move(0)  # at half the rate
    assert weights.tolist() == pytest.approx([-0.3, -0.4], rel=1e-5)
    weights.grad = torch.tensor([0.3, 0.4])
    move(1)
    assert weights.tolist() == pytest.approx([-0.6, -0.8], rel=1e-5)
