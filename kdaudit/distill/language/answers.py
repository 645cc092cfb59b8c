"""What a teacher says of blocks: asked at every step, or recorded once and found by content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from kdaudit.distill.language.blocks import digests, valid
from kdaudit.distill.language.causal import Asked
from kdaudit.distill.objectives.chunked_terms import Full, Term, TopK
from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.training.sources import Batch
from kdaudit.evidence import truncated
from kdaudit.evidence.record_truncated import Ask, Kept, record_truncated
from kdaudit.evidence.store import Store
from kdaudit.progress import Advance


class Answers(Protocol):
    """A teacher of tokens."""

    def term(self, batch: Batch, divergence: Divergence, weight: float) -> Term:
        """The divergence from what it says of a batch."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """A teacher that is run at every step; its logits are made for a chunk at a time.

    Attributes:
        asked: the teacher.
    """

    asked: Asked

    def term(self, batch: Batch, divergence: Divergence, weight: float) -> Full:
        """All of its logits, through its head."""
        head = self.asked.teacher(batch.inputs).cast()

        def logits(rows: Tensor) -> Tensor:
            with torch.no_grad():
                return head.logits(rows)

        return Full(teacher=logits, divergence=divergence, weight=weight)


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """The k likeliest tokens of each position, from the store.

    Attributes:
        kept: by blocks' content; may hold several splits.
    """

    kept: tuple[Kept, ...]

    def term(self, batch: Batch, divergence: Divergence, weight: float) -> TopK:
        """The top k and one bucket; a block that was never recorded is refused."""
        rows = digests(batch)
        kept = next((k for k in self.kept if all(row in k.place for row in rows)), self.kept[0])
        said, _ = kept.of(rows)
        column = truncated.place(said.temperatures, divergence.temperature)
        where = valid(batch).flatten().cpu()
        device = batch.inputs.device
        ids, logits, lse = (
            _spread(torch.from_numpy(values), where).to(device)
            for values in (said.ids, said.logits, np.ascontiguousarray(said.norms[:, column]))
        )
        return TopK(ids=ids, logits=logits, lse=lse, divergence=divergence, weight=weight)


def record(  # noqa: PLR0913  # what, of whom, where
    asked: Asked,
    batch: Batch,
    *,
    who: Mapping[str, str],
    split: str,
    top: truncated.TopK,
    vocabulary: int,
    store: Store,
    advance: Advance,
) -> Kept:
    """Ask a teacher for its top k at every position that predicts something, once.

    Args:
        asked: the teacher.
        batch: all blocks.
        who: everything its answers depend on beside the blocks.
        split: for people.
        top: k, and the temperatures at which the answers may be used.
        vocabulary: V of the teacher.
        store: where shards are kept.
        advance: told of blocks.
    """
    rows = np.empty(len(batch), dtype=np.object_)
    rows[:] = digests(batch)
    ask = Ask(who=who, rows=rows, split=split, vocabulary=vocabulary, top=top)

    def answer(span: slice) -> Sequence[truncated.Truncated]:
        part = batch.take(span)
        head, where = asked.teacher(part.inputs).cast(), valid(part)
        length = where.shape[1]
        found = []
        for row, counted in enumerate(where):
            places = counted.nonzero().squeeze(1) + row * length
            with torch.no_grad():
                logits = head.logits(places).float().cpu().numpy()
            found.append(truncated.truncate(logits, top))
        return found

    return record_truncated(ask, answer, store=store, progress=advance)


def _spread(values: Tensor, where: Tensor) -> Tensor:
    """Values of valid positions among all; 0 elsewhere, where nobody looks."""
    found = values.new_zeros((len(where), *values.shape[1:]))
    found[where] = values
    return found
