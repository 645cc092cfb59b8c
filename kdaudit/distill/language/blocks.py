"""From documents to blocks of tokens: shifted labels, masked prompts, packing.

A document of n tokens is learnt as n - 1 predictions: at token i of tokens 0 … n - 2 the label is
token i + 1. A prediction counts if what is predicted is no token of the prompt; so the last token
of a prompt predicts the first one of the answer. Long documents are cut into pieces of a block
each, so that every token but the first is predicted just once. Several pieces share a block; each
token knows its document, and attention does not cross from one to another.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdaudit.distill.language.texts import Document
from kdaudit.distill.training.sources import Batch
from kdaudit.errors import DataError

LEFT_OUT = -100  # label of a position that predicts nothing; PyTorch's own
NOTHING = -1  # document of padding

Encode = Callable[[str], list[int]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """At most a block of one document.

    Attributes:
        ids: token ids.
        labels: what comes next, or LEFT_OUT.
    """

    ids: list[int]
    labels: list[int]


def pieces(documents: Sequence[Document], encode: Encode, end: int, block: int) -> list[Piece]:
    """Documents as pieces; those without a token to predict are left out.

    Args:
        documents: any.
        encode: from text to token ids, without tokens for begin and end.
        end: id of the token that ends a document, which is predicted too.
        block: most tokens of a piece.
    """
    found = []
    for document in documents:
        prompt = encode(document.prompt) if document.prompt else []
        tokens = [*prompt, *encode(document.text), *([end] if document.ended else [])]
        found += list(of_tokens(tokens, len(prompt), block))
    return found


def of_tokens(tokens: Sequence[int], prompt: int, block: int) -> Iterator[Piece]:
    """The pieces of one document.

    Args:
        tokens: all of them, n.
        prompt: how many of the first are not learnt.
        block: most tokens of a piece.

    >>> [(p.ids, p.labels) for p in of_tokens([7, 8, 9, 2], prompt=2, block=2)]
    [([7, 8], [-100, 9]), ([9], [2])]
    """
    inputs = list(tokens[:-1])
    labels = [LEFT_OUT if i < prompt else token for i, token in enumerate(tokens)][1:]
    for start in range(0, len(inputs), block):
        piece = Piece(ids=inputs[start : start + block], labels=labels[start : start + block])
        if any(label != LEFT_OUT for label in piece.labels):
            yield piece


def pack(found: Sequence[Piece], block: int, *, together: bool) -> Batch:
    """Pieces as rows of one length.

    Args:
        found: pieces of at most ``block`` tokens.
        block: T.
        together: whether pieces share a row; longest first, each where the least room is left.

    Returns:
        ``inputs`` (N, 2, T) int64, token ids and document numbers within the row, NOTHING for
        padding, which stands on the right; ``labels`` (N, T).

    Raises:
        DataError: if there is nothing to learn.
    """
    if not found:
        raise DataError("the documents hold no token to predict")
    rows: list[list[Piece]] = []
    free: list[tuple[int, int]] = []  # room left and the row that has it, in rising order
    for piece in sorted(found, key=lambda one: -len(one.ids)) if together else found:
        length = len(piece.ids)
        at = bisect_left(free, (length, -1)) if together else len(free)
        if at == len(free):
            rows.append([piece])
            room, row = block - length, len(rows) - 1
        else:
            room, row = free.pop(at)
            rows[row].append(piece)
            room -= length
        if together and room:
            free.insert(bisect_left(free, (room, row)), (room, row))
    inputs = torch.zeros(len(rows), 2, block, dtype=torch.int64)
    inputs[:, 1] = NOTHING
    labels = torch.full((len(rows), block), LEFT_OUT)
    for row, content in enumerate(rows):
        start = 0
        for number, piece in enumerate(content):
            stop = start + len(piece.ids)
            inputs[row, 0, start:stop] = torch.tensor(piece.ids)
            inputs[row, 1, start:stop] = number
            labels[row, start:stop] = torch.tensor(piece.labels)
            start = stop
    return Batch(inputs=inputs, labels=labels)


def valid(batch: Batch) -> Tensor:
    """(B, T) bool: which positions predict something."""
    assert batch.labels is not None
    return batch.labels != LEFT_OUT


def digests(batch: Batch) -> list[bytes]:
    """16 bytes of the content of each row: tokens, documents and what is predicted."""
    whole = torch.cat((batch.inputs.flatten(1), valid(batch).long()), dim=1).cpu().numpy()
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in whole]
