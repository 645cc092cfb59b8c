"""Loss terms of language models against PyTorch and Transformers, and what feeds them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, logsigmoid
from torch.utils._python_dispatch import TorchDispatchMode

from kdaudit.distill.language.answers import Live, Recorded, record
from kdaudit.distill.language.blocks import LEFT_OUT, of_tokens, pack, pieces, valid
from kdaudit.distill.language.causal import Asked, Causal
from kdaudit.distill.language.pairs import pairs
from kdaudit.distill.language.recipe import PreferenceTable
from kdaudit.distill.language.samples import written
from kdaudit.distill.language.sources import Budget, OnPolicy, WithPairs
from kdaudit.distill.language.terms import CHOSEN, REFERENCE, REJECTED, SAMPLED, Preference, Tokens
from kdaudit.distill.language.texts import Document
from kdaudit.distill.objectives.chunked import CHUNK, Head
from kdaudit.distill.objectives.chunked_log_probs import chunked_log_probs
from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.recipe import Precision
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.runtime import Runtime
from kdaudit.distill.training.sources import Batch, Stored
from kdaudit.distill.training.step import Step
from kdaudit.errors import DataError
from kdaudit.evidence.store import Store
from kdaudit.evidence.truncated import TopK
from kdaudit.progress import silent

END, BLOCK = 256, 24
DOCUMENTS = [Document(f"{word} sings", "who? ") for word in ("she", "he", "a bird", "nobody")]
DOCUMENTS += [Document("once upon a time there was a king"), Document("ab")]
PROMPTS = [[1, 2, 3], [4, 5], [7, 8, 9]]


def blocks(*, together: bool = True) -> Batch:
    found = pieces(DOCUMENTS, lambda text: list(text.encode()), END, BLOCK)
    return pack(found, BLOCK, together=together)


@pytest.fixture
def student(small: Callable[..., Any]) -> Asked:
    return Asked(Causal(small(1)).eval())


@pytest.fixture
def teacher(small: Callable[..., Any]) -> Asked:
    return Asked(Causal(small(0, initializer_range=0.4)).eval())


def gradient(loss: Tensor, asked: Asked) -> Tensor:
    found = torch.autograd.grad(loss, list(asked.causal.parameters()), allow_unused=True)
    return torch.cat([g.flatten() for g in found if g is not None])


def test_labels_are_shifted_and_masked_as_transformers_does_it(student: Asked) -> None:
    model = student.causal.model
    for document in DOCUMENTS[:2]:
        prompt, text = document.prompt.encode(), document.text.encode()
        ids = torch.tensor([[*prompt, *text, END]])
        labels = ids.clone()
        labels[:, : len(prompt)] = LEFT_OUT
        expected = model(input_ids=ids, labels=labels).loss
        found = pieces([document], lambda text: list(text.encode()), END, 64)
        loss = Tokens(student, hard_weight=1.0)({}, pack(found, 64, together=True))
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(
            gradient(loss, student), gradient(expected, student), rtol=1e-4, atol=1e-7
        )


def test_hard_and_soft_in_one_pass_are_their_sum_written_out(
    student: Asked, teacher: Asked
) -> None:
    batch = blocks()
    divergence = Divergence(kind="forward_kl", temperature=2.0)
    term = Tokens(
        student,
        hard_weight=0.3,
        answers=Live(teacher),
        divergence=divergence,
        soft_weight=0.7,
    )
    where = valid(batch)
    assert batch.labels is not None
    z, v = (
        head.logits(torch.arange(where.numel()))[where.flatten()]
        for head in (student.student(batch.inputs), teacher.teacher(batch.inputs))
    )
    p, log_q = (v / 2).softmax(dim=1), (z / 2).log_softmax(dim=1)
    soft = 4 * (p * ((v / 2).log_softmax(dim=1) - log_q)).sum(dim=1).mean()
    expected = 0.7 * soft + 0.3 * cross_entropy(z, batch.labels[where])
    found = term({}, batch)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        gradient(found, student), gradient(expected, student), rtol=1e-4, atol=1e-6
    )
    assert term.measured(batch)["nll"] == pytest.approx(
        float(cross_entropy(z, batch.labels[where]).detach()), rel=1e-5
    )


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("size", [1, 2])
def test_packing_and_batches_leave_the_loss_as_it_is(
    student: Asked, teacher: Asked, size: int, *, together: bool
) -> None:
    term = Tokens(student, hard_weight=0.5, answers=Live(teacher), soft_weight=0.5)
    whole, batch = blocks(), blocks(together=together)
    parts = [batch.take(slice(i, i + size)) for i in range(0, len(batch), size)]
    count = sum(term.count(part) for part in parts)
    assert count == term.count(whole)
    found = torch.stack([term({}, part) * term.count(part) / count for part in parts]).sum()
    torch.testing.assert_close(found, term({}, whole))
    torch.testing.assert_close(
        gradient(found, student), gradient(term({}, whole), student), rtol=1e-3, atol=1e-6
    )


def test_on_its_own_text_only_the_teacher_counts(student: Asked, teacher: Asked) -> None:
    batch = blocks()
    own = Batch(
        inputs=batch.inputs,
        labels=batch.labels,
        further={SAMPLED: torch.ones(len(batch), dtype=torch.bool)},
    )
    both = Tokens(student, hard_weight=0.5, answers=Live(teacher), soft_weight=0.5)
    soft = Tokens(student, hard_weight=0.0, answers=Live(teacher), soft_weight=0.5)
    assert torch.equal(both({}, own), soft({}, batch))
    assert float(both({}, batch).detach()) != float(both({}, own).detach())


def test_a_recorded_teacher_is_found_by_content_and_refused_for_other_blocks(
    student: Asked, teacher: Asked, tmp_path: Path
) -> None:
    batch, top = blocks(), TopK(k=256, temperatures=(1.0, 2.0))
    kept = record(
        teacher,
        batch,
        who={"folder": "x"},
        split="transfer",
        top=top,
        vocabulary=257,
        store=Store(tmp_path),
        advance=silent("", 0),
    )
    divergence = Divergence(temperature=2.0)
    live, stored = (
        Tokens(student, hard_weight=0.0, answers=answers, divergence=divergence, soft_weight=1.0)
        for answers in (Live(teacher), Recorded((kept,)))
    )
    some = batch.take(torch.tensor([1, 0]))
    # All but one token are listed, so the bucket holds just one: nothing is lost.
    torch.testing.assert_close(stored({}, some), live({}, some), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(
        gradient(stored({}, some), student), gradient(live({}, some), student), rtol=1e-3, atol=1e-6
    )
    changed = batch.inputs.clone()
    changed[0, 0, 0] += 1
    other = Batch(inputs=changed, labels=batch.labels)
    with pytest.raises(DataError, match="were never recorded"):
        stored({}, other)
    cold = Tokens(
        student,
        hard_weight=0.0,
        answers=Recorded((kept,)),
        divergence=Divergence(temperature=3.0),
        soft_weight=1.0,
    )
    with pytest.raises(DataError, match="T = 3 cannot be had"):
        cold({}, some)


def test_log_probabilities_and_their_gradients_are_those_of_plain_code() -> None:
    draw = torch.Generator().manual_seed(0)
    hidden, weight, bias = (
        torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_()
        for shape in ((7, 4), (9, 4), (9,))
    )
    labels, where = torch.arange(7), torch.arange(7) != 3
    assert torch.autograd.gradcheck(
        lambda h, w, b: chunked_log_probs(Head(hidden=h, weight=w, bias=b), labels, where, chunk=2),
        (hidden, weight, bias),
        fast_mode=True,
    )
    found = chunked_log_probs(Head(hidden=hidden, weight=weight, bias=bias), labels, where)
    expected = (hidden @ weight.T + bias).log_softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
    torch.testing.assert_close(found, torch.where(where, expected, 0.0))


def test_what_is_written_depends_on_prompt_weights_and_stream_alone(student: Asked) -> None:
    def write(
        prompts: list[list[int]], temperature: float = 1.0, rows: int = 32
    ) -> list[list[int]]:
        draw = torch.Generator().manual_seed(5)
        return written(
            student.causal,
            prompts,
            tokens=8,
            temperature=temperature,
            end=END,
            draw=draw,
            rows=rows,
        )

    before = torch.random.get_rng_state()
    first = write(PROMPTS)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert write(PROMPTS) == first
    assert all(0 < len(text) <= 8 for text in first)
    greedy = write(PROMPTS, temperature=0.0)
    assert write(PROMPTS, temperature=0.0, rows=1) == greedy
    assert [write([prompt], temperature=0.0)[0] for prompt in PROMPTS] == greedy
    model: Any = student.causal.model
    expected = model.generate(
        torch.tensor([PROMPTS[0]]), max_new_tokens=8, do_sample=False, pad_token_id=END
    )[0, 3:].tolist()
    assert greedy[0] == expected[: len(greedy[0])]


def test_a_text_stops_at_its_end(small: Callable[..., Any]) -> None:
    model = small(1, tie_word_embeddings=False)
    with torch.no_grad():
        hidden = model.model(torch.tensor([PROMPTS[0]])).last_hidden_state[0, -1]
        model.lm_head.weight[END] = 100 * hidden
    (text,) = written(
        Causal(model),
        [PROMPTS[0]],
        tokens=8,
        temperature=0.0,
        end=END,
        draw=torch.Generator(),
    )
    assert text == [END]


def stored(seed: int = 0) -> Stored:
    return Stored(rows=blocks(together=False), batch_size=2, seed=seed)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_share_of_the_batches_is_written_by_the_student_from_streams_of_its_own(
    student: Asked, share: float
) -> None:
    source = OnPolicy(
        source=stored(),
        student=student.causal,
        prompts=PROMPTS,
        share=share,
        tokens=6,
        temperature=1.0,
        end=END,
        block=BLOCK,
        seed=3,
    )
    epochs = [list(source.batches(epoch)) for epoch in (1, 2, 3, 1)]
    own = [SAMPLED in batch.further for epoch in epochs[:3] for batch in epoch]
    assert len(epochs[0]) == len(source) == len(stored())
    assert all(own) if share == 1.0 else 0 < sum(own) < len(own)
    for one, other in zip(epochs[0], epochs[3], strict=True):
        assert all(torch.equal(one.tensors()[k], other.tensors()[k]) for k in one.tensors())
    written_batches = [b for epoch in epochs[:3] for b in epoch if SAMPLED in b.further]
    for batch in written_batches:
        for row in range(len(batch)):
            ids = batch.inputs[row, 0][batch.inputs[row, 1] == 0].tolist()
            prompt = next(p for p in PROMPTS if ids[: len(p)] == p)
            assert valid(batch)[row].nonzero()[0].item() == len(prompt) - 1
            assert int(valid(batch)[row].sum()) <= 6


def test_a_control_gets_as_many_batches_and_goes_through_all_its_rows() -> None:
    assert len(stored()) == 4
    for length, epochs in ((1, 8), (2, 4), (8, 1)):
        source = Budget(source=stored(), length=length)
        seen = [b.inputs.tolist() for i in range(epochs) for b in source.batches(i + 1)]
        assert seen == [b.inputs.tolist() for i in (1, 2) for b in stored().batches(i)]


def test_the_teacher_ranks_what_the_student_writes(student: Asked, teacher: Asked) -> None:
    table = PreferenceTable(candidates=5, tokens=6, prompts=3)
    found = pairs(student, teacher, PROMPTS, table, end=END, block=BLOCK, seed=2)
    again = pairs(student, teacher, PROMPTS, table, end=END, block=BLOCK, seed=2)
    assert all(torch.equal(found[name], again[name]) for name in found)
    per_token = [_likely(teacher, found[name]) for name in (CHOSEN, REJECTED)]
    assert bool((per_token[0] > per_token[1]).all())
    source = WithPairs(source=stored(), pairs=found, seed=0)
    batch = next(source.batches(1))
    assert {CHOSEN, REJECTED, REFERENCE} == set(batch.further)
    term = Preference(student, weight=2.0, beta=0.3)
    # The student is its own reference still: every margin is 0.
    assert float(term({}, batch).detach()) == pytest.approx(
        2 * torch.tensor(2.0).log().item(), 1e-4
    )


def test_the_preference_loss_and_gradient_are_those_written_out(
    student: Asked, teacher: Asked
) -> None:
    table = PreferenceTable(candidates=5, tokens=6, prompts=3)
    found = pairs(student, teacher, PROMPTS, table, end=END, block=BLOCK, seed=2)
    found[REFERENCE] = found[REFERENCE] + torch.tensor([[1.0, -2.0]])
    batch = Batch(inputs=found[CHOSEN][:, :2], further=found)
    loss = Preference(student, weight=1.0, beta=0.5)({}, batch)
    likely = []
    for name in (CHOSEN, REJECTED):
        rows = found[name]
        logits = student.student(rows[:, :2]).logits(torch.arange(rows[:, 0].numel()))
        entropy = cross_entropy(logits, rows[:, 2].flatten(), reduction="none")
        likely.append(-entropy.view(len(rows), -1).sum(dim=1))
    margin = likely[0] - likely[1] - found[REFERENCE][:, 0] + found[REFERENCE][:, 1]
    expected = -logsigmoid(0.5 * margin).mean()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        gradient(loss, student), gradient(expected, student), rtol=1e-3, atol=1e-6
    )


def test_prompts_with_nothing_to_prefer_are_refused(student: Asked, teacher: Asked) -> None:
    table = PreferenceTable(candidates=2, tokens=2, prompts=3, temperature=1e-4)
    with pytest.raises(DataError, match="all alike, so there is nothing to prefer"):
        pairs(student, teacher, PROMPTS, table, end=END, block=BLOCK, seed=0)


def _likely(teacher: Asked, rows: Tensor) -> Tensor:
    logits = teacher.teacher(rows[:, :2]).logits(torch.arange(rows[:, 0].numel()))
    entropy = cross_entropy(logits, rows[:, 2].flatten(), reduction="none").view(len(rows), -1)
    return -entropy.sum(dim=1) / (rows[:, 2] >= 0).sum(dim=1)


class Widest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The most rows of logits that any operation gives at once."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.vocabulary = vocabulary
        self.rows = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = func(*args, **(kwargs or {}))
        for tensor in given if isinstance(given, tuple | list) else (given,):
            if isinstance(tensor, Tensor) and tensor.ndim and tensor.shape[-1] == self.vocabulary:
                self.rows = max(self.rows, tensor.numel() // self.vocabulary)
        return given


def test_the_logits_of_all_positions_are_never_held(student: Asked, teacher: Asked) -> None:
    found = list(of_tokens([i % 250 for i in range(600)], 0, BLOCK))
    batch = pack(found, BLOCK, together=True)
    term = Tokens(student, hard_weight=0.5, answers=Live(teacher), soft_weight=0.5)
    preference = Preference(student, weight=1.0, beta=0.1)
    assert batch.labels is not None
    rows = torch.cat((batch.inputs, batch.labels[:, None]), dim=1)
    reference = torch.zeros(len(batch), 2)
    pair = Batch(inputs=batch.inputs, further={CHOSEN: rows, REJECTED: rows, REFERENCE: reference})
    with Widest(257) as widest:
        gradient(term({}, batch), student)
        gradient(preference({}, pair), student)
    assert len(batch) * BLOCK > 4 * CHUNK
    assert widest.rows == CHUNK
    with Widest(257) as plain:
        student.causal.model(batch.inputs[:, 0])
    assert plain.rows == len(batch) * BLOCK


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_parts_of_a_batch_have_the_gradient_of_the_whole(
    student: Asked, teacher: Asked, precision: Precision
) -> None:
    asked, source = Asked(student.causal, precision), Asked(teacher.causal, precision)
    term = Tokens(asked, hard_weight=0.5, answers=Live(source), soft_weight=0.5)
    found = []
    for accumulate in (1, 3):
        runtime = Runtime(precision=precision, accumulate=accumulate)
        optimiser = torch.optim.SGD(student.causal.parameters(), lr=0.1)
        learner = Learner(name="student", module=student.causal, optimiser=optimiser)
        learner.mode(learning=True)
        (value,) = Step([learner], [term], runtime)(blocks(together=False)).tolist()
        grads = [p.grad.flatten() for p in student.causal.parameters() if p.grad is not None]
        found.append((value, torch.cat(grads).clone()))
    (one, whole), (other, parts) = found
    assert other == pytest.approx(one, rel=1e-5 if precision == "no" else 1e-2)
    error = float((parts - whole).norm() / whole.norm())
    assert error < (1e-5 if precision == "no" else 0.05)


def test_a_long_text_is_cut_without_losing_a_prediction() -> None:
    found = list(of_tokens(list(range(100)), 0, BLOCK))
    assert sum(label != LEFT_OUT for piece in found for label in piece.labels) == 99
