"""From documents to blocks: what is predicted, what is not, and who may look at whom."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from kdaudit.distill.language.begin import cut
from kdaudit.distill.language.blocks import LEFT_OUT, digests, of_tokens, pack, pieces, valid
from kdaudit.distill.language.causal import Causal, alone, positions
from kdaudit.distill.language.texts import Document, read, split
from kdaudit.errors import DataError, ModelError

END = 256
PLAYS = Path(os.environ.get("KDAUDIT_DATA", "/nowhere")) / "tinyshakespeare" / "input.txt"
SHORT = [Document("abc"), Document("yes", "do you?"), Document("no more", "what"), Document("z")]


def encode(text: str) -> list[int]:
    return list(text.encode())


@given(
    tokens=st.lists(st.integers(0, 9), min_size=2, max_size=40),
    prompt=st.integers(0, 12),
    block=st.integers(2, 9),
)
def test_every_token_but_the_first_and_the_prompt_is_predicted_once_from_what_stands_before_it(
    tokens: list[int], prompt: int, block: int
) -> None:
    found = list(of_tokens(tokens, prompt, block))
    predicted = [
        (before, label)
        for piece in found
        for before, label in zip(piece.ids, piece.labels, strict=True)
        if label != LEFT_OUT
    ]
    assert predicted == list(pairwise(tokens))[max(0, prompt - 1) :]
    assert all(len(piece.ids) <= block for piece in found)


def test_the_last_token_of_a_prompt_predicts_the_first_of_the_answer_and_the_last_the_end() -> None:
    (piece,) = pieces([Document("yes", "so?")], encode, END, 32)
    assert piece.ids == encode("so?yes")
    assert piece.labels == [LEFT_OUT, LEFT_OUT, *encode("yes"), END]
    (cut,) = pieces([Document("yes", "so?", ended=False)], encode, END, 32)
    assert cut.labels == [LEFT_OUT, LEFT_OUT, *encode("yes")]


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=20),
    together=st.booleans(),
)
def test_packing_loses_and_doubles_nothing(lengths: list[int], together: bool) -> None:  # noqa: FBT001  # drawn
    found = [
        piece
        for i, length in enumerate(lengths)
        for piece in of_tokens([i, *range(100, 100 + length)], 0, 9)
    ]
    batch = pack(found, 9, together=together)
    assert batch.labels is not None
    ids, documents = batch.inputs[:, 0], batch.inputs[:, 1]
    rows = [
        (ids[row][documents[row] == n].tolist(), batch.labels[row][documents[row] == n].tolist())
        for row in range(len(batch))
        for n in range(int(documents[row].max()) + 1)
    ]
    assert sorted(rows) == sorted((piece.ids, piece.labels) for piece in found)
    assert bool((batch.labels[documents < 0] == LEFT_OUT).all())
    if together:
        assert len(batch) <= max(1, -(-2 * sum(lengths) // 9))
    else:
        assert len(batch) == len(found)


def test_a_document_in_a_block_is_read_as_if_it_stood_alone(small: Callable[..., Any]) -> None:
    causal = Causal(small()).eval()
    found = pieces(SHORT, encode, END, 24)
    batch = pack(found, 24, together=True)
    assert len(batch) < len(found)
    with torch.no_grad():
        logits = causal(batch.inputs).logits(torch.arange(batch.inputs[:, 0].numel()))
        for piece in found:
            expected = causal.model(torch.tensor([piece.ids])).logits[0]
            (row, start) = next(
                (row, start)
                for row in range(len(batch))
                for start in range(24 - len(piece.ids) + 1)
                if batch.inputs[row, 0, start : start + len(piece.ids)].tolist() == piece.ids
                and positions(batch.inputs[:, 1])[row, start] == 0
            )
            first = row * 24 + start
            torch.testing.assert_close(
                logits[first : first + len(piece.ids)], expected, rtol=1e-4, atol=1e-5
            )


def test_other_documents_of_a_block_cannot_change_a_bit(small: Callable[..., Any]) -> None:
    causal = Causal(small()).eval()
    batch = pack(pieces(SHORT, encode, END, 32), 32, together=True)
    changed = batch.inputs.clone()
    others = changed[:, 1] != 1
    changed[:, 0][others] = (changed[:, 0][others] + 7) % END
    own = (batch.inputs[:, 1] == 1).flatten()
    assert own.any()
    with torch.no_grad():
        assert torch.equal(causal(batch.inputs).hidden[own], causal(changed).hidden[own])


ARCHITECTURES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 64},
    "gemma2": {"head_dim": 8},
    "gpt_neox": {},
    "qwen2": {},
    "mamba": {},
}
COMMON = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_other_architectures_keep_documents_apart_or_are_known_not_to(name: str) -> None:
    own = ARCHITECTURES[name]
    kind: Any = AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "vocab_size": 257}
        config = AutoConfig.for_model(name, **ids, **(own if name == "gpt2" else COMMON | own))
        model = kind.from_config(config).eval()
    causal = Causal(model)
    assert (causal.packs, causal.split) == (name != "mamba", name not in {"mamba", "gemma2"})
    if not causal.packs:
        return
    batch = pack(pieces(SHORT, encode, 3, 32), 32, together=True)
    others = batch.inputs[:, 1] != 1
    changed = batch.inputs.clone()
    changed[:, 0][others] = (changed[:, 0][others] + 7) % 250
    rows = (batch.inputs[:, 1] == 1).flatten().nonzero().squeeze(1)
    with torch.no_grad():
        assert torch.equal(causal(batch.inputs).logits(rows), causal(changed).logits(rows))
        smaller = Causal(cut(model, [2, 0], name))
        assert smaller(batch.inputs).logits(rows).shape == (len(rows), 257)
    own_layers = [str(key) for key in smaller.model.state_dict() if ".1." in key]
    kept = smaller.model.state_dict()
    assert own_layers
    for key in own_layers:
        assert torch.equal(kept[key], model.state_dict()[key.replace(".1.", ".0.", 1)])


class Plain(nn.Module):
    """A module that Transformers does not know: (B, T) to (B, T, V)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(257, 8)
        self.recurrent = nn.GRU(8, 8, batch_first=True)
        self.head = nn.Linear(8, 257)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.recurrent(self.embedding(ids))[0])  # type: ignore[no-any-return]


def test_any_module_of_tokens_is_shown_one_document_per_row() -> None:
    causal = Causal(Plain())
    apart, together = (pack(pieces(SHORT, encode, END, 32), 32, together=t) for t in (False, True))
    assert causal(apart.inputs).hidden.shape == (len(SHORT) * 32, 257)
    with pytest.raises(ModelError, match="set packing = false under"):
        causal(together.inputs)


def test_a_head_that_is_not_all_is_seen(small: Callable[..., Any]) -> None:
    model = small()
    assert Causal(model).split
    inner = model.forward
    model.forward = lambda **shown: _capped(inner(**shown))
    capped = Causal(model)
    assert not capped.split
    shown = alone(torch.tensor([[1, 2, 3]]))
    assert float(capped(shown).hidden.detach().abs().max()) <= 0.01


def _capped(given: Any) -> Any:
    given.logits = 0.01 * (given.logits / 0.01).tanh()
    return given


def test_a_row_is_known_by_tokens_documents_and_what_it_predicts() -> None:
    batch = pack(pieces(SHORT, encode, END, 16), 16, together=False)
    assert len(set(digests(batch))) == len(SHORT)
    assert digests(batch.take(torch.tensor([2, 0]))) == [digests(batch)[i] for i in (2, 0)]
    (own,) = pieces([Document("do you?yes")], encode, END, 16)
    other = pack([own], 16, together=False)
    assert torch.equal(other.inputs[0], batch.inputs[1])
    assert digests(other)[0] not in digests(batch)
    assert bool((valid(other).sum(dim=1) > valid(batch)[1].sum()).all())


def test_texts_are_read_line_by_line_or_parted_by_blank_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\nline\n\n \n\ntwo\n", "utf-8")
    (tmp_path / "b.jsonl").write_text(
        '{"text": "a"}\n\n{"prompt": "p", "completion": "c", "id": 3}\n', "utf-8"
    )
    assert read(tmp_path / "a.txt") == [Document("one\nline"), Document("two")]
    assert read(tmp_path / "b.jsonl") == [Document("a"), Document("c", "p")]
    for content, message in (
        ("{", "c.jsonl, line 1 is not JSON"),
        ('{"text": "a"}\n{"prompt": 3, "completion": "c"}', "c.jsonl, line 2: needed is"),
        ("\n", "holds no text"),
    ):
        (tmp_path / "c.jsonl").write_text(content, "utf-8")
        with pytest.raises(DataError, match=message):
            read(tmp_path / "c.jsonl")


def test_a_text_that_comes_twice_is_on_one_side() -> None:
    documents = [Document(str(i % 50)) for i in range(100)]
    learning, stopping = split(documents, 0.3)
    assert not {one.text for one in learning} & {one.text for one in stopping}
    assert len(learning) + len(stopping) == 100
    assert split(documents[::-1], 0.3)[1][::-1] == stopping


@pytest.mark.skipif(not PLAYS.exists(), reason="KDAUDIT_DATA names no folder with tinyshakespeare")
def test_a_real_text_fills_its_blocks() -> None:
    documents = read(PLAYS)[:2000]
    found = pieces(documents, encode, END, 128)
    batch = pack(found, 128, together=True)
    counts = [len(encode(document.text)) for document in documents]
    assert int(valid(batch).sum()) == sum(counts)  # each but its first token, and the end
    assert float(valid(batch).double().mean()) > 0.98
    apart = pack(found, 128, together=False)
    assert int(valid(apart).sum()) == sum(counts)
    assert len(batch) < 0.9 * len(apart)
