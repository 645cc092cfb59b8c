"""Soft and hard terms: divergences against float64, scale in T and β, closed formulas."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import Tensor

from kdaudit.distill.methods.methods import Setting, preset
from kdaudit.distill.methods.tables import HardTable, ObjectivesTable, ResponseTable
from kdaudit.distill.objectives import STUDENT, Divergence, Forward, Hard, Objective, Soft
from kdaudit.distill.objectives.divergence import forward_kl, jsd
from kdaudit.distill.training.sources import Batch

KINDS = ("forward_kl", "reverse_kl", "jsd", "mse")
KLS = KINDS[:3]


def logits(rows: int, classes: int, seed: int, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(rows, classes, generator=torch.Generator().manual_seed(seed))


def loss(objectives: list[Objective], student: Tensor, batch: Batch) -> Tensor:
    outputs = {STUDENT: Forward(logits=student)}
    return torch.stack([objective(outputs, batch) for objective in objectives]).sum()


def batch(rows: int, classes: int, seed: int = 1) -> Batch:
    labels = torch.randint(classes, (rows,), generator=torch.Generator().manual_seed(seed))
    return Batch(inputs=torch.zeros(rows, 1), labels=labels, targets=logits(rows, classes, seed))


def response(**options: Any) -> list[Objective]:
    return terms(ObjectivesTable(response=ResponseTable(**options)))


def terms(table: ObjectivesTable) -> list[Objective]:
    rows = batch(8, 4)
    setting = Setting(participants={}, transfer=rows, validation=rows, classes=4, seed=0)
    return list(preset(table, setting).terms)


def soft(kind: Any = "forward_kl", temperature: float = 3.0, **options: Any) -> Soft:
    divergence = Divergence(kind=kind, temperature=temperature, **options)
    return Soft(name="s", weight=1.0, divergence=divergence)


def gradient(objectives: list[Objective], student: Tensor, rows: Batch) -> Tensor:
    leaf = student.clone().requires_grad_()
    torch.autograd.backward(loss(objectives, leaf, rows))
    assert leaf.grad is not None
    return leaf.grad


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 3.0, 20.0])
@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_a_student_that_equals_the_teacher_has_no_loss_and_no_gradient(
    kind: str, temperature: float, beta: float
) -> None:
    rows = batch(7, 5)
    assert rows.targets is not None
    shifted = rows.targets + 3.0  # logits are answers up to a constant per row
    for student in (rows.targets, shifted):
        term: list[Objective] = [soft(kind, temperature, beta=beta)]
        assert loss(term, student, rows).item() == pytest.approx(0.0, abs=1e-5)
        assert gradient(term, student, rows).abs().max() < 1e-6


def reference(kind: str, student: Tensor, teacher: Tensor, temperature: float) -> float:
    z, v = (x.double().numpy() for x in (student, teacher))
    log_q, log_p = (log_softmax(x / temperature, axis=1) for x in (z, v))
    p, q = np.exp(log_p), np.exp(log_q)
    m = 0.3 * p + 0.7 * q
    middle = 0.3 * (p * (log_p - np.log(m))).sum(1) + 0.7 * (q * (log_q - np.log(m))).sum(1)
    centred = (z - z.mean(1, keepdims=True)) - (v - v.mean(1, keepdims=True))
    per_row = {
        "forward_kl": (p * (log_p - log_q)).sum(1),
        "reverse_kl": (q * (log_q - log_p)).sum(1),
        "jsd": middle / (0.3 * 0.7),
        "mse": (centred**2).mean(1) / 2,
    }
    return float(per_row[kind].mean())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [2, 3, 10, 100, 1000])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_divergence_is_that_of_a_float64_reference(
    kind: str, classes: int, temperature: float
) -> None:
    rows, student = batch(6, classes), logits(6, classes, seed=0)
    assert rows.targets is not None
    factor = 1 if kind == "mse" else temperature**2
    expected = factor * reference(kind, student, rows.targets, temperature)
    found = loss([soft(kind, temperature, beta=0.3)], student, rows).item()
    assert found == pytest.approx(expected, rel=1e-5)
    without = loss([soft(kind, temperature, beta=0.3, t_squared=False)], student, rows).item()
    assert without == pytest.approx(expected / factor, rel=1e-5)


def test_a_divergence_by_hand() -> None:
    """p = (3/4, 1/4), q = (1/2, 1/2): 3/4 log 3/2 + 1/4 log 1/2 = 0.13081."""
    teacher = torch.tensor([[0.75, 0.25]]).log()
    assert forward_kl(torch.zeros(1, 2), teacher, 1.0).item() == pytest.approx(0.130812, abs=1e-6)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_divergence_is_continuous_in_beta_up_to_both_ends(end: float) -> None:
    student, teacher = logits(16, 5, seed=2), logits(16, 5, seed=1)
    values = [
        jsd(student, teacher, 2.0, abs(end - distance)) for distance in (0.0, 1e-9, 1e-5, 1e-3)
    ]
    for found, slack in zip(values[1:], (1e-5, 1e-3, 0.05), strict=True):
        torch.testing.assert_close(found, values[0], rtol=slack, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences(kind: str) -> None:
    rows, student = batch(3, 4), logits(3, 4, seed=2).double()
    term = soft(kind, 2.0, beta=0.3)
    rows = replace(rows, targets=rows.answers("teacher").double())
    assert torch.autograd.gradcheck(
        lambda z: term({STUDENT: Forward(logits=z)}, rows), (student.requires_grad_(),)
    )


@pytest.mark.parametrize("kind", KLS)
def test_the_gradient_keeps_its_size_at_every_temperature(kind: str) -> None:
    rows, student = batch(64, 10), logits(64, 10, seed=2)
    norms = [
        float(gradient([soft(kind, temperature)], student, rows).norm())
        for temperature in (4.0, 8.0, 20.0, 50.0)
    ]
    assert max(norms) / min(norms) < 1.5
    bare = soft(kind, 50.0, t_squared=False)
    assert gradient([bare], student, rows).norm() < norms[-1] / 2000


@pytest.mark.parametrize("kind", KINDS)
def test_at_a_high_temperature_every_gradient_is_that_of_centred_logits(kind: str) -> None:
    """Hinton et al. 2015, §2.1: per row (z - v) / C with z and v centred."""
    student, rows = logits(5, 4, seed=0).double(), batch(5, 4)
    rows = replace(rows, targets=rows.answers("teacher").double())
    found = gradient([soft(kind, 2000.0, beta=0.2)], student, rows)
    centred = [z - z.mean(dim=1, keepdim=True) for z in (student, rows.answers("teacher"))]
    np.testing.assert_allclose(found * 5, (centred[0] - centred[1]) / 4, atol=0.002)


@pytest.mark.parametrize("name", ["soft_weight", "hard_weight"])
def test_the_loss_is_continuous_where_a_weight_reaches_nothing(name: str) -> None:
    whole, student = batch(16, 4), logits(16, 4, seed=2)
    gone = loss(response(**{name: 0.0}), student, whole).item()
    nearly = loss(response(**{name: 1e-6}), student, whole).item()
    assert nearly == pytest.approx(gone, abs=1e-4)


@pytest.mark.parametrize("kind", ["forward_kl", "jsd"])
def test_a_class_the_teacher_excludes_stays_finite(kind: str) -> None:
    rows = Batch(inputs=torch.zeros(1, 1), targets=torch.tensor([[0.5, 0.5, 0.0]]).log())
    term: list[Objective] = [soft(kind, t_squared=False)]
    if kind == "forward_kl":
        found = loss(term, torch.zeros(1, 3), rows).item()
        assert found == pytest.approx(np.log(3 / 2))
    assert torch.isfinite(gradient(term, torch.zeros(1, 3), rows)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_computed_in_single(kind: str) -> None:
    student, rows = logits(6, 100, seed=0).half(), batch(6, 100)
    rows = replace(rows, targets=rows.answers("teacher").half())
    value = loss([soft(kind)], student, rows)
    whole = replace(rows, targets=rows.answers("teacher").float())
    assert value.dtype == torch.float32
    assert value.item() == loss([soft(kind)], student.float(), whole).item()


def test_response_distillation_is_its_closed_formula() -> None:
    whole, student = batch(16, 4), logits(16, 4, seed=2)
    assert whole.targets is not None
    assert whole.labels is not None
    log_q = student.log_softmax(dim=1)
    hard = -log_q[torch.arange(16), whole.labels].mean()
    soft = forward_kl(student, whole.targets, 3.0).mean()
    expected = 0.7 * 9 * soft + 0.3 * hard
    assert loss(response(), student, whole).item() == pytest.approx(expected.item(), rel=1e-6)
    assert [objective.formula for objective in response()] == [
        "0.7·T²·mean_rows(Σ_c p_T(c)·(log p_T(c) - log q_T(c))), T = 3.0",
        "0.3·mean_rows(-log q_1(y))",
    ]


@pytest.mark.parametrize(
    ("options", "formula"),
    [
        (
            {"divergence": "reverse_kl", "t_squared": False},
            "0.7·mean_rows(Σ_c q_T(c)·(log q_T(c) - log p_T(c))), T = 3.0",
        ),
        (
            {"divergence": "jsd", "beta": 0.25, "temperature": 2.0},
            (
                "0.7·T²·mean_rows(KL(p_T ‖ m)/(1 - β) + KL(q_T ‖ m)/β), T = 2.0, "
                "m = β·p_T + (1 - β)·q_T, β = 0.25"
            ),
        ),
        (
            {"divergence": "mse"},
            "0.7·mean_rows(Σ_c (z̃_student(c) - z̃_teacher(c))²/(2C)), z̃ = z - mean_c(z)",
        ),
    ],
)
def test_a_formula_says_divergence_temperature_and_factor(
    options: dict[str, Any], formula: str
) -> None:
    assert response(**options)[0].formula == formula


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
    names = [objective.name for objective in terms(both)]
    assert names == ["response.soft", "response.hard", "hard"]
    assert [objective.name for objective in response(hard_weight=0.0)] == ["response.soft"]
