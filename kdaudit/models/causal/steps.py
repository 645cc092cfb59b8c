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

        Each text keeps a token to be read: its logits are asked for.
        """
        row = cls.new(model, name, 1)
        if len(texts) < 2:
            return row
        # What the first and the last in order have in common, all between them have too.
        tuples = [tuple(text) for text in texts]
        both = zip(min(tuples), max(tuples), strict=False)
        shared = [token for token, other in takewhile(lambda two: two[0] == two[1], both)]
        shared = shared[: min(map(len, tuples)) - 1]
        if not shared:
            return row
        ids = torch.tensor([shared])
        return row.read_all(ids, torch.ones_like(ids))[0]

    @property
    def known(self) -> int:
        """Tokens of every row that were read."""
        return self.mask.shape[1]

    def times(self, rows: int) -> Self:
        """As many rows that have read the same as this one, which stays as it is."""
        if self.cache is None:
            return self.new(self.model, self.name, rows)
        return replace(self, cache=copy.deepcopy(self.cache)).select(torch.zeros(rows).long())

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
            raise ModelError(
                f"{self.name} ({type(self.model).__name__}) keeps no keys and values of what it "
                "read, so kdaudit cannot ask it; serve it, and name it as `endpoint`, or record "
                "its answers, and name them as `generations`"
            )
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
        """Some of the rows, or one of them several times."""
        with torch.inference_mode():
            self.cache.batch_select_indices(rows)
        return replace(self, mask=self.mask[rows], position=self.position[rows])


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
