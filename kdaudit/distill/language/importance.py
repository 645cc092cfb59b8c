"""How much each layer of a causal language model matters: the loss of a text without it.

A decoder's layer adds to what goes through it, so a model can be run with one layer left out. What
the loss of a text rises by is the layer's importance, on that text.
"""

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from kdaudit.distill.language.begin import stack
from kdaudit.distill.language.causal import Asked, Causal
from kdaudit.distill.language.terms import log_probs
from kdaudit.distill.training.checkpoint import tensor_digest
from kdaudit.distill.training.sources import Batch
from kdaudit.errors import ConfigError
from kdaudit.evidence.store import Store, write_atomically
from kdaudit.progress import Advance

POSITIONS = 512  # tokens whose loss is measured, about
FORMAT = 1  # raised when the same model and text would give other numbers


def staying(rises: tuple[float, ...], drop: int, name: str) -> tuple[int, ...]:
    """The layers that stay when the ``drop`` least important ones go, in rising order.

    Args:
        rises: of the loss, by layer.
        drop: how many go.
        name: of the model, for messages.

    Raises:
        ConfigError: if none would stay.

    >>> staying((2.0, 0.1, 0.3, 0.2), 2, "teacher")
    (0, 2)
    """
    if drop >= len(rises):
        raise ConfigError(
            f"drop = {drop} under [student], and {name} has {len(rises)} layers: drop fewer"
        )
    gone = set(sorted(range(len(rises)), key=lambda layer: rises[layer])[:drop])
    return tuple(layer for layer in range(len(rises)) if layer not in gone)


def stored_rises(
    model: Any, name: str, text: Batch, who: Mapping[str, str], *, store: Store, advance: Advance
) -> tuple[float, ...]:
    """`rises` on the first blocks of a text, from the store where they were measured before.

    Args:
        model: as Transformers makes it.
        name: of the model, for messages.
        text: blocks, of which as many are taken as hold about 512 tokens to predict.
        who: everything the numbers depend on beside the text.
        store: where they are kept.
        advance: told of layers.
    """
    assert text.labels is not None
    counts = (text.labels >= 0).sum(dim=1).cumsum(dim=0)
    some = text.take(slice(0, 1 + int((counts < POSITIONS).sum())))
    key = {"format": FORMAT, "who": dict(who), "text": tensor_digest(some.tensors())}
    path = store.entry("layers", key).folder / "rises.json"
    if not path.is_file():
        write_atomically(path, json.dumps(rises(model, name, some, advance)).encode())
    return tuple(map(float, json.loads(path.read_bytes())))


@torch.no_grad()
def rises(model: Any, name: str, text: Batch, advance: Advance) -> list[float]:
    """What the loss rises by when a layer is left out, in nats per token, for each layer alone.

    Args:
        model: as Transformers makes it, in eval mode.
        name: for messages.
        text: blocks.
        advance: told of layers.

    Raises:
        ModelError: if its layers cannot be told.
    """
    asked, found = Asked(Causal(model).eval()), []
    whole = _loss(asked, text)
    for layer in stack(model, name)[1]:
        handle = layer.register_forward_hook(_left_out, with_kwargs=True)
        try:
            found.append(_loss(asked, text) - whole)
        finally:
            handle.remove()
        advance(1)
    return found


def _loss(asked: Asked, text: Batch) -> float:
    assert text.labels is not None
    total = log_probs(asked, text.inputs, text.labels).double().sum()
    return -float(total) / int((text.labels >= 0).sum())


def _left_out(_module: object, args: tuple[Tensor, ...], named: dict[str, Any], said: Any) -> Any:
    """What goes in comes out."""
    given = args[0] if args else named["hidden_states"]
    return given if isinstance(said, Tensor) else (given, *said[1:])
