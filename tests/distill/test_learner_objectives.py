"""Terms of those who learn beside the student: peers, discriminators, generators."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given as drawing
from hypothesis import strategies
from scipy.special import expit, log_softmax
from torch import Tensor, nn

from kdaudit.distill.objectives import STUDENT, TEACHER, Divergence, Forward, Hard, Objective
from kdaudit.distill.objectives.activations import Pair
from kdaudit.distill.objectives.adversarial import Critic, Pass, Spaces, Tell
from kdaudit.distill.objectives.generated import Balance, Confidence, Gap
from kdaudit.distill.objectives.live import Live
from kdaudit.distill.training.sources import Batch

ROWS, WIDTH = 24, 5
PEERS = ("peer1", "peer2")


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def live(temperature: float = 2.0) -> Live:
    divergence = Divergence(temperature=temperature)
    return Live(name="live", weight=1.5, divergence=divergence, of=PEERS)


def outputs(**logits: Tensor) -> dict[str, Forward]:
    return {name: Forward(logits=values, inner={"h": values}) for name, values in logits.items()}


def rows(targets: Tensor) -> Batch:
    labels = torch.arange(len(targets)) % targets.shape[1]
    return Batch(inputs=torch.zeros(len(targets), 2), targets=targets, labels=labels)


def value(term: Objective, student: Tensor, teacher: Tensor, other: Tensor) -> Tensor:
    given = outputs(student=student, peer1=teacher, peer2=other, teacher=teacher)
    found: Tensor = term(given, rows(teacher))
    return found


def pulled(pairs: tuple[Pair, ...] = ()) -> tuple[Pass, Tell, nn.ModuleList]:
    torch.manual_seed(0)
    critics = nn.ModuleList([Critic(WIDTH, 8)])
    term = Pass(weight=1.5, spaces=Spaces(pairs=pairs), critics=critics, projectors=[nn.Identity()])
    return term, Tell(term, 0.0), critics


def np_kl(teacher: Tensor, student: Tensor, temperature: float) -> float:
    p, q = (log_softmax(x.double().numpy() / temperature, axis=1) for x in (teacher, student))
    return float((np.exp(p) * (p - q)).sum(axis=1).mean())


def test_a_learner_that_agrees_with_all_others_has_no_loss_and_no_gradient() -> None:
    leaf = drawn(ROWS, WIDTH, seed=1).requires_grad_()
    same = leaf.detach()
    loss = value(live(), leaf, same, same)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert leaf.grad is not None
    assert leaf.grad.abs().max() < 1e-6


@pytest.mark.parametrize("temperature", [1.0, 3.0, 8.0])
def test_what_others_answer_is_a_mean_of_divergences(temperature: float) -> None:
    student, one, other = (drawn(ROWS, WIDTH, seed=seed) for seed in (1, 2, 3))
    expected = sum(np_kl(peer, student, temperature) for peer in (one, other)) / 2
    found = value(live(temperature), student, one, other).item()
    assert found == pytest.approx(1.5 * temperature**2 * expected, rel=1e-5)


def test_the_gradient_of_what_others_answer_does_not_shrink_with_temperature() -> None:
    norms = []
    for temperature in (4.0, 12.0, 50.0):
        leaf = drawn(ROWS, WIDTH, seed=1).requires_grad_()
        others = drawn(ROWS, WIDTH, seed=2), drawn(ROWS, WIDTH, seed=3)
        value(live(temperature), leaf, *others).backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        norms.append(float(leaf.grad.norm()))
    assert max(norms) < 1.15 * min(norms)


def test_those_who_answer_are_not_moved() -> None:
    student, one, other = (drawn(ROWS, WIDTH, seed=seed).requires_grad_() for seed in (1, 2, 3))
    value(live(), student, one, other).backward()  # type: ignore[no-untyped-call]
    assert (one.grad, other.grad) == (None, None)
    assert live().trains == (STUDENT,)
    assert not live().validated


def test_labels_can_be_another_learners() -> None:
    student, peer = drawn(ROWS, WIDTH, seed=1), drawn(ROWS, WIDTH, seed=2)
    term = Hard(name="peer1.hard", weight=0.5, learner="peer1")
    own = Hard(name="hard", weight=0.5)
    assert term.trains == ("peer1",)
    assert torch.equal(value(term, student, peer, peer), value(own, peer, student, student))


def centred(values: Tensor) -> np.ndarray:
    plain = values.double().numpy()
    return np.asarray(plain - plain.mean(axis=1, keepdims=True))


def test_the_two_sides_of_a_discriminator_are_cross_entropies() -> None:
    student, teacher = drawn(ROWS, WIDTH, seed=1), drawn(ROWS, WIDTH, seed=2)
    passing, telling, critics = pulled()
    judged = {
        name: critics.double()[0](torch.tensor(centred(x))).detach().numpy()
        for name, x in ((STUDENT, student), (TEACHER, teacher))
    }
    critics.float()
    found = value(passing, student, teacher, teacher).item()
    assert found == pytest.approx(-1.5 * np.log(expit(judged[STUDENT])).mean(), rel=1e-5)
    told = -(np.log(expit(judged[TEACHER])) + np.log(1 - expit(judged[STUDENT]))).mean() / 2
    assert value(telling, student, teacher, teacher).item() == pytest.approx(told, rel=1e-5)


def test_nothing_can_be_told_of_two_that_are_the_same() -> None:
    """The discriminator that does not know is then the best one: no gradient moves it."""
    teacher = drawn(ROWS, WIDTH, seed=2)
    _, telling, critics = pulled()
    (judge,) = critics
    assert isinstance(judge, Critic)
    for parameter in judge.last.parameters():
        nn.init.zeros_(parameter)
    loss = value(telling, teacher, teacher, teacher)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(math.log(2))
    gradients = [p.grad.abs().max() for p in critics.parameters() if p.grad is not None]
    assert max(gradients) < 1e-7


def test_a_discriminator_knows_its_gradient_and_is_charged_for_it() -> None:
    torch.manual_seed(0)
    judge = Critic(WIDTH, 8)
    points = drawn(ROWS, WIDTH, seed=1).requires_grad_()
    (expected,) = torch.autograd.grad(judge(points).sum(), points)
    torch.testing.assert_close(judge.gradient(points), expected)
    student, teacher = drawn(ROWS, WIDTH, seed=1), drawn(ROWS, WIDTH, seed=2)
    passing, plain, critics = pulled()
    (judge,) = critics  # type: ignore[assignment]
    more = value(Tell(passing, 3.0), student, teacher, teacher) - value(
        plain, student, teacher, teacher
    )
    at = teacher - teacher.mean(dim=1, keepdim=True)
    squares = judge.gradient(at).square().sum(dim=1).mean()
    assert more.item() == pytest.approx(1.5 * squares.item(), rel=1e-4)


def test_each_side_moves_its_own_and_the_teacher_is_a_constant() -> None:
    pair = Pair(student="h", teacher="h")
    student, teacher = (drawn(ROWS, WIDTH, seed=seed).requires_grad_() for seed in (1, 2))
    passing, telling, critics = pulled((pair,))
    assert passing.trains == (STUDENT,)
    assert telling.trains == ("discriminator",)
    assert list(passing.parameters()) == list(telling.parameters()) == []  # it is borrowed
    value(telling, student, teacher, teacher).backward()  # type: ignore[no-untyped-call]
    assert (student.grad, teacher.grad) == (None, None)
    assert all(p.grad is not None for p in critics.parameters())
    value(passing, student, teacher, teacher).backward()  # type: ignore[no-untyped-call]
    assert student.grad is not None
    assert student.grad.abs().max() > 0
    assert teacher.grad is None


def test_a_projector_is_trained_with_the_student_only() -> None:
    critics = nn.ModuleList([Critic(WIDTH, 8)])
    term = Pass(
        weight=1.0,
        spaces=Spaces(pairs=(Pair(student="h", teacher="h"),)),
        critics=critics,
        projectors=[nn.Linear(3, WIDTH)],
    )
    assert [tuple(p.shape) for p in term.parameters()] == [(WIDTH, 3), (WIDTH,)]
    telling = Tell(term, 1.0)
    student, teacher = drawn(ROWS, 3, seed=1), drawn(ROWS, WIDTH, seed=2)
    value(telling, student, teacher, teacher).backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in term.parameters())


def test_a_generator_is_paid_for_the_gap() -> None:
    student, teacher = drawn(ROWS, WIDTH, seed=1), drawn(ROWS, WIDTH, seed=2)
    expected = -1.5 * np.log1p(np_kl(teacher, student, 1.0))
    assert value(Gap(1.5), student, teacher, teacher).item() == pytest.approx(expected, rel=1e-5)
    assert value(Gap(1.5), teacher, teacher, teacher).item() == pytest.approx(0.0, abs=1e-6)


def test_a_generator_is_paid_for_sure_answers_of_all_classes() -> None:
    student, teacher = drawn(ROWS, WIDTH, seed=1), drawn(ROWS, WIDTH, seed=2)
    log_p = log_softmax(teacher.double().numpy(), axis=1)
    sure = value(Confidence(1.5), student, teacher, teacher).item()
    assert sure == pytest.approx(-1.5 * log_p.max(axis=1).mean(), rel=1e-5)
    share = np.exp(log_p).mean(axis=0)
    expected = 1.5 * (math.log(WIDTH) + (share * np.log(share)).sum())
    found = value(Balance(1.5), student, teacher, teacher).item()
    assert found == pytest.approx(expected, rel=1e-4)


def test_rows_of_one_class_are_the_least_balanced() -> None:
    one = torch.full((ROWS, WIDTH), -50.0)
    one[:, 2] = 50.0
    each = 100 * torch.eye(WIDTH)
    assert value(Balance(1.0), one, one, one).item() == pytest.approx(math.log(WIDTH))
    assert value(Balance(1.0), each, each, each).item() == pytest.approx(0.0, abs=1e-6)
    assert value(Confidence(1.0), one, one, one).item() == pytest.approx(0.0, abs=1e-6)


BY_ROW: dict[str, Callable[[], Objective]] = {
    "live": live,
    "pass": lambda: pulled()[0],
    "tell": lambda: pulled()[1],
    "confidence": lambda: Confidence(1.5),
}


@pytest.mark.parametrize("name", BY_ROW)
@drawing(parts=strategies.integers(1, ROWS), seed=strategies.integers(0, 99))
def test_means_over_rows_depend_on_neither_order_nor_parts(
    name: str, parts: int, seed: int
) -> None:
    term = BY_ROW[name]()
    student, teacher, other = (drawn(ROWS, WIDTH, seed=i) for i in (1, 2, 3))
    whole = value(term, student, teacher, other).item()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(seed))
    found = sum(
        len(i) / ROWS * value(term, student[i], teacher[i], other[i]).item()
        for i in order.tensor_split(parts)
    )
    assert found == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("term", [Gap(1.0), Balance(1.0)])
def test_what_a_whole_batch_says_does_not_depend_on_its_order(term: Objective) -> None:
    student, teacher = drawn(ROWS, WIDTH, seed=1), drawn(ROWS, WIDTH, seed=2)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0))
    whole = value(term, student, teacher, teacher).item()
    other = teacher[order]
    assert value(term, student[order], other, other).item() == pytest.approx(whole, rel=1e-5)
