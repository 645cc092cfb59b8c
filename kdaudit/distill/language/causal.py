"""A causal language model as what the loss needs: hidden states and a head, no logits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kdaudit.distill.objectives.chunked import Head
from kdaudit.distill.recipe import Precision
from kdaudit.errors import ModelError
from kdaudit.models.code import said

RESIDUE = 0.01  # of what a document before changes: what it may still change where kept apart


class Causal(nn.Module):
    """A module that maps (B, 2, T) tokens and documents to a `Head` of N = B·T positions.

    A Transformers model is shown positions that begin anew with each document, and a mask that
    keeps attention within it; whether it heeds them is tried once. Any other module is called with
    token ids (B, T) and must return logits (B, T, V): it can be shown one document per row only.

    Attributes:
        model: the model itself; it is what is trained and kept.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.packs = hasattr(model, "get_output_embeddings") and self._keeps_apart()
        self.split = self.packs and self._head_is_all()

    def forward(self, inputs: Tensor) -> Head:
        """Hidden states (B·T, H) and the head; or logits (B·T, V) where there is no plain head.

        Raises:
            ModelError: if several documents share a row and the module cannot keep them apart.
        """
        ids, documents = inputs[:, 0], inputs[:, 1]
        if not self.packs:
            if bool((documents > 0).any()):
                raise ModelError(
                    f"several documents share a block, and {type(self.model).__name__} cannot keep "
                    "them apart: set packing = false under [language]"
                )
            given = self.model(ids)
            return Head(hidden=getattr(given, "logits", given).flatten(0, 1))
        shown = _shown(inputs)
        if not self.split:
            return Head(hidden=self._called(self.model, shown).logits.flatten(0, 1))
        hidden = self._called(self._body(), shown).last_hidden_state
        head = self._head()
        return Head(hidden=hidden.flatten(0, 1), weight=head.weight, bias=head.bias)

    @torch.no_grad()
    def next(self, ids: Tensor, before: Any = None) -> tuple[Tensor, Any]:
        """(B, V) logits of what comes after rows of one document each, and what to go on from.

        Args:
            ids: (B, t) all tokens, or those since the last call.
            before: what the last call gave beside the logits, or None for the first.

        Returns:
            None instead of what to go on from where a module keeps nothing: it needs all tokens.
        """
        if not self.split:
            head: Head = self(alone(ids))
            last = torch.arange(1, len(ids) + 1, device=ids.device) * ids.shape[1] - 1
            return head.logits(last), None
        shown = {"input_ids": ids, "past_key_values": before, "use_cache": True}
        given = self._called(self._body(), shown)
        logits: Tensor = self._head()(given.last_hidden_state[:, -1])
        return logits, getattr(given, "past_key_values", None)

    def vocabulary(self) -> int:
        """V."""
        with torch.no_grad():
            head: Head = self(_probe().to(next(self.parameters()).device))
        return (head.hidden if head.weight is None else head.weight.T).shape[1]

    def _body(self) -> nn.Module:
        body: nn.Module = getattr(self.model, "base_model")  # noqa: B009  # not in nn.Module
        return body

    def _head(self) -> Any:
        return getattr(self.model, "get_output_embeddings")()  # noqa: B009  # likewise

    def _keeps_apart(self) -> bool:
        """Whether a document is read as if it stood alone; some architectures take no such mask."""
        one = _probe().to(next(self.parameters()).device)
        whole = torch.cat((one, one), dim=2)
        apart = whole.clone()
        apart[:, 1, one.shape[2] :] = 1
        try:
            with evaluating(self.model), torch.no_grad():
                first, after, beside = (
                    self.model(**_shown(x)).logits[:, -1] for x in (one, whole, apart)
                )
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError):
            return False
        crossing, left = (float((x - first).abs().max()) for x in (after, beside))
        return left <= RESIDUE * crossing

    def _head_is_all(self) -> bool:
        """Whether hidden states times the head are the logits; some models cap or scale them."""
        head = self._head()
        if not isinstance(head, nn.Linear) or self._body() is self.model:
            return False
        shown = _shown(_probe().to(next(self.parameters()).device))
        with evaluating(self.model), torch.no_grad():
            hidden = self._called(self._body(), shown)
            logits = self._called(self.model, shown).logits
            states = getattr(hidden, "last_hidden_state", None)
            # To the last bit: a cap hardly changes the small logits of an untrained model.
            same = states is not None and torch.equal(head(states), logits)
        return bool(same)

    @staticmethod
    def _called(module: nn.Module, shown: dict[str, Any]) -> Any:
        try:
            return module(**shown)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ModelError(
                f"{type(module).__name__} failed on {tuple(shown['input_ids'].shape)} tokens: "
                f"{said(error)}; look whether block is longer than its positions, and whether the "
                "tokenizer is its own"
            ) from error


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """The module in eval mode, and then in the mode it was in, whatever happens."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A causal language model that a loss term asks and does not own.

    Attributes:
        causal: the model.
        precision: ``bf16`` runs it in bfloat16 (autocast) while the student learns.
    """

    causal: Causal
    precision: Precision = "no"

    def student(self, inputs: Tensor) -> Head:
        """Its head at (B, 2, T) inputs, with gradients where they are on."""
        half = self.precision == "bf16" and self.causal.training
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=half):
            found: Head = self.causal(inputs)
        return found

    @torch.no_grad()
    def teacher(self, inputs: Tensor) -> Head:
        """The same in eval mode and without gradients."""
        self.causal.to(inputs.device).eval()
        half = self.precision == "bf16"
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=half):
            found: Head = self.causal(inputs)
        return found


def within(documents: Tensor) -> Tensor:
    """(B, 1, T, T) bool: whether a position may look at another, of its document and not later.

    >>> within(torch.tensor([[0, 0, 1]]))[0, 0].int().tolist()
    [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    """
    length = documents.shape[1]
    same = documents[:, :, None] == documents[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=documents.device).tril()
    return (same & causal)[:, None]


def positions(documents: Tensor) -> Tensor:
    """(B, T) how many tokens of the same document stand before each.

    >>> positions(torch.tensor([[0, 0, 1, 1, 1, -1]])).tolist()
    [[0, 1, 0, 1, 2, 0]]
    """
    index = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return index - torch.where(begins, index, 0).cummax(dim=1).values


def alone(ids: Tensor) -> Tensor:
    """(B, 2, T) inputs of rows that hold one document each, without padding."""
    return torch.stack((ids, torch.zeros_like(ids)), dim=1)


def _shown(inputs: Tensor) -> dict[str, Any]:
    """What a Transformers model is called with."""
    # Added to scores: some architectures take no mask of truth values.
    hidden = torch.finfo(torch.float32).min * (~within(inputs[:, 1])).float()
    return {
        "input_ids": inputs[:, 0],
        "attention_mask": hidden,
        "position_ids": positions(inputs[:, 1]),
        "use_cache": False,
    }


def _probe() -> Tensor:
    return alone(torch.tensor([[0, 1, 0, 1]]))
