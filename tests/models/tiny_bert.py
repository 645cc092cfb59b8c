"""A tiny BERT that classifies, as `save_pretrained` writes it; made here, without network."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from kdaudit.models.pretrained import quiet
from kdaudit.models.transformer import learnt_tokenizer

SENTENCES = (
    "good day to you",
    "bad",
    "what a very long night it was, and how long it was",
    "day and night and day",
    "",
    "you, you and you",
    "a long day",
)
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
NAMES = ("no", "maybe", "yes")


def texts(*rows: str) -> npt.NDArray[np.object_]:
    return np.array(rows or SENTENCES, dtype=object)


def save(folder: Path, *, layers: int = 4, seed: int = 0, kind: str = "classifier") -> Any:
    """Write model and tokenizer; weights are large enough for answers to differ."""
    from tokenizers import Tokenizer
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        BertModel,
        PreTrainedTokenizerFast,
    )

    fast: Any = PreTrainedTokenizerFast  # without annotations
    tokenizer = fast(
        tokenizer_object=Tokenizer.from_str(learnt_tokenizer(SENTENCES, 60)), **SPECIAL
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        initializer_range=0.5,
        id2label=dict(enumerate(NAMES)),
        label2id={name: i for i, name in enumerate(NAMES)},
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        model: Any = (BertForSequenceClassification if kind == "classifier" else BertModel)(config)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return model.eval()
