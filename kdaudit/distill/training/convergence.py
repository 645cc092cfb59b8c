"""Whether a run had learnt what it could when it ended."""

from collections.abc import Sequence

STILL = 0.01  # of the whole fall: what a curve that levels off may yet gain in its last tenth


def unconverged(losses: Sequence[float], best_epoch: int) -> str:
    """Why a run is not taken to have converged; empty where it is.

    Early stopping keeps the best epoch, so a loss that rises after it is as it should be. It is not
    where there was no fall before: the rate was too high for this loss, whatever is kept.

    Args:
        losses: (E,) validation loss after each epoch.
        best_epoch: the epoch of the lowest, counted from 1; 0 where the untrained model had it.

    >>> unconverged([2.0, 1.0, 0.5, 0.6], best_epoch=3)
    ''
    >>> unconverged([2.0, 1.5, 1.2, 1.0], best_epoch=4)
    'the validation loss was still falling when training ended after 4 epochs'
    >>> unconverged([2.0, 2.5, 2.4], best_epoch=1)
    'the validation loss rose from epoch 1 on, for 2 epochs'
    """
    epochs = len(losses)
    if best_epoch == 0:
        return f"in {epochs} epochs the validation loss never fell below the untrained model's"
    if best_epoch < epochs:
        later = epochs - best_epoch
        rising = best_epoch == 1 and later > 1
        return f"the validation loss rose from epoch 1 on, for {later} epochs" if rising else ""
    last_tenth = max(1, epochs // 10)
    whole = losses[0] - losses[-1]
    recent = min(losses[: epochs - last_tenth], default=losses[0]) - losses[-1]
    if epochs > 2 and recent <= STILL * whole:
        return ""
    return f"the validation loss was still falling when training ended after {epochs} epochs"
