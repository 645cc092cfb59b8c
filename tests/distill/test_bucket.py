"""Truncated targets with one tail bucket, beside what teaches another teacher."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import Tensor

from kdaudit.distill.objectives import STUDENT, Divergence, Forward, Soft
from kdaudit.distill.objectives.bucket import coarse_student, coarse_target, tail_mass
from kdaudit.distill.training.sources import Batch
from kdaudit.errors import DataError
from kdaudit.evidence.truncated import TopK, truncate

GRID = (1.0, 2.0, 4.0)
KLS = ("forward_kl", "reverse_kl", "jsd")


def logits(rows: int, classes: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)


def truncated(teacher: Tensor, k: int, temperatures: tuple[float, ...] = GRID) -> Batch:
    kept = truncate(teacher.numpy(), TopK(k=k, temperatures=temperatures))
    return Batch(
        inputs=torch.zeros(len(teacher), 1),
        targets=torch.from_numpy(kept.dense()).double(),
        norms=torch.from_numpy(kept.norms).double(),
        temperatures=temperatures,
        kind="top_k",
    )


def term(temperature: float, kind: str = "forward_kl") -> Soft:
    divergence = Divergence(kind=kind, temperature=temperature)  # type: ignore[arg-type]
    return Soft(name="s", weight=1.0, divergence=divergence, truncated=True)


def loss(batch: Batch, student: Tensor, temperature: float, kind: str = "forward_kl") -> Tensor:
    found: Tensor = term(temperature, kind)({STUDENT: Forward(logits=student)}, batch)
    return found


def reference(student: Tensor, teacher: Tensor, k: int, temperature: float, kind: str) -> float:
    """The divergence of (k listed, all others) in NumPy, float64, row by row."""
    values = []
    for z, v in zip(student.numpy(), teacher.numpy(), strict=True):
        q, p = np.exp(log_softmax(z / temperature)), np.exp(log_softmax(v / temperature))
        listed = np.argsort(-v)[:k]
        q, p = (np.append(x[listed], 1 - x[listed].sum()) for x in (q, p))
        m = (q + p) / 2
        values.append(
            {
                "forward_kl": (p * np.log(p / q)).sum(),
                "reverse_kl": (q * np.log(q / p)).sum(),
                "jsd": 2 * (p * np.log(p / m)).sum() + 2 * (q * np.log(q / m)).sum(),
            }[kind]
        )
    return temperature**2 * float(np.mean(values))


@pytest.mark.parametrize("kind", KLS)
@pytest.mark.parametrize("temperature", GRID)
@pytest.mark.parametrize(("classes", "k"), [(3, 1), (10, 4), (500, 16)])
def test_the_loss_is_that_of_a_float64_reference(
    kind: str, temperature: float, classes: int, k: int
) -> None:
    teacher, student = logits(6, classes, 1), logits(6, classes, 2)
    found = loss(truncated(teacher, k), student, temperature, kind).item()
    assert found == pytest.approx(reference(student, teacher, k, temperature, kind), rel=1e-4)


@pytest.mark.parametrize("kind", KLS)
@pytest.mark.parametrize("temperature", GRID)
@pytest.mark.parametrize("k", [2, 16, 50])
def test_a_student_that_equals_the_teacher_has_no_loss_and_no_gradient(
    kind: str, temperature: float, k: int
) -> None:
    teacher = logits(5, 50, 1)
    student = (teacher + 7.0).requires_grad_()
    value = loss(truncated(teacher, k), student, temperature, kind)
    torch.autograd.backward(value)
    assert value.item() == pytest.approx(0.0, abs=1e-5)
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-6


@pytest.mark.parametrize("kind", KLS)
def test_with_every_class_listed_it_is_the_divergence_of_whole_distributions(kind: str) -> None:
    teacher, student = logits(5, 7, 1), logits(5, 7, 2)
    whole = Batch(inputs=torch.zeros(5, 1), targets=teacher)
    expected = loss(whole, student, 2.0, kind)
    for k in (7, 99):
        torch.testing.assert_close(
            loss(truncated(teacher, k), student, 2.0, kind), expected, rtol=1e-5, atol=1e-7
        )


@pytest.mark.parametrize("kind", KLS)
def test_the_gradient_is_that_of_finite_differences(kind: str) -> None:
    rows = truncated(logits(3, 6, 1), 2)
    student = logits(3, 6, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(rows, z, 2.0, kind), (student,))


def test_the_loss_does_not_depend_on_how_rows_are_batched() -> None:
    rows, student = truncated(logits(9, 20, 1), 5), logits(9, 20, 2)
    whole = loss(rows, student, 2.0)
    parts = [slice(0, 2), slice(2, 3), slice(3, 9)]
    sums = [len(student[p]) * loss(rows.take(p), student[p], 2.0) for p in parts]
    torch.testing.assert_close(torch.stack(sums).sum() / 9, whole)


@pytest.mark.parametrize("temperature", [3.0, 1.5])
def test_a_temperature_outside_the_stored_grid_is_refused(temperature: float) -> None:
    with pytest.raises(DataError, match="was not kept"):
        loss(truncated(logits(2, 9, 1), 3), logits(2, 9, 2), temperature)


def test_the_tail_is_exact_at_every_stored_temperature() -> None:
    teacher = logits(20, 200, 1)
    rows = truncated(teacher, 16)
    assert rows.targets is not None
    assert rows.norms is not None
    for column, temperature in enumerate(GRID):
        p = (teacher / temperature).softmax(dim=1)
        left = 1 - p.topk(16, dim=1).values.sum(dim=1)
        found = tail_mass(rows.targets, rows.norms[:, column], temperature)
        torch.testing.assert_close(found, left, rtol=1e-4, atol=1e-6)


def fitted(objective: Callable[[Tensor], Tensor], rows: int, classes: int) -> Tensor:
    """A free table of logits, one row per context, trained until nothing moves."""
    table = torch.zeros(rows, classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([table], lr=0.3)
    for step in range(400):
        optimiser.param_groups[0]["lr"] = 0.3 * (1 - step / 400)
        optimiser.zero_grad()
        torch.autograd.backward(objective(table))
        optimiser.step()
    return table.detach().softmax(dim=1)


def test_the_bucket_keeps_the_teachers_confidence_and_renormalising_does_not() -> None:
    """The student has as much mass on the listed classes, and is as sure, as the teacher."""
    contexts, classes, k = 60, 200, 16
    generator = torch.Generator().manual_seed(5)
    teacher = 1.5 * torch.randn(contexts, classes, generator=generator, dtype=torch.float64)
    p = teacher.softmax(dim=1)
    confidence, mass = p.max(dim=1).values.mean(), p.topk(k, dim=1).values.sum(dim=1).mean()
    assert 0.4 < mass < 0.65
    rows = truncated(teacher, k, (1.0,))
    assert rows.targets is not None
    bucketed = fitted(lambda z: loss(rows, z, 1.0), contexts, classes)
    listed = torch.isfinite(rows.targets)
    assert float(bucketed.max(dim=1).values.mean()) == pytest.approx(float(confidence), abs=0.003)
    assert float((bucketed * listed).sum(dim=1).mean()) == pytest.approx(float(mass), abs=0.005)
    renormalised = rows.targets.softmax(dim=1)
    naive = fitted(
        lambda z: -(renormalised * z.log_softmax(dim=1)).sum(dim=1).mean(), contexts, classes
    )
    assert float(naive.max(dim=1).values.mean() / confidence) > 1.7
    assert float((naive * listed).sum(dim=1).mean()) > 0.95


def test_the_coarse_distributions_add_up_to_one() -> None:
    rows, student = truncated(logits(8, 30, 1), 4), logits(8, 30, 2)
    assert rows.targets is not None
    assert rows.norms is not None
    for found in (
        coarse_student(student, torch.isfinite(rows.targets), 2.0),
        coarse_target(rows.targets, rows.norms[:, 1], 2.0),
    ):
        torch.testing.assert_close(found.exp().sum(dim=1), torch.ones(8, dtype=torch.float64))


def test_the_formula_says_what_is_compared() -> None:
    assert term(2.0).formula.endswith("T = 2.0, c: each listed class, and all others as one")
