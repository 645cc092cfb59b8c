"""Text that a model writes, token by token, from a stream of its own.

Prompts of the same length are continued together, so there is no padding before a prompt and what
is written to one does not depend on the others' lengths.
"""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from kdaudit.distill.language.causal import Causal, evaluating

ROWS = 32  # prompts continued at once


@torch.no_grad()
def written(
    causal: Causal,
    prompts: Sequence[Sequence[int]],
    *,
    tokens: int,
    temperature: float,
    end: int,
    draw: torch.Generator,
    rows: int = ROWS,
) -> list[list[int]]:
    """What a model writes after each prompt, up to the token that ends a text, which is included.

    Args:
        causal: the model; in eval mode meanwhile.
        prompts: token ids, at least one each.
        tokens: most tokens of a continuation.
        temperature: of sampling; 0 takes the likeliest token each time.
        end: id of the token that ends a text.
        draw: what is drawn comes from it alone.
        rows: most prompts at once.

    Returns:
        Token ids by prompt; one that was cut off at ``tokens`` lacks the end.
    """
    lengths = defaultdict(list)
    for number, prompt in enumerate(prompts):
        lengths[len(prompt)].append(number)
    found: list[list[int]] = [[] for _ in prompts]
    with evaluating(causal):
        for _, numbers in sorted(lengths.items()):
            for start in range(0, len(numbers), rows):
                some = numbers[start : start + rows]
                ids = torch.tensor([list(prompts[i]) for i in some])
                device = next(causal.parameters()).device
                texts = _continued(causal, ids.to(device), tokens, temperature, end, draw)
                for number, text in zip(some, texts, strict=True):
                    found[number] = text
    return found


def _continued(
    causal: Causal, ids: Tensor, tokens: int, temperature: float, end: int, draw: torch.Generator
) -> list[list[int]]:
    prompt, count = ids.shape[1], len(ids)
    ended = torch.zeros(count, dtype=torch.bool, device=ids.device)
    before, new = None, ids
    for _ in range(tokens):
        logits, before = causal.next(new, before)
        logits = logits.float()
        if temperature == 0:
            chosen = logits.argmax(dim=1)
        else:
            shares = (logits / temperature).softmax(dim=1).cpu()
            chosen = torch.multinomial(shares, 1, generator=draw).squeeze(1).to(ids.device)
        ids = torch.cat((ids, torch.where(ended, end, chosen)[:, None]), dim=1)
        new = ids if before is None else ids[:, -1:]
        ended |= chosen == end
        if bool(ended.all()):
            break
    rows = []
    for row in ids[:, prompt:].tolist():
        stop = row.index(end) + 1 if end in row else len(row)
        rows.append(row[:stop])
    return rows
