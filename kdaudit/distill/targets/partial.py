"""Which methods targets that are not a whole distribution can serve, and at which temperatures."""

from collections.abc import Sequence

import torch

from kdaudit.distill.methods.soft_table import SoftTable
from kdaudit.distill.training.sources import Batch, TargetKind
from kdaudit.errors import DataError

GIVEN: dict[TargetKind, str] = {
    "top_k": "the likeliest classes and one bucket of all others",
    "label": "one label per row",
    "counts": "shares of a few samples per row",
}
WHY_ONE: dict[TargetKind, str] = {
    "top_k": "log-probabilities of the likeliest classes do not say how much the others weigh at "
    "another temperature",
    "label": "a label has no temperature",
    "counts": "shares of a few samples to the power 1/T are biased, and classes that never came up "
    "stay at 0",
}


def refuse_partial(name: str, table: SoftTable, rows: Batch, *, read: bool) -> None:
    """Refuse a loss that such targets cannot give.

    Args:
        name: of the method.
        table: its options.
        rows: with the targets.
        read: whether the method makes other targets of them, by correction or combination.

    Raises:
        DataError: naming the method, why, and what to do.
    """
    kind = rows.kind
    if kind == "full":
        return
    refuse_temperature(name, kind, rows.temperatures, table.temperature)
    if table.divergence == "mse":
        raise DataError(
            f'[objectives.{name}] divergence = "mse" compares all logits, and the teacher gives '
            f'{GIVEN[kind]}; use divergence = "forward_kl"'
        )
    if kind == "label" and table.divergence != "forward_kl":
        raise DataError(
            f'[objectives.{name}] divergence = "{table.divergence}": the teacher gives '
            f'{GIVEN[kind]}, which is learnt by cross-entropy; use divergence = "forward_kl"'
        )
    if read and kind in ("top_k", "label"):
        raise DataError(
            f"[objectives.{name}] makes targets of whole distributions, and the teacher gives "
            f"{GIVEN[kind]}; use [objectives.response], which learns those as they are"
        )
    if table.divergence == "reverse_kl" and kind == "top_k":
        _refuse_empty_bucket(name, rows)


def refuse_temperature(
    name: str, kind: TargetKind, temperatures: Sequence[float], temperature: float
) -> None:
    """Refuse a temperature at which the targets are not known.

    Raises:
        DataError: with the reason, and what can be done.
    """
    if kind == "full" or temperature in temperatures:
        return
    declared = ", ".join(f"{one:g}" for one in temperatures)
    why = WHY_ONE[kind]
    remedy = f"set temperature = {temperatures[0]:g}"
    if kind == "top_k":
        remedy += (
            ", or, where the teacher is a model that runs here, declare it: temperatures = "
            f"[{declared}, {temperature:g}] under [targets]"
        )
    raise DataError(
        f"[objectives.{name}] temperature = {temperature:g}: the teacher gives {GIVEN[kind]}, "
        f"usable at T = {declared} only: {why}; {remedy}"
    )


def _refuse_empty_bucket(name: str, rows: Batch) -> None:
    assert rows.targets is not None
    assert rows.norms is not None
    left = 1 - (rows.targets.double() / rows.temperatures[0] - rows.norms[:, :1]).exp().sum(dim=1)
    bad = int(((left <= 0) & torch.isneginf(rows.targets).any(dim=1)).sum())
    if bad:
        raise DataError(
            f'[objectives.{name}] divergence = "reverse_kl" would be infinite: in {bad} of '
            f"{len(rows)} rows the listed classes have all of the mass, and others none; use "
            'divergence = "forward_kl"'
        )
