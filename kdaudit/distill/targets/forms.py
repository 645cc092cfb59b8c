"""Targets in the forms users have them: whole distributions, the likeliest few, labels, counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from kdaudit.distill.objectives.bucket import tail_mass
from kdaudit.distill.targets.table import TargetsTable
from kdaudit.distill.training.sources import TargetKind
from kdaudit.errors import DataError
from kdaudit.evidence.align import probabilities_of
from kdaudit.evidence.kinds import Floats
from kdaudit.evidence.truncated import TopK, Truncated, truncate
from kdaudit.models.adapter import Answers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """A teacher's answers to N rows.

    Attributes:
        values: (N, C) log-probabilities, float32, -inf where it excludes a class; where they are
            truncated, logits, -inf where a class is not listed.
        classes: (C,) the teacher's own names; of labels and lists, those that were seen.
        evidence: digest of what they were read from.
        kind: what they are.
        norms: (N, n_T) log-sum-exps over all classes where they are truncated, else None.
        temperatures: at which they may be used; empty for any.
        said: what the lineage says of that; empty for a full distribution.
        seen_only: whether there may be classes that it never named.
    """

    values: torch.Tensor
    classes: tuple[str, ...]
    evidence: str
    kind: TargetKind = "full"
    norms: torch.Tensor | None = None
    temperatures: tuple[float, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)
    seen_only: bool = False

    def placed(self, names: Sequence[str], classes: Sequence[str]) -> "Targets":
        """The same over all classes, in another order; a class it does not know has no mass.

        Args:
            names: (C,) its own classes, renamed.
            classes: (C',) all of them.
        """
        if list(names) == list(classes):
            return self
        if sorted(names) == sorted(classes):
            values = self.values[:, [list(names).index(name) for name in classes]]
            return replace(self, values=values, classes=tuple(classes))
        values = torch.full((len(self.values), len(classes)), -torch.inf)
        values[:, [list(classes).index(name) for name in names]] = self.values
        return replace(self, values=values, classes=tuple(classes))


def logarithm(probabilities: Floats) -> torch.Tensor:
    """Log-probabilities in float32; NaN stays."""
    with np.errstate(divide="ignore"):  # a probability of 0 is an answer: its logarithm is -inf
        return torch.from_numpy(np.log(probabilities).astype(np.float32))


def labels_only(full: Targets) -> Targets:
    """The likeliest class of each row alone, one-hot: a label, at T = 1."""
    answer = full.values.argmax(dim=1, keepdim=True)
    values = torch.full_like(full.values, -torch.inf).scatter_(1, answer, 0.0)
    return replace(
        full,
        values=values,
        kind="label",
        norms=None,
        temperatures=(1.0,),
        said={"kind": "label: the teacher's one label per row, one-hot"},
    )


def truncated(kept: Truncated, classes: Sequence[str], evidence: str) -> Targets:
    """The kept logits of N rows, with what they add up to."""
    return _with_tail(
        Targets(
            values=torch.from_numpy(kept.dense()),
            classes=tuple(classes),
            evidence=evidence,
            kind="top_k",
            norms=torch.from_numpy(kept.norms),
            temperatures=kept.temperatures,
        ),
        kept.ids.shape[1],
    )


def from_file(
    answers: Answers, ids: npt.NDArray[np.object_], keep: TargetsTable, evidence: str, who: str
) -> Targets:
    """The answers of a file, in whatever form it has them.

    Args:
        answers: as they stand in the file.
        ids: (N,) of the rows that are asked for.
        keep: what is to be kept of them.
        evidence: digest of the file.
        who: for messages.

    Returns:
        Answers to those rows; NaN where there is none.

    Raises:
        DataError: for a file without answers, or one that has less than is to be kept.
    """
    if answers.probabilities is not None:
        shares, _ = probabilities_of(answers.probabilities, "probabilities", who)
        values = logarithm(by_id(answers.ids, shares, ids))
        if answers.draws is not None and keep.kind is None:
            draws = by_id(answers.ids, answers.draws[:, None], ids)
            said = {"kind": f"counts over {np.nanmin(draws):g} to {np.nanmax(draws):g} samples"}
            return Targets(
                values=values,
                classes=answers.classes,
                evidence=evidence,
                kind="counts",
                temperatures=(1.0,),
                said=said | {"samples per row": f"{np.nanmean(draws):.4g} on average"},
            )
        if answers.draws is None or keep.kind == "label":
            full = Targets(values=values, classes=answers.classes, evidence=evidence)
            return _kept(full, keep)
    if keep.kind in ("full", "top_k"):
        raise DataError(
            f'[targets] kind = "{keep.kind}" needs whole distributions, and {who} holds labels, '
            "counts or a list of the likeliest classes: give p_<class> columns, or take kind out"
        )
    if answers.listed is not None:
        listed = Targets(
            values=logarithm(by_id(answers.ids, answers.listed, ids)),
            classes=answers.classes,
            evidence=evidence,
            kind="top_k",
            norms=torch.zeros(len(ids), 1),
            temperatures=(1.0,),
            seen_only=True,
        )
        return labels_only(listed) if keep.kind == "label" else _with_tail(listed)
    if answers.labels is None:
        raise DataError(
            f"[teacher] {who} holds scores and no answers; a student learns from p_<class> "
            "columns, or from `prediction`, one label per row"
        )
    one_hot = (answers.labels[:, None] == np.array(answers.classes, dtype=object)).astype(float)
    one_hot[~one_hot.any(axis=1)] = np.nan
    values = logarithm(by_id(answers.ids, one_hot, ids))
    lacking = torch.isnan(values).any(dim=1, keepdim=True)
    known = Targets(values=values, classes=answers.classes, evidence=evidence, seen_only=True)
    only = labels_only(known)
    return replace(only, values=only.values.masked_fill(lacking, torch.nan))


def by_id(known: npt.NDArray[np.object_], values: Floats, ids: npt.NDArray[np.object_]) -> Floats:
    """(N, C) answers to ``ids``; NaN where there is none.

    Args:
        known: (M,) ids that have answers.
        values: (M, C) those.
        ids: (N,) that are asked for.
    """
    index = pd.Index(known).get_indexer(pd.Index(ids))
    return np.where(index[:, None] >= 0, values[index], np.nan)


def _kept(full: Targets, keep: TargetsTable) -> Targets:
    if keep.kind == "label":
        return labels_only(full)
    if keep.kind != "top_k":
        return full
    assert keep.k is not None
    top = TopK(k=keep.k, temperatures=keep.temperatures)
    return truncated(truncate(full.values.numpy(), top), full.classes, full.evidence)


def _with_tail(cut: Targets, k: int | None = None) -> Targets:
    """The same, saying how much was left out."""
    assert cut.norms is not None
    lists = torch.isfinite(cut.values).sum(dim=1)
    most = k or int(lists.max())
    said = {"kind": f"top_k: the {most} likeliest classes and one bucket of all others"}
    for column, temperature in enumerate(cut.temperatures):
        mass = tail_mass(cut.values, cut.norms[:, column], temperature)
        said[f"mean tail mass at T = {temperature:g}"] = f"{float(mass.double().mean()):.4g}"
    return replace(cut, said=said)
