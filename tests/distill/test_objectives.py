from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from torch import Tensor

from kdaudit.distill.methods import preset
from kdaudit.distill.objectives import STUDENT, Hard, Objective, Soft, forward_kl
from kdaudit.distill.recipe import HardTable, ObjectivesTable, ResponseTable
from kdaudit.distill.sources import Batch


def logits(rows: int, classes: int, seed: int, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed))


def loss(objectives: list[Objective], student: Tensor, batch: Batch) -> Tensor:
    return torch.stack([objective({STUDENT: student}, batch) for objective in objectives]).sum()


def batch(rows: int, classes: int, seed: int = 1) -> Batch:
    labels = torch.randint(classes, (rows,), generator=torch.Generator().manual_seed(seed))
    return Batch(inputs=torch.zeros(rows, 1), labels=labels, targets=logits(rows, classes, seed))


def response(**options: Any) -> list[Objective]:
    return preset(ObjectivesTable(response=ResponseTable(**options)))


@pytest.mark.parametrize("temperature", [1.0, 3.0, 20.0])
def test_a_student_that_equals_the_teacher_has_no_loss_and_no_gradient(temperature: float) -> None:
    teacher = logits(7, 5, seed=0)
    student = teacher.clone().requires_grad_()
    value = forward_kl(student, teacher, temperature)
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == 0.0
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-7


@pytest.mark.parametrize("classes", [2, 3, 10, 100, 1000])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_divergence_is_that_of_a_float64_reference(classes: int, temperature: float) -> None:
    student, teacher = logits(6, classes, seed=0), logits(6, classes, seed=1)
    p = softmax(teacher.double().numpy() / temperature, axis=1)
    log_p = log_softmax(teacher.double().numpy() / temperature, axis=1)
    log_q = log_softmax(student.double().numpy() / temperature, axis=1)
    expected = (p * (log_p - log_q)).sum(axis=1).mean()
    assert forward_kl(student, teacher, temperature).item() == pytest.approx(expected, rel=1e-5)


def test_a_divergence_by_hand() -> None:
    """p = (3/4, 1/4), q = (1/2, 1/2): 3/4 log 3/2 + 1/4 log 1/2 = 0.13081."""
    teacher = torch.tensor([[0.75, 0.25]]).log()
    assert forward_kl(torch.zeros(1, 2), teacher, 1.0).item() == pytest.approx(0.130812, abs=1e-6)


def test_the_loss_does_not_depend_on_how_rows_are_put_into_batches() -> None:
    whole, student, objectives = batch(24, 4), logits(24, 4, seed=2), response()
    expected = loss(objectives, student, whole)
    for size in (1, 2, 5, 24):
        parts = torch.arange(24).split(size)  # type: ignore[no-untyped-call]
        found = sum(loss(objectives, student[i], whole.take(i)) * len(i) for i in parts) / 24
        assert float(found) == pytest.approx(expected.item(), rel=1e-5)


def test_the_loss_does_not_depend_on_the_order_of_the_rows() -> None:
    whole, student = batch(24, 4), logits(24, 4, seed=2)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(3))
    found = loss(response(), student[order], whole.take(order))
    assert found.item() == pytest.approx(loss(response(), student, whole).item(), rel=1e-6)


def test_the_gradient_keeps_its_size_at_every_temperature() -> None:
    whole, norms = batch(64, 10), []
    for temperature in (4.0, 8.0, 20.0, 50.0):
        student = logits(64, 10, seed=2).requires_grad_()
        loss([Soft(name="s", weight=1.0, temperature=temperature)], student, whole).backward()  # type: ignore[no-untyped-call]
        assert student.grad is not None
        norms.append(float(student.grad.norm()))
    assert max(norms) / min(norms) < 1.5


def test_at_a_high_temperature_the_gradient_is_that_of_centred_logits() -> None:
    """Hinton et al. 2015, §2.1: per row (z - v) / C with z and v centred."""
    student, teacher = logits(5, 4, seed=0).double().requires_grad_(), logits(5, 4, seed=1).double()
    soft = Soft(name="s", weight=1.0, temperature=2000.0)
    soft({STUDENT: student}, Batch(inputs=torch.zeros(5, 1), targets=teacher)).backward()
    centred = [z - z.mean(dim=1, keepdim=True) for z in (student.detach(), teacher)]
    assert student.grad is not None
    np.testing.assert_allclose(student.grad * 5, (centred[0] - centred[1]) / 4, atol=0.002)


@pytest.mark.parametrize("name", ["soft_weight", "hard_weight"])
def test_the_loss_is_continuous_where_a_weight_reaches_nothing(name: str) -> None:
    whole, student = batch(16, 4), logits(16, 4, seed=2)
    gone = loss(response(**{name: 0.0}), student, whole).item()
    nearly = loss(response(**{name: 1e-6}), student, whole).item()
    assert nearly == pytest.approx(gone, abs=1e-4)


def test_a_class_the_teacher_excludes_adds_nothing_and_stays_finite() -> None:
    teacher = torch.tensor([[0.5, 0.5, 0.0]]).log()
    student = torch.zeros(1, 3, requires_grad=True)
    value = forward_kl(student, teacher, 3.0)
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == pytest.approx(np.log(3 / 2))
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_half_precision_is_computed_in_single() -> None:
    student, teacher = logits(6, 100, seed=0).half(), logits(6, 100, seed=1).half()
    value = forward_kl(student, teacher, 3.0)
    assert value.dtype == torch.float32
    assert value.item() == forward_kl(student.float(), teacher.float(), 3.0).item()


def test_response_distillation_is_its_closed_formula() -> None:
    whole, student = batch(16, 4), logits(16, 4, seed=2)
    assert whole.targets is not None
    assert whole.labels is not None
    log_q = student.log_softmax(dim=1)
    hard = -log_q[torch.arange(16), whole.labels].mean()
    soft = forward_kl(student, whole.targets, 3.0)
    expected = 0.7 * 9 * soft + 0.3 * hard
    assert loss(response(), student, whole).item() == pytest.approx(expected.item(), rel=1e-6)
    assert [objective.formula for objective in response()] == [
        "0.7·T²·mean_rows(Σ_c p_T(c)·(log p_T(c) - log q_T(c))), T = 3.0",
        "0.3·mean_rows(-log q_1(y))",
    ]


def test_label_smoothing_is_its_closed_formula() -> None:
    whole, student = batch(16, 4), logits(16, 4, seed=2)
    assert whole.labels is not None
    smoothed = torch.full((16, 4), 0.1 / 4)
    smoothed[torch.arange(16), whole.labels] += 0.9
    expected = -(smoothed * student.log_softmax(dim=1)).sum(dim=1).mean()
    found = loss([Hard(name="h", weight=1.0, smoothing=0.1)], student, whole)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_methods_add_up() -> None:
    both = ObjectivesTable(response=ResponseTable(), hard=HardTable(hard_weight=2.0))
    names = [objective.name for objective in preset(both)]
    assert names == ["response.soft", "response.hard", "hard"]
    assert [objective.name for objective in response(hard_weight=0.0)] == ["response.soft"]
