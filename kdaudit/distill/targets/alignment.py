"""Whether stored targets belong to the rows they are given to: asked before training and during it.

Targets of other rows pass every check of shape, and cost most of the accuracy. What gives them away
is that they agree with nothing: neither with the labels nor with the teacher itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom
from torch import Tensor

from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import TEACHER, Batch, Source
from kdaudit.errors import DamagedError, DataError
from kdaudit.stats.chance_agreement import chance_agreement

FEWEST = 100  # labelled rows; with fewer, agreement at chance is nothing unusual
NOISE = 2.5  # standard deviations above what targets dealt at random would give
NEVER = 1e-9  # chance of a false alarm, per epoch
LIVE_ROWS = 8  # rows of an epoch's first batch that the teacher itself is shown
CLOSE = 0.05  # largest difference of a probability that another batch size may make


def at_chance(rows: Batch) -> str:
    """What shows that targets are no better than if they were dealt to rows at random, or nothing.

    Args:
        rows: with targets; without labels there is nothing to see.
    """
    if rows.targets is None or rows.labels is None or len(rows) < FEWEST:
        return ""
    answer, label = rows.targets.argmax(dim=1).numpy(), rows.labels.numpy()
    if len(np.unique(answer)) < 2 or len(np.unique(label)) < 2:
        return ""
    found = chance_agreement(answer, label, np.zeros(len(rows), np.int64))
    if found.same > found.expected + NOISE * found.sd:
        return ""
    return (
        f"the teacher's answers are the labels on {found.same} of {found.n} rows (answers dealt at "
        f"random: {found.expected:.0f} ± {found.sd:.0f})"
    )


def agreement(rows: Batch) -> float | None:
    """Share of rows whose target and label agree; None without labels."""
    if rows.targets is None or rows.labels is None:
        return None
    return float((rows.targets.argmax(dim=1) == rows.labels).double().mean())


def refuse_shuffled(rows: Batch, split: str) -> None:
    """Refuse targets that look as if they were of other rows.

    Raises:
        DataError: with the counts.
    """
    seen = at_chance(rows)
    if seen:
        raise DataError(
            f"the targets of the {split} rows look shuffled: {seen}. Are the ids of the teacher's "
            "file in the order of its rows, and the labels those of these rows? Where the labels "
            "are known to mean nothing, set hard_weight = 0, and it is noted instead"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guarded:
    """A source whose first batch of every epoch is checked.

    Attributes:
        source: of batches with stored targets.
        agreement: share of all its rows on which target and label agree, counted before training,
            or None without labels.
        teacher: the teacher itself, where it is there.
    """

    source: Source
    agreement: float | None
    teacher: Participant | None = None

    def __len__(self) -> int:
        return len(self.source)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Those of the source.

        Raises:
            DamagedError: if targets are no longer those of their rows.
        """
        for number, batch in enumerate(self.source.batches(epoch)):
            if number == 0:
                self.check(batch, epoch)
            yield batch

    def check(self, batch: Batch, epoch: int) -> None:
        """Compare a few rows with the teacher where it is there, else all with the labels.

        Raises:
            DamagedError: with what was seen.
        """
        if batch.targets is None:
            return
        if self.teacher is not None and batch.kind == "full":
            few = batch.take(slice(LIVE_ROWS))
            weights = next(self.teacher.module.parameters(), few.inputs)
            said = self.teacher(few.seen_by(TEACHER).to(weights.device), learning=False).logits
            _refuse_other(said.cpu(), few.answers(TEACHER), epoch)
        elif self.agreement is not None and batch.labels is not None:
            same = int((batch.targets.argmax(dim=1) == batch.labels).sum())
            if binom.cdf(same, len(batch), self.agreement) < NEVER:
                raise DamagedError(
                    f"in epoch {epoch} the targets agree with the labels on {same} of {len(batch)} "
                    f"rows, and on {self.agreement:.1%} of all rows when they were looked up: they "
                    "are no longer those of their rows. Nothing more was trained"
                )


def _refuse_other(live: Tensor, stored: Tensor, epoch: int) -> None:
    one, other = (x.double().softmax(dim=1) for x in (live, stored))
    off = (one - other).abs().amax(dim=1)
    if bool((off > CLOSE).any()):
        agree = int((one.argmax(dim=1) == other.argmax(dim=1)).sum())
        raise DamagedError(
            f"in epoch {epoch} the stored targets are not what the teacher answers to these rows: "
            f"probabilities differ by up to {float(off.max()):.2f}, and {agree} of {len(one)} "
            "answers agree. The store was recorded of another teacher or of other rows; delete it, "
            "or name another as KDAUDIT_STORE, and record again"
        )
