"""A GGUF file as the folder that Transformers loads: made once, kept in the store.

Weights are written out in float32, as the file's blocks say them, and the tokenizer splits numbers
where the file says that its own does.
"""

import io
import shutil
import uuid
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from kdaudit.errors import ModelError, writing
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import file_digest
from kdaudit.models.code import said
from kdaudit.models.pretrained import Pretrained, quiet, require

ADAPTER = "gguf 1"  # raised when the same file would be converted otherwise
PRE = "tokenizer.ggml.pre"
SINGLE_DIGITS = {"smollm", "starcoder", "refact", "command-r"}  # llama.cpp: \p{N}, then GPT-2's


def converted(path: Path, name: str, store: Store) -> Pretrained:
    """The folder of a GGUF file.

    Args:
        path: the file.
        name: as the user said it.
        store: where the folder is kept, by the digest of the file.

    Raises:
        ConfigError: where gguf is not installed.
        ModelError: for a file that Transformers cannot read.
    """
    folder = place(path, store)
    if not (folder / "config.json").is_file():
        require("gguf", "gguf", f"{name}, a GGUF file,")
        require("accelerate", "gguf", f"{name}, a GGUF file,")
        with writing(folder.parent):
            folder.parent.mkdir(parents=True, exist_ok=True)
            beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
            try:
                _convert(path, name, beside)
                if not folder.exists():
                    beside.rename(folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    return Pretrained(path=folder, name=name)


def place(path: Path, store: Store) -> Path:
    """Where the folder of a file is, or will be."""
    digest = file_digest(path)
    return store.root / ADAPTER.replace(" ", "-") / digest[:2] / digest


def _convert(path: Path, name: str, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    auto: Any = AutoModelForCausalLM
    try:
        # It draws a bar whatever it is told.
        with quiet(), redirect_stderr(io.StringIO()):
            read = auto.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
            tokenizer: Any = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
            pre = _pre(path)
    except Exception as error:  # whatever files and architectures raise
        raise ModelError(f"{name} cannot be read by Transformers: {said(error)}") from error
    config = read.config.to_dict()
    # With it Transformers takes the model for one that stays quantised, and refuses to save it.
    config.pop("quantization_config", None)
    with quiet():
        model = type(read)(type(read.config)(**config))
        model.load_state_dict(read.state_dict())
        if pre in SINGLE_DIGITS:
            _split_digits(tokenizer)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _pre(path: Path) -> str:
    """How the file says that text is cut before tokens are looked for; empty where it does not."""
    from gguf import GGUFReader

    field = GGUFReader(path).get_field(PRE)
    return "" if field is None else str(field.contents())


def _split_digits(tokenizer: Any) -> None:
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )
