"""Where the batches of one arm come from."""

from collections.abc import Callable

from kdaudit.distill.targets.alignment import Guarded, agreement
from kdaudit.distill.targets.augmentation import Augmentation
from kdaudit.distill.training.participant import Participant
from kdaudit.distill.training.sources import Source, Stored
from kdaudit.errors import ConfigError
from kdaudit.lineage import ArmKind


def feed(
    kind: ArmKind,
    stored: Stored,
    *,
    own: Callable[[Stored], Source] | None,
    augmented: Augmentation | None,
    teacher: Participant | None,
) -> Source:
    """The rows as they are, checked against who taught them; or what is made of them.

    Args:
        kind: the arm; the targets of ``shuffled`` belong to other rows, so nothing is checked.
        stored: the rows as they are, as the arm has them.
        own: a method's own source.
        augmented: how rows are changed, or None.
        teacher: the teacher itself, where it is there and does not learn.

    Raises:
        ConfigError: if a method makes its own rows and they are changed too.
    """
    if augmented is not None and own is not None:
        raise ConfigError(
            "[student] augment changes the transfer rows, and a method of this recipe shows others "
            "that it makes itself: take augment out, or that method"
        )
    if augmented is not None:
        return augmented.source(kind, stored)
    if own is not None:
        return own(stored)
    if kind == "shuffled" or stored.rows.targets is None:
        return stored
    return Guarded(source=stored, agreement=agreement(stored.rows), teacher=teacher)
