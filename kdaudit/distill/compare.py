"""What the seeds show: whether the method beats its controls, on the validation rows."""

from collections.abc import Sequence

import torch

from kdaudit.distill.arms import answers
from kdaudit.distill.run import Run
from kdaudit.distill.task import Task
from kdaudit.lineage import ArmKind, Claim, Comparison
from kdaudit.stats.paired_seeds import crossed_mean

LEVEL = 0.90  # two-sided: BEATS is one-sided at 5 %
FEWEST = 3  # seeds
METHOD = "paired by seed and row; t of a two-way random layout"


def comparisons(task: Task, runs: Sequence[Run]) -> tuple[Comparison, ...]:
    """The recipe's arms against each control's, seed by seed and row by row.

    Args:
        task: what they share; its validation rows decide, which chose the epochs of all of them
            alike.
        runs: every arm.

    Returns:
        A comparison per control; none where the validation rows have no labels.
    """
    if task.validation.labels is None:
        return ()
    right = {(run.kind, run.seed): _right(task, run) for run in runs}
    found = []
    for kind in task.recipe.kinds[1:]:
        rows = [right["main", seed] - right[kind, seed] for seed in task.recipe.seeds]
        found.append(compare(kind, torch.stack(rows)))
    return tuple(found)


def compare(control: ArmKind, differences: torch.Tensor) -> Comparison:
    """One claim.

    Args:
        control: which.
        differences: (S, N) right answers of the recipe's model of a seed, less the control's.

    Returns:
        BEATS where the whole interval is above 0, NO BEATS where none of it is, else INCONCLUSIVE;
        always so with fewer than three seeds, and where no row tells the two apart.
    """
    seeds, rows = differences.shape
    found = crossed_mean(differences.numpy())
    low, high = (None, None) if found is None else found.interval(LEVEL)
    claim: Claim = "INCONCLUSIVE"
    if low is None or high is None or seeds < FEWEST:
        reason = f"{seeds} of at least {FEWEST} seeds"
    elif not differences.any():
        reason = "both are right and wrong on the same validation rows"
    elif low > 0:
        claim, reason = "BEATS", "the whole interval is above 0"
    elif high <= 0:
        claim, reason = "NO BEATS", "no part of the interval is above 0"
    else:
        reason = "the interval holds gains and losses"
    return Comparison(
        control=control,
        claim=claim,
        difference=float(differences.double().mean()),
        low=low,
        high=high,
        level=LEVEL,
        seeds=seeds,
        rows=rows,
        method=METHOD,
        reason=reason,
    )


def said(comparison: Comparison) -> str:
    """One comparison as a line."""
    ends = (
        ""
        if comparison.low is None or comparison.high is None
        else f" [{comparison.low:+.4f}, {comparison.high:+.4f}]"
    )
    return (
        f"{comparison.claim} {comparison.control.replace('_', ' ')}: {comparison.measure} "
        f"{comparison.difference:+.4f}{ends}, {comparison.seeds} seeds, {comparison.rows:,} rows: "
        f"{comparison.reason}"
    )


def _right(task: Task, run: Run) -> torch.Tensor:
    assert task.validation.labels is not None
    found = answers(task, run, task.validation.inputs).argmax(dim=1)
    return torch.eq(found, task.validation.labels).to(torch.int8)
