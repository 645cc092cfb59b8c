"""Pairs of texts for `Preference`: the student writes candidates, the teacher ranks them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from kdaudit.distill.language.blocks import Piece, of_tokens, pack
from kdaudit.distill.language.causal import Asked, evaluating
from kdaudit.distill.language.recipe import PreferenceTable
from kdaudit.distill.language.samples import written
from kdaudit.distill.language.terms import CHOSEN, REFERENCE, REJECTED, log_probs
from kdaudit.errors import DataError

ROWS = 16  # texts judged at once


@torch.no_grad()
def pairs(
    student: Asked,
    teacher: Asked,
    prompts: Sequence[Sequence[int]],
    table: PreferenceTable,
    *,
    end: int,
    block: int,
    seed: int,
) -> dict[str, Tensor]:
    """Of every prompt the candidate that the teacher finds likeliest, and the least likely one.

    Likely per token: of long and short texts the sum would prefer the short ones.

    Args:
        student: as it is before it learns; it is the reference too.
        teacher: the judge.
        prompts: token ids, P at most.
        table: how many candidates, how long.
        end: id of the token that ends a text.
        block: T.
        seed: of the draws.

    Returns:
        ``chosen`` and ``rejected`` (P', 3, T): tokens, documents, labels; ``reference`` (P', 2) the
        student's log-probabilities. Prompts whose candidates are all alike are left out.

    Raises:
        DataError: if that are all of them.
    """
    some = list(prompts)[: table.prompts]
    asked = [prompt for prompt in some for _ in range(table.candidates)]
    draw = torch.Generator().manual_seed(seed)
    texts = written(
        student.causal,
        asked,
        tokens=table.tokens,
        temperature=table.temperature,
        end=end,
        draw=draw,
    )
    found = []
    for prompt, text in zip(asked, texts, strict=True):
        (piece,) = of_tokens([*prompt, *text], len(prompt), block)
        found.append(piece)
    rows = _rows(found, block)
    likely = _judged(teacher, rows)
    counts = (rows[:, 2] >= 0).sum(dim=1)
    scores = (likely / counts).view(len(some), table.candidates)
    first = torch.arange(len(some)) * table.candidates
    best, worst = first + scores.argmax(dim=1), first + scores.argmin(dim=1)
    differ = (rows[best, 0] != rows[worst, 0]).any(dim=1)
    if not differ.any():
        raise DataError(
            "the student's candidates to each prompt are all alike, so there is nothing to prefer: "
            "raise temperature, tokens or candidates under [objectives.preference]"
        )
    chosen, rejected = rows[best[differ]], rows[worst[differ]]
    reference = torch.stack((_judged(student, chosen), _judged(student, rejected)), dim=1)
    return {CHOSEN: chosen, REJECTED: rejected, REFERENCE: reference}


def _rows(found: Sequence[Piece], block: int) -> Tensor:
    """(N, 3, T)."""
    batch = pack(found, block, together=False)
    assert batch.labels is not None
    return torch.cat((batch.inputs, batch.labels[:, None]), dim=1)


def _judged(model: Asked, rows: Tensor) -> Tensor:
    """(N,) log-probabilities of whole texts, in eval mode."""
    device = next(model.causal.parameters()).device
    found = []
    with evaluating(model.causal):
        for part in torch.split(rows, ROWS):
            shown = part.to(device)
            found.append(log_probs(model, shown[:, :2], shown[:, 2]).sum(dim=1).cpu())
    return torch.cat(found)
