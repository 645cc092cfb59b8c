"""Floating-point operations of a step, counted by PyTorch while it is taken."""

from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from kdaudit.distill.training.sources import Batch
from kdaudit.distill.training.step import Step


def counted(step: Step, batch: Batch) -> tuple[Tensor, int, int]:
    """Take a step, and count.

    Counted are matrix products, convolutions and attention, forwards and backwards; what is done
    to one number at a time is not.

    Returns:
        What the step gives; operations of those who change, and of those who only answer.
    """
    with FlopCounterMode(display=False) as whole:
        values = step(batch)
    fixed = 0
    for one in step.asked:
        if one.optimiser is None:
            with FlopCounterMode(display=False) as counter:
                for part in step.runtime.parts(batch):
                    placed = step.runtime.placed(part)
                    one(placed.seen_by(one.name).detach(), learning=False)
            fixed += counter.get_total_flops()
    return values, whole.get_total_flops() - fixed, fixed
