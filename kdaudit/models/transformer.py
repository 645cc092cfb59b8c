"""A Transformers encoder with a classification head, as a factory and an encoder of PyTorch models.

``factory = "kdaudit.models.transformer:classifier"`` builds it from ``args = { config = {...} }``;
``encode = "kdaudit.models.transformer:tokens"`` turns one column of text, or two, into token ids
(N, L), with the tokenizer that is in the state as the text of its ``tokenizer.json``. A model
folder with the two therefore loads anywhere: it needs no network, and no folder it was made from.

Padding stands on the right. What is padding in every row of a batch is cut off before the module
runs, so a row's answer depends on its own tokens alone, up to rounding.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kdaudit.data.shown import texts as column_texts
from kdaudit.errors import ModelError
from kdaudit.models.adapter import Columns
from kdaudit.models.code import said

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

FACTORY = "kdaudit.models.transformer:classifier"
ENCODE = "kdaudit.models.transformer:tokens"
POOLINGS = ("own", "mean")
# The module that is built is apart, because it needs PyTorch; see `kdaudit.models.code`.
DIGESTED_WITH = ("transformer_module.py",)
# Eager attention gives the weights that [objectives.attention] reads; others give none.
ATTENTION = "eager"
# What a configuration says of files, versions and names; kdaudit keeps these itself.
FOREIGN = {
    "_name_or_path",
    "architectures",
    "dtype",
    "id2label",
    "label2id",
    "torch_dtype",
    "transformers_version",
}


def classifier(
    inputs: int, classes: int, *, config: Mapping[str, Any], pooling: str = "own"
) -> "torch.nn.Module":
    """An encoder with drawn weights that maps token ids (N, L) to logits (N, C).

    Args:
        inputs: L, the most tokens of a row.
        classes: C.
        config: a Transformers configuration, with ``model_type`` and ``pad_token_id``.
        pooling: ``own`` for the head of the architecture; ``mean`` for one linear layer on the
            mean of the last hidden states over the tokens of a row.

    Raises:
        ModelError: for an architecture that Transformers does not have, or a configuration that
            does not say what padding is.
    """
    from transformers import AutoModel, AutoModelForSequenceClassification

    from kdaudit.models.transformer_module import Classifier

    if pooling not in POOLINGS:
        raise ModelError(f"pooling is one of {', '.join(POOLINGS)}, not {pooling!r}")
    made = configuration(config)
    if inputs > (getattr(made, "max_position_embeddings", None) or inputs):
        raise ModelError(
            f"max_length = {inputs} is more than the {made.max_position_embeddings} positions of "
            f"this {made.model_type}"
        )
    made.num_labels = classes
    kind: Any = AutoModel if pooling == "mean" else AutoModelForSequenceClassification
    try:
        model = kind.from_config(made, attn_implementation=ATTENTION)
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"no {made.model_type} can be made: {error}") from error
    return Classifier(model, classes=classes if pooling == "mean" else None)


def configuration(config: Mapping[str, Any]) -> Any:
    """A Transformers configuration from plain values.

    Raises:
        ModelError: for an unknown ``model_type``, or without one, or without ``pad_token_id``.
    """
    from transformers import AutoConfig

    values = {name: value for name, value in config.items() if name not in FOREIGN}
    kind = values.pop("model_type", None)
    try:
        made = AutoConfig.for_model(str(kind), **values)
    except Exception as error:  # each architecture checks its values in its own way
        line = said(error)[:200]
        raise ModelError(f"config with model_type = {kind!r} cannot be used: {line}") from error
    if made.pad_token_id is None:
        raise ModelError(f"config of {kind} has no pad_token_id: say which token is padding")
    return made


def plain(config: Any) -> dict[str, Any]:
    """A configuration as the JSON that `classifier` takes: what it is, not where it came from."""
    values: dict[str, Any] = config.to_diff_dict()
    return {name: value for name, value in sorted(values.items()) if name not in FOREIGN}


def tokens(columns: Columns, state: Mapping[str, Any]) -> "torch.Tensor":
    """Token ids of N rows, int64 (N, L).

    Args:
        columns: one column of text, or two, which are put together as a pair.
        state: ``tokenizer``, the text of a ``tokenizer.json``; ``max_length``, L: longer rows are
            cut; ``padding``, the id that fills up shorter ones.

    Raises:
        ModelError: for another number of columns.
    """
    import torch

    cells = texts(columns)
    tokenizer = _tokenizer(state["tokenizer"], state["max_length"], state["padding"])
    rows: Any = cells[0] if len(cells) == 1 else list(zip(*cells, strict=True))
    found = tokenizer.encode_batch(rows)
    ids = [one.ids for one in found]
    return torch.tensor(ids, dtype=torch.int64).reshape(len(ids), state["max_length"])


def texts(columns: Columns) -> list[list[str]]:
    """The cells of one column of text, or two; an empty cell is an empty text.

    Raises:
        ModelError: for another number of columns.

    >>> import numpy as np
    >>> texts({"message": np.array(["hello", None], dtype=object)})
    [['hello', '']]
    """
    if len(columns) not in (1, 2):
        raise ModelError(
            f"a Transformers classifier reads one column of text, or two as a pair; there are "
            f"{len(columns)} input columns ({', '.join(columns) or 'none'}): name it, e.g. "
            'text = "message" beside hf, or inputs = ["message"] in [student] of a recipe'
        )
    return [column_texts(column) for column in columns.values()]


def state(tokenizer: str, *, max_length: int, padding: int) -> dict[str, Any]:
    """What `tokens` is given, checked.

    Raises:
        ModelError: if the tokenizer cannot be read, or does not know the padding.
    """
    found = _tokenizer(tokenizer, max_length, padding)
    if found.id_to_token(padding) is None:
        raise ModelError(
            f"padding is token {padding}, which the tokenizer of {found.get_vocab_size()} tokens "
            "does not have; configuration and tokenizer must belong together"
        )
    return {"tokenizer": tokenizer, "max_length": max_length, "padding": padding}


def learnt_tokenizer(rows: Sequence[str], size: int) -> str:
    """A WordPiece tokenizer of at most ``size`` tokens for some texts; same texts, same tokenizer.

    Its tokens are the most frequent words, and the most frequent letters, which spell all others.
    (The trainers of `tokenizers` break ties differently in every process.)

    Returns:
        The text of its ``tokenizer.json``; token 0 is padding.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    words = Counter(
        word for row in rows for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(row))
    )
    letters: Counter[str] = Counter()
    for word, count in words.items():
        for i, letter in enumerate(word):
            letters[letter if i == 0 else f"##{letter}"] += count
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    tokens = dict.fromkeys((*special, *_frequent(letters)[: size // 2], *_frequent(words)))
    vocabulary = {token: i for i, token in enumerate([*tokens][:size])}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106  # a token of text
    made.normalizer = normalizer
    made.pre_tokenizer = splitter
    made.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    # Not as it is written, which has the vocabulary in any order.
    return json.dumps(json.loads(made.to_str()), sort_keys=True)


def _frequent(counts: Counter[str]) -> list[str]:
    """The most frequent first; equals by name.

    >>> _frequent(Counter({"b": 2, "a": 2, "c": 3}))
    ['c', 'a', 'b']
    """
    return sorted(counts, key=lambda one: (-counts[one], one))


# A tokenizer of 30,000 tokens takes 50 ms to read: too long for every row of a latency test.
@lru_cache(maxsize=8)
def _tokenizer(text: str, max_length: int, padding: int) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        found = Tokenizer.from_str(text)
    except Exception as error:  # the library raises bare exceptions
        raise ModelError(f"the tokenizer cannot be read: {error}") from error
    found.enable_truncation(max_length)
    found.enable_padding(
        length=max_length, pad_id=padding, pad_token=found.id_to_token(padding) or "[PAD]"
    )
    return found
