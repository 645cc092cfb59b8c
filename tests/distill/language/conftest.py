"""A tokenizer of bytes, a few plays, and a small teacher, as Transformers writes them."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END, SIGN = 256, "<end>"
WORDS = ("the king", "a ship", "my lord", "no man", "goes home", "sings", "sees the sea")
CONFIG = {
    "vocab_size": 257,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "eos_token_id": END,
    "bos_token_id": None,
}


def bytes_folder(folder: Path) -> Path:
    """A tokenizer with a token per byte and one that ends a text."""
    vocabulary = {sign: i for i, sign in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    inner = Tokenizer(models.BPE(vocab={**vocabulary, SIGN: END}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made: Any = PreTrainedTokenizerFast
    made(tokenizer_object=inner, eos_token=SIGN).save_pretrained(folder)
    return folder


def llama(seed: int = 0, **changes: Any) -> Any:
    """A small causal language model with drawn weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: Any = LlamaForCausalLM(LlamaConfig(**{**CONFIG, **changes}))
        return made.eval()


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("language")
    bytes_folder(folder / "bytes")
    model = llama(initializer_range=0.4)
    model.save_pretrained(folder / "teacher")
    bytes_folder(folder / "teacher")
    lines = [" ".join(parts) for parts in itertools.product(WORDS, WORDS)]
    (folder / "plays.txt").write_text("\n\n".join(lines), "utf-8")
    return folder


STUDENT = """
[language]
text = ["plays.txt"]
validation = 0.2
block = 32
[teacher]
folder = "teacher"
[student]
folder = "teacher"
layers = [0, 2]
[objectives.tokens]
{tokens}
[train]
epochs = {epochs}
batch_size = 4
learning_rate = 0.01
{more}
"""


Write = Callable[..., Path]


@pytest.fixture
def plays(tmp_path: Path, models_folder: Path) -> Path:
    """A folder with text, tokenizer and teacher."""
    for name in ("bytes", "teacher", "plays.txt"):
        (tmp_path / name).symlink_to(models_folder / name)
    return tmp_path


@pytest.fixture
def write(plays: Path) -> Write:
    """Writes a recipe; ``tokens`` stands in its table, ``more`` after all."""

    def written(tokens: str = "", more: str = "", epochs: int = 2, name: str = "student") -> Path:
        path = plays / f"{name}.toml"
        path.write_text(STUDENT.format(tokens=tokens, more=more, epochs=epochs), "utf-8")
        return path

    return written


@pytest.fixture(scope="session")
def small() -> Callable[..., Any]:
    """Makes a small model: ``small(seed, **changes of its configuration)``."""
    return llama
