"""How much each row counts, by its group and its class; and class shares that differ by group.

Everything is counted once, on the transfer rows, and then looked up: a row's weight does not depend
on the batch it comes in, so the loss is the same however rows are put into batches.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from kdaudit.distill.training.sources import Batch

FORMULAS = {
    "groups": "w = N/(G·n_g)",
    "classes": "w = N/(C·n_y)",
    "reweighing": "w = n_g·n_y/(N·n_gy)",
}


class RowWeights(nn.Module):
    """A weight for each group and class; a mean of 1 over the rows it was counted on.

    Attributes:
        table: (G, C).
    """

    table: Tensor

    def __init__(self, table: Tensor, formula: str) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.formula = formula

    def forward(self, batch: Batch) -> Tensor:
        """(B,) weights; where a table has one row or one column, group or class do not matter."""
        nothing = torch.zeros(len(batch), dtype=torch.int64, device=self.table.device)
        groups = nothing if batch.groups is None or len(self.table) == 1 else batch.groups
        classes = nothing if batch.labels is None or self.table.shape[1] == 1 else batch.labels
        return self.table[groups, classes]


def counts(groups: Tensor, classes: Tensor, shape: tuple[int, int]) -> Tensor:
    """(G, C) numbers of rows, float64.

    Args:
        groups: (N,) codes below G.
        classes: (N,) codes below C.
        shape: (G, C).

    >>> counts(torch.tensor([0, 0, 1]), torch.tensor([1, 1, 0]), (2, 2)).tolist()
    [[0.0, 2.0], [1.0, 0.0]]
    """
    flat = torch.bincount(groups * shape[1] + classes, minlength=shape[0] * shape[1])
    return flat.reshape(shape).double()


def row_weights(n: Tensor, by: Literal["groups", "classes", "reweighing"]) -> RowWeights:
    """Weights from counts; a cell, group or class that was never seen gets 1.

    ``groups`` and ``classes`` make each of them count as much as every other; ``reweighing`` makes
    group and class independent (Kamiran and Calders 2012, §4.1.3).

    Args:
        n: (G, C) numbers of rows.
        by: which.

    >>> row_weights(torch.tensor([[6.0, 2.0], [1.0, 1.0]]), "groups").table.flatten().tolist()
    [0.625, 2.5]
    >>> row_weights(torch.tensor([[6.0, 2.0], [1.0, 1.0]]), "reweighing").table[0].tolist()
    [0.9333333373069763, 1.2000000476837158]
    """
    total = n.sum()
    of_group, of_class = n.sum(dim=1, keepdim=True), n.sum(dim=0, keepdim=True)
    if by == "groups":
        table, seen = total / ((of_group > 0).sum() * of_group), of_group
    elif by == "classes":
        table, seen = total / ((of_class > 0).sum() * of_class), of_class
    else:
        table, seen = of_group * of_class / (total * n), n
    table = torch.where(seen > 0, table, torch.ones_like(table))
    return RowWeights(table.float(), FORMULAS[by])


def share_offsets(n: Tensor) -> Tensor:
    """Offsets log π(c) - log π_g(c), float32: what gives every group the shares of all.

    Half a row is added to each cell, so that a class which a group never has stays finite; a group
    that was never seen is not moved.

    Args:
        n: (G, C) numbers of rows, or sums of probabilities.

    >>> offsets = share_offsets(torch.tensor([[7.5, 3.5], [1.5, 5.5]]))
    >>> [[f"{x:.3f}" for x in row] for row in offsets.exp().tolist()]
    [['0.750', '1.500'], ['2.000', '0.667']]
    """
    filled = n.double() + 0.5
    shares = filled / filled.sum(dim=1, keepdim=True)
    seen = n.sum(dim=1, keepdim=True) > 0
    overall = torch.where(seen, filled, torch.zeros_like(filled)).sum(dim=0)
    offsets = (overall / overall.sum()).log() - shares.log()
    return torch.where(seen, offsets, torch.zeros_like(offsets)).float()
