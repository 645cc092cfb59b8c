"""Calls of a causal language model that keep what it computed of earlier tokens."""

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Self

import torch
from torch import Tensor

from kdaudit.errors import ModelError
from kdaudit.models.code import said

PIECE = 1024  # tokens of all rows together that are fed at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Steps:
    """Rows of text that a model has read, and may read on.

    Attributes:
        model: the model.
        name: for messages.
        mask: (B, L) 1 where a token counts, 0 where a row is filled.
        position: (B,) position of the next token of each row.
        cache: what the model keeps of the L tokens.
    """

    model: Any
    name: str
    mask: Tensor
    position: Tensor
    cache: Any = None

    @classmethod
    def new(cls, model: Any, name: str, rows: int) -> Self:
        """Rows without any text yet."""
        nothing = torch.zeros(rows, 0, dtype=torch.long)
        return cls(
            model=model, name=name, mask=nothing, position=torch.zeros(rows, dtype=torch.long)
        )

    @classmethod
    def beginning(cls, model: Any, name: str, texts: Sequence[Sequence[int]]) -> Self:
        """One row that has read what all of some texts begin with, such as the same examples.

        Each text keeps a token to be read: its logits are asked for. Where the model keeps
        something else than the keys and values of every token, or turns them by how long the text
        is, nothing is read.
        """
        row = cls.new(model, name, 1)
        if len(texts) < 2 or _turned_by_length(model.config.get_text_config()):
            return row
        tuples = [tuple(text) for text in texts]
        # What the first and the last in order have in common, all between them have too.
        both = zip(min(tuples), max(tuples), strict=False)
        shared = [token for token, other in takewhile(lambda two: two[0] == two[1], both)]
        shared = shared[: min(map(len, tuples)) - 1]
        if not shared:
            return row
        ids = torch.tensor([shared])
        read = row.read_all(ids, torch.ones_like(ids))[0]
        return read if _keeps_every_token(read.cache, len(shared)) else row

    def ahead_of(self, texts: Sequence[list[int]], filling: int) -> tuple[Self, Tensor, Tensor]:
        """Rows that have read of each text what this row has, and what is left of them.

        What is filled stands before everything else, as where nothing was read: models that look
        back so many places, and not so many tokens, see no gaps.

        Args:
            texts: token ids, all beginning with what this row has read.
            filling: a token id.

        Returns:
            The rows, and (B, T) token ids to be read with where they count.
        """
        known = self.mask.shape[1]
        width = max(map(len, texts)) - known
        ids, mask = padded([text[-width:] for text in texts], filling, left=True)
        if self.cache is None:
            return self.new(self.model, self.name, len(texts)), ids, mask
        # The shorter a text, the more of the beginning is read again with what is left of it.
        read = torch.tensor([max(0, len(text) - width) for text in texts])
        places = torch.arange(known) - (known - read)[:, None]
        cache = copy.deepcopy(self.cache)
        for layer in cache.layers:
            for part in ("keys", "values"):
                of_one = getattr(layer, part)[0]
                setattr(layer, part, of_one[:, places.clamp(min=0)].transpose(0, 1).contiguous())
        rows = replace(self, mask=(places >= 0).long(), position=read, cache=cache)
        return rows, ids, mask

    def read(self, ids: Tensor, mask: Tensor, *, last: bool) -> tuple[Self, Tensor]:
        """Read (B, T) tokens on; ``mask`` (B, T) is 1 where a token counts.

        Returns:
            The rows thereafter, and (B, T, V) logits as they came, or (B, 1, V) with ``last``.

        Raises:
            ModelError: for what the model raised, or one that keeps nothing of what it read.
        """
        whole = torch.cat((self.mask, mask), dim=1)
        steps = mask.cumsum(dim=1)
        shown = {
            "input_ids": ids,
            "attention_mask": whole,
            "position_ids": (self.position[:, None] + steps - 1).clamp(min=0),
            "past_key_values": self.cache,
            "use_cache": True,
            "logits_to_keep": 1 if last else 0,
        }
        heeded = inspect.signature(self.model.forward).parameters
        try:
            with torch.inference_mode():
                answer = self.model(**{k: v for k, v in shown.items() if k in heeded})
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ModelError(
                f"{self.name} failed on tokens {tuple(ids.shape)}: {said(error)}"
            ) from error
        cache = getattr(answer, "past_key_values", None)
        if not hasattr(cache, "batch_select_indices"):
            raise ModelError(_not_kept(self.name, self.model))
        after = replace(self, mask=whole, position=self.position + steps[:, -1], cache=cache)
        return after, answer.logits[:, -1:] if last else answer.logits

    def read_all(self, ids: Tensor, mask: Tensor) -> tuple[Self, Tensor]:
        """Read (B, T) tokens in pieces; the rows thereafter, and (B, V) logits of the last."""
        after, logits = self, torch.empty(0)
        for ids_part, mask_part in self.pieces(ids, mask):
            after, logits = after.read(ids_part, mask_part, last=True)
        return after, logits[:, -1]

    def pieces(self, ids: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(B, T) tokens cut along T, so that a piece has few enough of them."""
        size = max(1, PIECE // max(1, len(ids)))
        parts = torch.split(ids, size, dim=1), torch.split(mask, size, dim=1)
        return list(zip(*parts, strict=True))

    def select(self, rows: Tensor) -> Self:
        """Some of the rows, or one of them several times.

        Raises:
            ModelError: for a model whose rows cannot be told apart.
        """
        try:
            with torch.inference_mode():
                self.cache.batch_select_indices(rows)
        except (AttributeError, IndexError) as error:  # of layers that keep no rows
            raise ModelError(_not_kept(self.name, self.model)) from error
        return replace(self, mask=self.mask[rows], position=self.position[rows])


def _keeps_every_token(cache: Any, tokens: int) -> bool:
    """Whether a cache holds keys and values of this many tokens in every layer, and no more."""
    from transformers.cache_utils import DynamicLayer

    return all(
        type(layer) is DynamicLayer
        and layer.keys is not None
        and (layer.keys.ndim, layer.keys.shape[2]) == (4, tokens)
        for layer in getattr(cache, "layers", [None])
    )


def _turned_by_length(config: Any) -> bool:
    """Whether positions are encoded by the length of what is read at once (rotary scaling)."""
    said = str(getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None))
    return "longrope" in said or "dynamic" in said


def _not_kept(name: str, model: object) -> str:
    return (
        f"{name} ({type(model).__name__}) keeps no keys and values of what it read, row by row, so "
        "kdaudit cannot ask it; serve it, and name it as `endpoint`, or record its answers, and "
        "name them as `generations`"
    )


def padded(rows: list[list[int]], filling: int, *, left: bool) -> tuple[Tensor, Tensor]:
    """(B, L) token ids, filled on one side, and where they count."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), filling, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.long)
    for row, tokens in enumerate(rows):
        at = slice(width - len(tokens), width) if left else slice(0, len(tokens))
        ids[row, at] = torch.tensor(tokens, dtype=torch.long)
        mask[row, at] = 1
    return ids, mask
