"""The chunked loss of large vocabularies, against plain float64 code and against itself."""

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from kdaudit.distill.objectives.chunked import Head, Loss, chunked_loss
from kdaudit.distill.objectives.chunked_terms import Full, Labels, Term, TopK
from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.errors import DataError

N, H, V, K = 13, 6, 23, 5
KINDS: dict[str, Divergence] = {
    "forward": Divergence(kind="forward_kl", temperature=2.0),
    "reverse": Divergence(kind="reverse_kl", temperature=1.5),
    "jsd": Divergence(kind="jsd", temperature=2.0, beta=0.3),
    "jsd at an end": Divergence(kind="jsd", temperature=2.0, beta=1.0),
}
each_kind = pytest.mark.parametrize("divergence", KINDS.values(), ids=KINDS)


def tensors(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Head, Tensor, Tensor]:
    """A student's head that learns, the teacher's logits (N, V), and valid positions."""
    draw = torch.Generator().manual_seed(seed)
    hidden, weight, bias, teacher = (
        torch.randn(shape, generator=draw, dtype=torch.float64).to(dtype)
        for shape in ((N, H), (V, H), (V,), (N, V))
    )
    head = Head(
        hidden=hidden.requires_grad_(),
        weight=weight.requires_grad_(),
        bias=bias.requires_grad_(),
    )
    return head, 2 * teacher, torch.arange(N) % 4 != 1


def full(teacher: Tensor, divergence: Divergence, weight: float = 1.0) -> Full:
    return Full(teacher=lambda rows: teacher[rows], divergence=divergence, weight=weight)


def top_k(teacher: Tensor, divergence: Divergence, k: int = K) -> TopK:
    logits, ids = teacher.topk(k, dim=1)
    lse = (teacher / divergence.temperature).logsumexp(dim=1)
    return TopK(ids=ids, logits=logits, lse=lse, divergence=divergence)


def plain(p: Tensor, q: Tensor, divergence: Divergence) -> Tensor:
    """(N,) divergences of probabilities, written out."""
    beta = {"forward_kl": 0.0, "reverse_kl": 1.0}.get(divergence.kind, divergence.beta)
    if beta == 0.0:
        return (p * (p / q).log()).sum(dim=1)
    if beta == 1.0:
        return (q * (q / p).log()).sum(dim=1)
    m = beta * p + (1 - beta) * q
    return (p * (p / m).log()).sum(dim=1) / (1 - beta) + (q * (q / m).log()).sum(dim=1) / beta


def gradients(loss: Tensor, head: Head) -> list[Tensor]:
    wanted = [x for x in (head.hidden, head.weight, head.bias) if x is not None]
    return list(torch.autograd.grad(loss, wanted))


def assert_same(found: Sequence[Tensor], expected: Sequence[Tensor], **tolerance: float) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=tolerance.get("atol", 1e-10))


def of(head: Head, term: Term, valid: Tensor, chunk: int = 4) -> Loss:
    return chunked_loss(head, [term], valid, chunk=chunk)


@each_kind
def test_value_and_gradients_are_those_of_plain_float64_code(divergence: Divergence) -> None:
    head, teacher, valid = tensors()
    logits = head.logits(torch.arange(N))[valid]
    p, q = ((x / divergence.temperature).softmax(dim=1) for x in (teacher[valid], logits))
    expected = 0.7 * divergence.temperature**2 * plain(p, q, divergence).mean()
    found = of(head, full(teacher, divergence, weight=0.7), valid).total
    torch.testing.assert_close(found, expected)
    assert_same(gradients(found, head), gradients(expected, head))


@each_kind
def test_the_top_k_is_the_divergence_of_k_buckets_and_one_for_all_others(
    divergence: Divergence,
) -> None:
    head, teacher, valid = tensors()
    logits = head.logits(torch.arange(N))[valid]
    ids = teacher[valid].topk(K, dim=1).indices
    p, q = ((x / divergence.temperature).softmax(dim=1) for x in (teacher[valid], logits))
    inside = [values.gather(1, ids) for values in (p, q)]
    p, q = (torch.cat((x, 1 - x.sum(dim=1, keepdim=True)), dim=1) for x in inside)
    expected = divergence.temperature**2 * plain(p, q, divergence).mean()
    found = of(head, top_k(teacher, divergence), valid).total
    torch.testing.assert_close(found, expected)
    assert_same(gradients(found, head), gradients(expected, head))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_labels_are_the_cross_entropy_of_pytorch(smoothing: float) -> None:
    head, _, valid = tensors()
    labels = torch.arange(N) % V
    logits = head.logits(torch.arange(N))[valid]
    expected = cross_entropy(logits, labels[valid], label_smoothing=smoothing)
    found = of(head, Labels(labels=labels, smoothing=smoothing), valid).total
    torch.testing.assert_close(found, expected)
    assert_same(gradients(found, head), gradients(expected, head))


@pytest.mark.parametrize("make", [full, top_k])
@each_kind
def test_gradients_are_those_of_finite_differences(divergence: Divergence, make: type) -> None:
    head, teacher, valid = tensors()
    term = make(teacher, divergence)

    def loss(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return of(Head(hidden=hidden, weight=weight, bias=bias), term, valid).total

    assert torch.autograd.gradcheck(
        loss, [x for x in (head.hidden, head.weight, head.bias) if x is not None], fast_mode=True
    )


@pytest.mark.parametrize("make", [full, top_k])
@each_kind
@settings(max_examples=20, deadline=None)
@given(chunk=st.integers(1, N + 3), seed=st.integers(0, 99))
def test_the_size_of_the_chunks_has_no_effect(
    divergence: Divergence, make: type, chunk: int, seed: int
) -> None:
    head, teacher, valid = tensors(seed)
    term = make(teacher, divergence)
    whole, split = of(head, term, valid, chunk=N), of(head, term, valid, chunk=chunk)
    torch.testing.assert_close(split.total, whole.total)
    assert_same(gradients(split.total, head), gradients(whole.total, head))


@pytest.mark.parametrize("make", [full, top_k])
@each_kind
def test_positions_left_out_cannot_change_a_bit(divergence: Divergence, make: type) -> None:
    head, teacher, valid = tensors(dtype=torch.float32)
    hidden, other = head.hidden.detach().clone(), teacher.clone()
    hidden[~valid] = math.nan
    other[~valid] = 1e30
    changed = Head(hidden=hidden.requires_grad_(), weight=head.weight, bias=head.bias)
    before = of(head, make(teacher, divergence), valid).total
    after = of(changed, make(other, divergence), valid).total
    assert torch.equal(before, after)
    for one, another in zip(gradients(before, head), gradients(after, changed), strict=True):
        assert torch.equal(one, another)


@pytest.mark.parametrize("make", [full, top_k])
@each_kind
def test_a_student_that_is_the_teacher_has_no_loss_and_no_gradient(
    divergence: Divergence, make: type
) -> None:
    head, _, valid = tensors()
    teacher = head.logits(torch.arange(N)).detach()
    loss = of(head, make(teacher, divergence), valid).total
    assert abs(float(loss.detach())) < 1e-12
    for gradient in gradients(loss, head):
        assert float(gradient.abs().max()) < 1e-12


def test_with_the_square_of_the_temperature_gradients_do_not_shrink() -> None:
    head, teacher, valid = tensors()
    norms, without = list[float](), list[float]()
    for temperature in (8.0, 64.0):
        for squared, kept in ((True, norms), (False, without)):
            divergence = Divergence(temperature=temperature, t_squared=squared)
            loss = of(head, full(teacher, divergence), valid).total
            kept.append(float(gradients(loss, head)[0].norm()))
    assert norms[1] == pytest.approx(norms[0], rel=0.3)
    assert without[1] < without[0] / 40


@pytest.mark.parametrize("parts", [2, 3, 13])
def test_batches_and_accumulation_give_the_gradient_of_the_whole(parts: int) -> None:
    head, teacher, valid = tensors()
    divergence, labels = KINDS["forward"], torch.arange(N)

    def terms(rows: slice) -> list[Term]:
        return [full(teacher[rows], divergence), Labels(labels=labels[rows])]

    whole = chunked_loss(head, terms(slice(None)), valid).total
    pieces = []
    for rows in torch.arange(N).tensor_split(parts):
        some = slice(int(rows[0]), int(rows[-1]) + 1)
        part = Head(hidden=head.hidden[some], weight=head.weight, bias=head.bias)
        positions = int(valid.sum())
        pieces.append(chunked_loss(part, terms(some), valid[some], positions=positions).total)
    torch.testing.assert_close(torch.stack(pieces).sum(), whole)
    assert_same(gradients(torch.stack(pieces).sum(), head), gradients(whole, head))


def test_parts_add_up_and_carry_no_gradient() -> None:
    head, teacher, valid = tensors()
    soft, hard = full(teacher, KINDS["jsd"], weight=0.4), Labels(labels=torch.arange(N), weight=2)
    both = chunked_loss(head, [soft, hard], valid)
    alone = torch.stack([of(head, soft, valid).total, of(head, hard, valid).total])
    torch.testing.assert_close(both.parts, alone.detach())
    torch.testing.assert_close(both.total, alone.sum())
    assert not both.parts.requires_grad


def test_a_batch_without_valid_positions_says_nothing() -> None:
    head, teacher, valid = tensors()
    loss = of(head, full(teacher, KINDS["forward"]), torch.zeros_like(valid)).total
    assert float(loss.detach()) == 0.0
    assert all(float(x.abs().max()) == 0.0 for x in gradients(loss, head))


def test_halves_are_added_up_in_float32() -> None:
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(4096, H, generator=draw).bfloat16().requires_grad_()
    weight = (torch.randn(V, H, generator=draw) / H).bfloat16().requires_grad_()
    labels = torch.randint(V, (4096,), generator=draw)
    valid = torch.ones(4096, dtype=torch.bool)
    loss = of(Head(hidden=hidden, weight=weight), Labels(labels=labels), valid, chunk=16).total
    assert loss.dtype == torch.float32
    exact = [x.detach().double().requires_grad_() for x in (hidden, weight)]
    expected = cross_entropy((exact[0].bfloat16() @ exact[1].bfloat16().T).double(), labels)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)
    found = torch.autograd.grad(loss, weight)[0]
    assert found.dtype == torch.bfloat16
    logits = exact[0] @ exact[1].T
    reference = torch.autograd.grad(cross_entropy(logits, labels), exact[1])[0]
    # Sums of 256 chunks in bfloat16 would be off by several percent.
    assert float((found - reference).norm() / reference.norm()) < 0.01


def test_autocast_keeps_the_loss_in_float32() -> None:
    head, teacher, valid = tensors(dtype=torch.float32)
    term = full(teacher, KINDS["forward"])
    with torch.autocast("cpu", torch.bfloat16):
        inside = of(head, term, valid).total
    assert torch.equal(inside, of(head, term, valid).total)


def padded(logits: Tensor, extra: Tensor) -> Tensor:
    return torch.cat((logits, extra), dim=1)


@each_kind
def test_dead_rows_of_a_larger_teacher_are_cut_off_and_their_mass_is_told(
    divergence: Divergence,
) -> None:
    head, teacher, valid = tensors()
    extra = torch.full((N, 3), -2.0, dtype=torch.float64)
    mass = (padded(teacher, extra) / divergence.temperature).softmax(dim=1)[:, V:].sum(dim=1)
    for make in (full, top_k):
        same = of(head, make(teacher, divergence), valid)
        cut = of(head, make(padded(teacher, extra), divergence), valid)
        if make is full:
            torch.testing.assert_close(cut.total, same.total)
            torch.testing.assert_close(cut.discarded[0], mass[valid].mean())
        assert float(same.discarded) == 0.0


def test_the_vocabularies_of_two_sizes_of_one_family() -> None:
    draw = torch.Generator().manual_seed(0)
    student = torch.randn(2, 151_936, generator=draw)
    extra = torch.full((2, 152_064 - 151_936), -60.0)
    valid = torch.tensor([True, True])
    for make in (full, top_k):
        found = of(Head(hidden=student), make(padded(student, extra), KINDS["forward"]), valid)
        # Padded with logits of 0 instead, the student would be wrong by being right.
        assert abs(float(found.total)) < 1e-5
        assert float(found.discarded) < 1e-8


def test_a_top_k_token_that_the_student_lacks_is_discarded_mass() -> None:
    divergence = Divergence(kind="forward_kl")
    head, teacher, valid = tensors()
    extra = torch.full((N, 2), 3.0, dtype=torch.float64)
    wide = padded(teacher, extra)
    found = of(head, top_k(wide, divergence, k=K + 2), valid)
    probability = wide.softmax(dim=1)
    ids = wide.topk(K + 2, dim=1).indices
    lost = torch.where(ids >= V, probability.gather(1, ids), 0.0).sum(dim=1)
    assert float(lost[valid].min()) > 0
    torch.testing.assert_close(found.discarded[0], lost[valid].mean())
    assert torch.autograd.gradcheck(
        lambda z: of(Head(hidden=z), top_k(wide, divergence, k=K + 2), valid).total,
        (head.logits(torch.arange(N)).detach().requires_grad_(),),
        fast_mode=True,
    )


def test_a_larger_student_pays_for_tokens_that_the_teacher_does_not_have() -> None:
    head, teacher, valid = tensors()
    small = teacher[:, : V - 3]
    for name in ("forward", "jsd"):
        found = of(head, full(small, KINDS[name]), valid)
        assert math.isfinite(float(found.total.detach()))
    gradient = gradients(of(head, full(small, KINDS["forward"]), valid).total, head)[2]
    assert bool((gradient[V - 3 :] > 0).all())
    with pytest.raises(DataError, match=r"the student knows 23 tokens and the teacher 20, so rev"):
        of(head, full(small, KINDS["reverse"]), valid)


def test_what_cannot_be_is_refused_with_its_remedy() -> None:
    head, teacher, valid = tensors()
    with pytest.raises(DataError, match="a label is token 23, and the student knows 23 tokens"):
        of(head, Labels(labels=torch.full((N,), V)), valid)
    with pytest.raises(DataError, match="the top 23 of a vocabulary of 23 tokens leave no others"):
        of(head, top_k(teacher, KINDS["forward"], k=V), valid)
