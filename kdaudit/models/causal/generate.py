"""Text from a causal language model, several rows at once, none of which heeds its neighbours."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import torch
from torch import Tensor

from kdaudit.models.adapter import Decoding, Prompt, Written
from kdaudit.models.causal.steps import Steps

TAIL = 4  # tokens looked at beyond the bytes of the longest stop


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """One answer that is being written.

    Attributes:
        number: of the prompt.
        prompt: token ids.
        draws: random numbers of its own, or None where the likeliest token is taken.
        tokens: written so far, without one that ends the text.
        truncated: whether it ended at the limit of tokens; None while it is being written.
        text: of the tokens, cut before the first stop, once it ended.
    """

    number: int
    prompt: Sequence[int]
    draws: torch.Generator | None
    tokens: list[int] = field(default_factory=list)
    truncated: bool | None = None
    text: str = ""

    def written(self) -> Written:
        """The answer."""
        return Written(
            text=self.text,
            truncated=bool(self.truncated),
            tokens=len(self.tokens),
            prompt_tokens=len(self.prompt),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ending:
    """When an answer ends.

    Attributes:
        decoding: the limit of tokens, and the stops.
        ends: ids of tokens that end a text.
        text: of token ids.
    """

    decoding: Decoding
    ends: frozenset[int]
    text: Callable[[Sequence[int]], str]

    def add(self, row: Row, token: int) -> None:
        """Add a token to a row, and end the row where it is over."""
        if token in self.ends:
            self._end(row, truncated=False)
            return
        row.tokens.append(token)
        stop = self.decoding.stop
        if stop:
            reach = max(len(one.encode()) for one in stop) + TAIL
            tail = self.text(row.tokens[-reach:])
            if any(one in tail for one in stop):
                self._end(row, truncated=False)
                return
        if len(row.tokens) >= self.decoding.max_tokens:
            self._end(row, truncated=True)

    def _end(self, row: Row, *, truncated: bool) -> None:
        whole = self.text(row.tokens)
        cuts = [at for one in self.decoding.stop if (at := whole.find(one)) >= 0]
        row.text = whole[: min(cuts, default=len(whole))]
        row.truncated = truncated


def generate(steps: Steps, rows: list[Row], ending: Ending, filling: int) -> Iterator[Row]:
    """Write all rows to their ends; each is given as soon as it is over.

    Args:
        steps: one row; what it has read, all prompts begin with.
        rows: what is written; changed in place.
        ending: when a row is over.
        filling: a token id.
    """
    for over in token_by_token(steps, rows, ending, filling):
        yield from over


def token_by_token(
    steps: Steps, rows: list[Row], ending: Ending, filling: int
) -> Iterator[list[Row]]:
    """As `generate`; after each token of all rows, those that are over with it."""
    steps, ids, mask = steps.ahead_of([list(row.prompt) for row in rows], filling)
    steps, logits = steps.read_all(ids, mask)
    while True:
        tokens = [_next(row, one, ending.decoding) for row, one in zip(rows, logits, strict=True)]
        for row, token in zip(rows, tokens, strict=True):
            ending.add(row, token)
        yield [row for row in rows if row.truncated is not None]
        left = [i for i, row in enumerate(rows) if row.truncated is None]
        if not left:
            return
        if len(left) < len(rows):
            steps, rows = steps.select(torch.tensor(left)), [rows[i] for i in left]
        ids = torch.tensor([[tokens[i]] for i in left])
        steps, logits = steps.read_all(ids, torch.ones_like(ids))


def draws(prompt: Prompt, decoding: Decoding) -> torch.Generator | None:
    """Random numbers that depend on nothing but the prompt and the seed."""
    if decoding.temperature == 0:
        return None
    said = f"{decoding.seed}\x1f{prompt.system or ''}\x1f{prompt.text}"
    seed = int.from_bytes(blake2b(said.encode(), digest_size=7).digest(), "big")
    return torch.Generator().manual_seed(seed)


def _next(row: Row, logits: Tensor, decoding: Decoding) -> int:
    """The likeliest token, of equal ones the first; or one drawn at the temperature."""
    if row.draws is None:
        return int(logits.float().argmax())
    share = (logits.double() / decoding.temperature).softmax(dim=0).cumsum(dim=0)
    at = torch.rand(1, generator=row.draws, dtype=torch.float64) * share[-1]
    return min(int(torch.searchsorted(share, at, right=True)), len(share) - 1)
