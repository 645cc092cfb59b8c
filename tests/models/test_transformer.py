"""The encoder that kdaudit ships: neither padding nor neighbours change what it answers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.errors import ModelError
from kdaudit.models.code import resolve
from kdaudit.models.folder import ModelFolder, torch_files, write_folder
from kdaudit.models.torch import Encoder
from kdaudit.models.transformer import (
    ENCODE,
    FACTORY,
    classifier,
    learnt_tokenizer,
    state,
    tokens,
)
from tests.models.tiny_bert import SENTENCES, texts

BERT = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "vocab_size": 50,
    "pad_token_id": 0,
    "initializer_range": 0.5,
}
DISTILBERT = {
    "model_type": "distilbert",
    "dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 32,
    "max_position_embeddings": 40,
    "vocab_size": 50,
    "pad_token_id": 0,
    "initializer_range": 0.5,
}
ROBERTA = BERT | {"model_type": "roberta", "pad_token_id": 1}


def built(config: dict[str, Any], pooling: str = "own", length: int = 12) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return classifier(length, 3, config=config, pooling=pooling).eval()


@pytest.mark.parametrize("pooling", ["own", "mean"])
@pytest.mark.parametrize("config", [BERT, DISTILBERT, ROBERTA], ids=lambda c: str(c["model_type"]))
def test_neither_padding_nor_neighbours_change_an_answer(
    config: dict[str, Any], pooling: str
) -> None:
    model, padding = built(config, pooling), int(config["pad_token_id"])
    ids = torch.randint(3, 50, (4, 12), generator=torch.Generator().manual_seed(1))
    for row, length in enumerate((12, 3, 1, 7)):
        ids[row, length:] = padding
    with torch.inference_mode():
        together = model(ids)
        for row, length in enumerate((12, 3, 1, 7)):
            alone = model(ids[row : row + 1, :length])
            torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=0)
    assert float((together[0] - together[1]).abs().max()) > 0.01


def test_the_mean_is_over_the_tokens_of_a_row_alone() -> None:
    model: Any = built(BERT, "mean")
    ids = torch.tensor([[5, 6, 7, 0, 0]])
    with torch.inference_mode():
        hidden = model.model(input_ids=ids[:, :3]).last_hidden_state
        torch.testing.assert_close(model(ids), model.head(hidden.mean(dim=1)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("config", "options", "words"),
    [
        (BERT | {"model_type": "nonesuch"}, {}, "config with model_type = 'nonesuch'"),
        ({"hidden_size": 16}, {}, "config with model_type = None"),
        ({k: v for k, v in BERT.items() if k != "pad_token_id"} | {"pad_token_id": None}, {},
         "has no pad_token_id"),
        (BERT, {"pooling": "max"}, "pooling is one of own, mean, not 'max'"),
        (BERT, {"length": 41}, "max_length = 41 is more than the 40 positions"),
        (BERT | {"hidden_size": 15}, {}, "hidden"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_built_says_why(
    config: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        built(config, **options)


def test_tokens_are_padded_cut_and_framed() -> None:
    tokenizer = learnt_tokenizer(SENTENCES, 60)
    given = state(tokenizer, max_length=6, padding=0)
    ids = tokens({"m": texts("good day", "", "day and night and day and night")}, given)
    assert ids.dtype == torch.int64
    assert ids.shape == (3, 6)
    assert (ids != 0).sum(dim=1).tolist() == [4, 2, 6]
    assert ids[0, 0] == ids[1, 0] == ids[2, 0]  # [CLS]
    assert ids[2, 5] == ids[1, 1]  # [SEP] survives the cut
    pair = tokens({"a": texts("good"), "b": texts("day")}, given)
    assert pair[0, 1:].tolist().count(int(ids[1, 1])) == 2
    assert tokens({"m": texts("x")[:0]}, given).shape == (0, 6)


words = st.lists(st.sampled_from(["good", "day", "night", "bad", "?"]), max_size=6).map(" ".join)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(words, min_size=1, max_size=5))
def test_a_row_has_the_same_tokens_in_any_company(rows: list[str]) -> None:
    given_state = state(learnt_tokenizer(SENTENCES, 60), max_length=8, padding=0)
    together = tokens({"m": texts(*rows)}, given_state)
    alone = [tokens({"m": texts(row)}, given_state) for row in rows]
    assert torch.equal(together, torch.cat(alone))


def test_numbers_and_empty_cells_are_read_as_text() -> None:
    given = state(learnt_tokenizer(["7 8"], 30), max_length=4, padding=0)
    numbers = tokens({"m": np.array([7.0, np.nan])}, given)
    assert torch.equal(numbers, tokens({"m": np.array(["7", None], dtype=object)}, given))


def test_no_columns_or_three_are_refused() -> None:
    given = state(learnt_tokenizer(SENTENCES, 60), max_length=4, padding=0)
    with pytest.raises(ModelError, match="there are 0 input columns"):
        tokens({}, given)


def test_a_tokenizer_that_does_not_belong_is_refused() -> None:
    with pytest.raises(ModelError, match="padding is token 900"):
        state(learnt_tokenizer(SENTENCES, 60), max_length=4, padding=900)
    with pytest.raises(ModelError, match="the tokenizer cannot be read"):
        state("{}", max_length=4, padding=0)


def test_a_learnt_tokenizer_is_the_same_in_every_process_and_order() -> None:
    script = (
        "from kdaudit.models.transformer import learnt_tokenizer\n"
        f"print(learnt_tokenizer({SENTENCES[::-1]!r}, 60), end='')"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == learnt_tokenizer(SENTENCES, 60)


def test_a_model_folder_of_it_loads_in_a_process_of_its_own_without_network(
    tmp_path: Path,
) -> None:
    args = {"config": BERT, "pooling": "own"}
    files = torch_files(
        built(BERT).state_dict(),
        factory=resolve(FACTORY, tmp_path),
        args=args,
        encoder=Encoder(
            columns=("m",),
            function=resolve(ENCODE, tmp_path),
            state=state(learnt_tokenizer(SENTENCES, 50), max_length=12, padding=0),
            width=12,
        ),
        classes=("a", "b", "c"),
    )
    write_folder(tmp_path / "elsewhere", files)
    here = ModelFolder.open("elsewhere", base=tmp_path)
    expected = here.predict({"m": texts()}).values
    assert {"transformers", "tokenizers"} <= here.identity().keys()
    script = (
        "import socket, sys, torch; socket.socket.connect = None\n"
        "import numpy as np; from pathlib import Path\n"
        "from kdaudit.models.folder import ModelFolder\n"
        f"rows = np.array({SENTENCES!r}, dtype=object)\n"
        "model = ModelFolder.open('elsewhere', base=Path())\n"
        "np.save(sys.argv[1], model.predict({'m': rows}).values)"
    )
    found = tmp_path / "found.npy"
    subprocess.run([sys.executable, "-c", script, str(found)], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(found), expected, atol=1e-5)
