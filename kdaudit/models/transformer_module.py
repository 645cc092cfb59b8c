"""The module that `kdaudit.models.transformer` builds; apart from it because it needs PyTorch."""

from typing import Any

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """From token ids (B, L) to logits (B, C).

    Attributes:
        model: of Transformers, with a head of its own or without one.
        head: a linear layer on the mean of the hidden states, where ``model`` has no head.
    """

    def __init__(self, model: Any, *, classes: int | None) -> None:
        """``classes``: C where the head is the linear layer, None where the model has its own."""
        super().__init__()
        self.model = model
        self.padding = int(model.config.pad_token_id)
        width = model.config.hidden_size
        self.head = None if classes is None else nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (B, C) of token ids (B, L)."""
        if not torch.compiler.is_compiling():  # nor exporting: shapes may not depend on values
            used = (ids != self.padding).any(dim=0).nonzero()
            ids = ids[:, : int(used.max()) + 1 if len(used) else 1]
        mask = (ids != self.padding).long()
        answer = self.model(input_ids=ids, attention_mask=mask)
        if self.head is None:
            logits: Tensor = answer.logits
            return logits
        share = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        pooled = torch.einsum("bl,bld->bd", share.to(answer.last_hidden_state.dtype), answer[0])
        found: Tensor = self.head(pooled)
        return found
