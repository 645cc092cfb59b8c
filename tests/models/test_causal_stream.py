"""A causal language model that is listened to writes what it writes."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kdaudit.evidence.load import ask, open_loop
from kdaudit.models.adapter import Decoding, Prompt, Streaming
from kdaudit.models.causal.adapter import CausalModel
from tests.models.tiny_llama import save


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    folder = tmp_path_factory.mktemp("llama")
    save(folder, seed=1)
    return CausalModel.open(folder.name, base=Path(folder.parent))


@pytest.mark.parametrize("stop", [(), ("e",)])
def test_the_pieces_are_the_answer(model: CausalModel, stop: tuple[str, ...]) -> None:
    prompts = [Prompt(text=text) for text in ("one", "two and more", "é")]
    decoding = Decoding(max_tokens=12, stop=stop)
    whole = dict(model.write(prompts, decoding))
    assert isinstance(model, Streaming)
    for number, prompt in enumerate(prompts):
        pieces = list(model.stream(prompt, decoding))
        assert "".join(piece.text for piece in pieces) == whole[number].text
        assert sum(piece.tokens or 0 for piece in pieces) == whole[number].tokens
        assert {piece.prompt_tokens for piece in pieces} == {whole[number].prompt_tokens}


def test_it_is_timed_under_load(model: CausalModel) -> None:
    prompts = [Prompt(text="one"), Prompt(text="two")] * 3
    sent = open_loop(model, prompts, np.zeros(6), Decoding(max_tokens=4))
    for before, after in pairwise(sent):
        assert after.sent >= before.last  # one at a time, in order
    assert all(one.scheduled < one.first <= one.last for one in sent)
    assert sent[0].bytes_out == sent[2].bytes_out


def test_a_prompt_that_does_not_fit_has_no_answer(model: CausalModel) -> None:
    one = ask(model, Prompt(text="x" * 200), Decoding(max_tokens=4))
    assert np.isnan([one.first, one.last]).all()
    assert "its prompt has 200 tokens" in one.why
