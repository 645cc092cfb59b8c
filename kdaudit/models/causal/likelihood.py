"""How likely a causal language model holds given texts, token by token.

A prompt with several continuations is read once, and so is what all prompts begin with. Logits are
held for a piece of the text at a time, and distributions for a few positions, whatever the length
of the rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kdaudit.models.adapter import ScoredText
from kdaudit.models.causal.steps import Steps, padded

POSITIONS = 64  # whose distributions over the vocabulary are held at once
Pair = tuple[Sequence[int], Sequence[int]]


def likelihoods(
    model: object, name: str, pairs: Sequence[Pair], *, batch_size: int, filling: int
) -> Iterator[tuple[int, ScoredText]]:
    """Score the second half of each pair after the first, in any order.

    Args:
        model: of Transformers, in eval mode.
        name: for messages.
        pairs: token ids that are given and that are scored; neither is empty.
        batch_size: pairs scored at once.
        filling: a token id.
    """
    beginning = Steps.beginning(model, name, [given for given, _ in pairs])
    for batch in _batches(pairs, batch_size):
        yield from _scored(beginning, pairs, batch, filling)


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Pairs with the same beginning."""

    given: tuple[int, ...]
    members: list[int]


def _batches(pairs: Sequence[Pair], size: int) -> Iterator[list[_Group]]:
    """Groups of similar length, with ``size`` pairs together, or a part of one large group."""
    found: dict[tuple[int, ...], list[int]] = {}
    for i, (given, _) in enumerate(pairs):
        found.setdefault(tuple(given), []).append(i)
    groups = [
        _Group(given, sorted(some, key=lambda i: len(pairs[i][1]))[start : start + size])
        for given, some in sorted(found.items(), key=lambda item: len(item[0]))
        for start in range(0, len(some), size)
    ]
    batch: list[_Group] = []
    for group in groups:
        if batch and sum(len(one.members) for one in batch) + len(group.members) > size:
            yield batch
            batch = []
        batch.append(group)
    if batch:
        yield batch


def _scored(
    beginning: Steps, pairs: Sequence[Pair], batch: list[_Group], filling: int
) -> Iterator[tuple[int, ScoredText]]:
    steps, ids, mask = beginning.ahead_of([list(group.given) for group in batch], filling)
    steps, logits = steps.read_all(ids, mask)
    members = [i for group in batch for i in group.members]
    group = torch.tensor([g for g, one in enumerate(batch) for _ in one.members])
    ids, mask = padded([list(pairs[i][1]) for i in members], filling, left=False)
    parts = [_told(logits[group][:, None], ids[:, :1])]
    if ids.shape[1] > 1:
        steps = steps.select(group)
        at = 1
        for ids_part, mask_part in steps.pieces(ids[:, :-1], mask[:, :-1]):
            steps, logits = steps.read(ids_part, mask_part, last=False)
            parts.append(_told(logits, ids[:, at : at + ids_part.shape[1]]))
            at += ids_part.shape[1]
    told = torch.cat(parts, dim=2).numpy()
    for row, i in enumerate(members):
        logprob, mean, deviation, likeliest = told[:, row, : len(pairs[i][1])].astype(np.float64)
        yield (
            i,
            ScoredText(
                logprob=logprob, mean=mean, deviation=deviation, greedy=bool(likeliest.all())
            ),
        )


def _told(logits: Tensor, targets: Tensor) -> Tensor:
    """(4, B, T) log-probability, its mean and deviation, and whether the token is the likeliest."""
    flat = torch.split(logits.flatten(0, 1), POSITIONS)
    wanted = torch.split(targets.flatten(), POSITIONS)
    found = [_of_few(some, few) for some, few in zip(flat, wanted, strict=True)]
    return torch.cat(found, dim=1).reshape(4, *targets.shape)


def _of_few(logits: Tensor, targets: Tensor) -> Tensor:
    """(4, R) the same of (R, V) logits."""
    every = logits.float().log_softmax(dim=1)
    share = every.exp()
    # What cannot come adds nothing, however unlikely it is.
    finite = every.masked_fill(share == 0, 0.0)
    mean = (share * finite).sum(dim=1)
    spread = (share * (finite - mean[:, None]).square()).sum(dim=1).sqrt()
    own = every.gather(1, targets[:, None])[:, 0]
    likeliest = every.argmax(dim=1) == targets
    return torch.stack((own, mean, spread, likeliest.float()))
