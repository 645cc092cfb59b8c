"""What is measured after each epoch, on rows that are never learnt from."""

from collections.abc import Sequence

import torch
from torch.nn.functional import one_hot

from kdaudit.distill.objectives import Objective
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Batch

AT_ONCE = 1024  # rows
BLOCKS = 16  # rows of many positions


def evaluate(
    participants: Sequence[Participant], objectives: Sequence[Objective], rows: Batch
) -> dict[str, float]:
    """The loss, and how the first participant does.

    Returns:
        ``loss``: the sum of the objectives; with labels ``accuracy``, ``nll`` and ``brier`` (mean
        over rows of the squared distance to the label's one-hot vector, in [0, 2]); with targets
        ``agreement``, the share of rows with the teacher's answer. Without participants the terms
        ask the student themselves: ``loss``, and what each of them measures beside it.
    """
    if not participants:
        return _measured(objectives, rows)
    parts = [slice(i, i + AT_ONCE) for i in range(0, len(rows), AT_ONCE)]
    loss, answers = 0.0, []
    for part in parts:
        batch = rows.take(part)
        outputs = {p.name: p(batch.seen_by(p.name), learning=False) for p in participants}
        with torch.no_grad():
            loss += len(batch) * sum(float(term(outputs, batch)) for term in objectives)
        answers.append(outputs[participants[0].name].logits)
    scores = {"loss": loss / len(rows)}
    logits = torch.cat(answers).double()
    answer = logits.argmax(dim=1)
    if rows.labels is not None:
        log_q = logits.log_softmax(dim=1)
        truth = one_hot(rows.labels, logits.shape[1])
        scores["accuracy"] = float((answer == rows.labels).double().mean())
        scores["nll"] = float(-(truth * log_q).sum(dim=1).mean())
        scores["brier"] = float(((log_q.exp() - truth) ** 2).sum(dim=1).mean())
    if rows.targets is not None:
        scores["agreement"] = float((answer == rows.targets.argmax(dim=1)).double().mean())
    return scores


@torch.no_grad()
def _measured(objectives: Sequence[Objective], rows: Batch) -> dict[str, float]:
    """Means over what each term counts, such as positions of a text."""
    sums, totals = dict[str, float](), dict[str, float]()
    for start in range(0, len(rows), BLOCKS):
        batch = rows.take(slice(start, start + BLOCKS))
        for term in objectives:
            count = term.count(batch)
            for name, value in {term.name: float(term({}, batch)), **term.measured(batch)}.items():
                sums[name] = sums.get(name, 0.0) + count * value
                totals[name] = totals.get(name, 0.0) + count
    means = {name: total / max(1.0, totals[name]) for name, total in sums.items()}
    return {"loss": sum(means[term.name] for term in objectives), **means}
