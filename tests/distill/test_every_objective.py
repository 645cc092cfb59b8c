"""What every loss term must be, whatever it compares (student and teacher shaped alike here)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from torch import Tensor, nn

from kdaudit.distill.objectives import STUDENT, TEACHER, Divergence, Forward, Objective, Soft
from kdaudit.distill.objectives.activations import Pair
from kdaudit.distill.objectives.attention import ActivationMaps, AttentionWeights
from kdaudit.distill.objectives.feature import Hints
from kdaudit.distill.objectives.readings import Corrected, MeanLogits, Mixture
from kdaudit.distill.objectives.relation import GROUP, Angles, Distances
from kdaudit.distill.objectives.weighting import RowWeights
from kdaudit.distill.training.sources import Batch

ROWS, PLACES, WIDTH = 24, 5, 6
PAIRS = [Pair(student="s", teacher="t")]
KL = Divergence(kind="forward_kl", temperature=2.0)
GROUPS = RowWeights(torch.tensor([[0.5], [2.0]]), "w")


def hints(distance: str = "mse", padding: int | None = None) -> Hints:
    none = [nn.Identity()]
    return Hints(weight=1.5, pairs=PAIRS, projectors=none, distance=distance, padding=padding)  # type: ignore[arg-type]


ROW_BY_ROW: dict[str, Callable[[], Objective]] = {
    "hint mse": hints,
    "hint cosine": lambda: hints("cosine"),
    "hint padded": lambda: hints(padding=0),
    "maps": lambda: ActivationMaps(weight=1.5, pairs=PAIRS),
    "maps padded": lambda: ActivationMaps(weight=1.5, pairs=PAIRS, padding=0),
    "attention": lambda: AttentionWeights(weight=1.5, pairs=PAIRS),
    "attention padded": lambda: AttentionWeights(weight=1.5, pairs=PAIRS, padding=0),
    "weighted": lambda: Soft(name="w", weight=1.5, divergence=KL, rows=GROUPS),
    "corrected": lambda: Soft(
        name="c", weight=1.5, divergence=KL, reading=Corrected(torch.zeros(2, WIDTH), "none")
    ),
    "mixture": lambda: Soft(
        name="m", weight=1.5, divergence=KL, reading=Mixture({"teacher": 0.5, "other": 0.5})
    ),
    "mean logits": lambda: Soft(
        name="l", weight=1.5, divergence=KL, reading=MeanLogits({"teacher": 0.5, "other": 0.5})
    ),
}
AMONG_ROWS: dict[str, Callable[[], Objective]] = {
    "distances": lambda: Distances(name="d", weight=1.5, pairs=PAIRS),
    "angles": lambda: Angles(name="a", weight=1.5, pairs=PAIRS),
    "distances of logits": lambda: Distances(name="d", weight=1.5),
    "angles of logits": lambda: Angles(name="a", weight=1.5),
    "distances padded": lambda: Distances(name="d", weight=1.5, pairs=PAIRS, padding=0),
}
EVERY = ROW_BY_ROW | AMONG_ROWS


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def given(name: str, seed: int, rows: int = ROWS, places: int = PLACES) -> Tensor:
    """What one of the two gives: attention, layers, or logits."""
    if name.startswith("attention"):
        return drawn(rows, 2, places, places, seed=seed).softmax(dim=3)
    if name in ("weighted", "corrected", "mixture", "mean logits") or name.endswith("logits"):
        return drawn(rows, WIDTH, seed=seed)
    return drawn(rows, places, WIDTH, seed=seed)


def batch(teacher: Tensor) -> Batch:
    rows = len(teacher)
    tokens = torch.arange(PLACES) < 2 + torch.arange(rows)[:, None] % 4  # 2 to 5 of them
    own = teacher if teacher.ndim == 2 else None
    return Batch(
        inputs=tokens.long(),
        targets=own,
        further={} if own is None else {"other": own},
        groups=torch.arange(rows) % 2,
        labels=torch.zeros(rows, dtype=torch.int64),
    )


def value(term: Objective, student: Tensor, teacher: Tensor, rows: Batch) -> Tensor:
    logits = student if student.ndim == 2 else student.flatten(1)
    outputs = {
        STUDENT: Forward(logits=logits, inner={"s": student}),
        TEACHER: Forward(logits=logits.detach(), inner={"t": teacher}),
    }
    found: Tensor = term(outputs, rows)
    return found


def gradient(
    term: Objective, student: Tensor, parts: Sequence[Tensor], teacher: Tensor, rows: Batch
) -> Tensor:
    """Of the rows in parts, accumulated, each weighted by its share of them."""
    leaf = student.clone().requires_grad_()
    for part in parts:
        found = value(term, leaf[part], teacher[part], rows.take(part))
        torch.autograd.backward(found * len(part) / len(leaf))
    assert leaf.grad is not None
    return leaf.grad


def whole(rows: int = ROWS) -> list[Tensor]:
    return [torch.arange(rows)]


@pytest.mark.parametrize("name", EVERY)
def test_a_student_that_equals_the_teacher_has_no_loss_and_no_gradient(name: str) -> None:
    term, teacher = EVERY[name](), given(name, seed=1)
    rows = batch(teacher)
    assert value(term, teacher, teacher, rows).item() == pytest.approx(0.0, abs=1e-6)
    assert gradient(term, teacher, whole(), teacher, rows).abs().max() < 1e-6
    other = given(name, seed=2)
    assert value(term, other, teacher, rows).item() > 1e-3
    assert gradient(term, other, whole(), teacher, rows).abs().max() > 1e-6


@pytest.mark.parametrize("name", ROW_BY_ROW)
@pytest.mark.parametrize("parts", [1, 2, 5, 8, 24])
def test_loss_and_gradient_do_not_depend_on_how_rows_are_accumulated(name: str, parts: int) -> None:
    term, student, teacher = EVERY[name](), given(name, seed=2), given(name, seed=1)
    rows = batch(teacher)
    split = torch.arange(ROWS).tensor_split(parts)
    found = sum(
        float(value(term, student[i], teacher[i], rows.take(i))) * len(i) / ROWS for i in split
    )
    assert found == pytest.approx(value(term, student, teacher, rows).item(), rel=1e-5)
    torch.testing.assert_close(
        gradient(term, student, split, teacher, rows),
        gradient(term, student, whole(), teacher, rows),
        rtol=1e-4,
        atol=1e-7,
    )


@pytest.mark.parametrize("name", EVERY)
def test_the_loss_does_not_depend_on_the_order_of_the_rows(name: str) -> None:
    term, student, teacher = EVERY[name](), given(name, seed=2), given(name, seed=1)
    rows = batch(teacher)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(3))
    found = value(term, student[order], teacher[order], rows.take(order)).item()
    assert found == pytest.approx(value(term, student, teacher, rows).item(), rel=1e-5)


@pytest.mark.parametrize("name", [name for name in EVERY if name.endswith("padded")])
def test_what_stands_at_padding_changes_nothing(name: str) -> None:
    term, student, teacher = EVERY[name](), given(name, seed=2), given(name, seed=1)
    rows = batch(teacher)
    expected = value(term, student, teacher, rows)
    padding = rows.inputs == 0
    changed = []
    for own in (student, teacher):
        copy = own.clone()
        at = padding[:, None, :, None].expand_as(own) if own.ndim == 4 else padding
        copy[at] = float("inf")
        changed.append(copy)
    if name != "attention padded":
        assert torch.equal(value(term, changed[0], changed[1], rows), expected)
    wide = [torch.nn.functional.pad(own, (0, 3, 0, 3) if own.ndim == 4 else (0, 0, 0, 3))
            for own in (student, teacher)]  # fmt: skip
    longer = replace(rows, inputs=torch.nn.functional.pad(rows.inputs, (0, 3)))
    assert value(term, wide[0], wide[1], longer).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_half_precision_is_computed_in_single(name: str) -> None:
    term, student, teacher = EVERY[name](), given(name, 2).half(), given(name, 1).half()
    found = value(term, student, teacher, batch(teacher))
    assert found.dtype == torch.float32
    single = value(term, student.float(), teacher.float(), batch(teacher.float()))
    assert found.item() == pytest.approx(single.item(), rel=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_the_gradient_is_that_of_finite_differences(name: str) -> None:
    term, student = EVERY[name]().double(), given(name, 2, rows=4).double()
    teacher = given(name, 1, rows=4).double()
    rows = batch(teacher)
    assert torch.autograd.gradcheck(
        lambda z: value(term, z, teacher, rows), (student.requires_grad_(),), atol=1e-6
    )


def test_each_loss_is_that_of_a_float64_reference() -> None:
    student, teacher = given("hint", seed=2), given("hint", seed=1)
    s, t = student.double().numpy(), teacher.double().numpy()
    rows = batch(teacher)

    def found(term: Objective) -> float:
        return value(term, student, teacher, rows).item() / 1.5

    assert found(hints()) == pytest.approx(((s - t) ** 2).mean(), rel=1e-5)
    norms = np.linalg.norm(s, axis=2) * np.linalg.norm(t, axis=2)
    assert found(hints("cosine")) == pytest.approx((1 - (s * t).sum(2) / norms).mean(), rel=1e-5)
    maps = [(x**2).sum(2) for x in (s, t)]
    maps = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in maps]
    expected = ((maps[0] - maps[1]) ** 2).sum(1).mean()
    assert found(ActivationMaps(weight=1.5, pairs=PAIRS)) == pytest.approx(expected, rel=1e-5)
    pooled = [x.mean(1) for x in (s, t)]
    ratios = [pdist(x) / pdist(x).mean() for x in pooled]
    expected = huber(ratios[0] - ratios[1]).mean()
    assert found(EVERY["distances"]()) == pytest.approx(expected, rel=1e-5)
    expected = huber(angles(pooled[0]) - angles(pooled[1])).mean()
    assert found(EVERY["angles"]()) == pytest.approx(expected, rel=1e-4)
    padded = [np.stack([x[i, : 2 + i % 4].mean(0) for i in range(ROWS)]) for x in (s, t)]
    ratios = [pdist(x) / pdist(x).mean() for x in padded]
    expected = huber(ratios[0] - ratios[1]).mean()
    assert found(EVERY["distances padded"]()) == pytest.approx(expected, rel=1e-5)


def huber(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5)


def angles(points: np.ndarray) -> np.ndarray:
    """Cosines by three nested loops."""
    n, found = len(points), []
    for j in range(n):
        for i in range(n):
            for k in range(i + 1, n):
                if j not in (i, k):
                    a, b = points[i] - points[j], points[k] - points[j]
                    found.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    return np.array(found)


def test_attention_weights_are_compared_as_distributions() -> None:
    student, teacher = given("attention", seed=2), given("attention", seed=1)
    s, t = (x.double().mean(1).numpy() for x in (student, teacher))
    expected = (t * np.log(t / s)).sum(2).mean()
    found = value(EVERY["attention"](), student, teacher, batch(teacher)).item() / 1.5
    assert found == pytest.approx(expected, rel=1e-5)
    one_head = value(EVERY["attention"](), student.mean(1), teacher, batch(teacher)).item() / 1.5
    assert one_head == pytest.approx(expected, rel=1e-5)


def test_relations_do_not_depend_on_scale_place_or_turn_of_a_space() -> None:
    teacher = given("distances", seed=1)
    turn = torch.linalg.qr(drawn(WIDTH, WIDTH, seed=5))[0]
    moved = 7 * teacher @ turn + 3
    for name in ("distances", "angles"):
        assert value(EVERY[name](), moved, teacher, batch(teacher)).item() < 1e-6


def test_relations_of_many_rows_are_a_mean_over_groups() -> None:
    student, teacher = (drawn(150, WIDTH, seed=seed)[:, None, :] for seed in (1, 2))
    plain = Batch(inputs=torch.zeros(150, 1))
    term = EVERY["angles"]()
    parts = [slice(i, i + GROUP) for i in range(0, 150, GROUP)]
    found = sum(
        float(value(term, student[p], teacher[p], plain.take(p))) * len(student[p]) for p in parts
    )
    assert value(term, student, teacher, plain).item() == pytest.approx(found / 150, rel=1e-5)


@pytest.mark.parametrize("name", ["distances", "angles"])
@pytest.mark.parametrize("rows", [1, 2, 4])
def test_rows_that_coincide_have_a_finite_gradient(name: str, rows: int) -> None:
    student = torch.zeros(rows, PLACES, WIDTH)
    student[rows // 2 :] = 1.0
    teacher = given(name, seed=1, rows=rows)
    found = gradient(EVERY[name](), student, whole(rows), teacher, batch(teacher))
    assert torch.isfinite(found).all()
    assert found.abs().max() < 10


def test_images_are_compared_on_the_smaller_grid() -> None:
    """A student of 2·2 sees the means of the teacher's 4·4."""
    teacher = drawn(3, WIDTH, 4, 4, seed=1)
    student = torch.nn.functional.avg_pool2d(teacher, 2)
    rows = Batch(inputs=torch.zeros(3, 1))
    for term in (hints(), EVERY["maps"]()):
        assert value(term, student, teacher, rows).item() < 1e-10
        assert value(term, student.flip(3), teacher, rows).item() > 1e-2


def test_a_mixture_of_teachers_is_a_mixture_of_softened_probabilities() -> None:
    one, other = drawn(4, 3, seed=1), drawn(4, 3, seed=2)
    rows = Batch(inputs=torch.zeros(4, 1), targets=one, further={"other": other})
    shares = {"teacher": 0.25, "other": 0.75}
    mixed = (Mixture(shares)(rows, 3.0) / 3).softmax(dim=1)
    torch.testing.assert_close(
        mixed, 0.25 * (one / 3).softmax(dim=1) + 0.75 * (other / 3).softmax(dim=1)
    )
    torch.testing.assert_close(MeanLogits(shares)(rows, 3.0), 0.25 * one + 0.75 * other)
    shifted = replace(rows, targets=one + 5.0)
    again = (Mixture(shares)(shifted, 3.0) / 3).softmax(dim=1)
    torch.testing.assert_close(again, mixed)
