"""Which harms an audit is drilled with: derived from its data, none of them named by hand."""

from collections.abc import Iterator

import numpy as np

from kdaudit.drill.drilled import Omitted
from kdaudit.drill.harms import (
    SURE,
    AccuracyLoss,
    Amplification,
    Harm,
    LostAbstention,
    Overconfidence,
    answers_of,
    doubts,
    inside,
    sharpening,
)
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence, Rows
from kdaudit.results import Where

SIZES = (0.05, 0.10)
KINDS = tuple(kind.kind for kind in (AccuracyLoss, Overconfidence, Amplification, LostAbstention))


def harms_of(evidence: Evidence) -> tuple[tuple[Harm, ...], tuple[Omitted, ...]]:
    """The harms, and what could not be planted with the reason.

    Losses of accuracy over all rows, and in the rarest and the most frequent value of every slice
    column, sensitive column and of the label; overconfidence; in the rarest group of every
    sensitive column a selection rate further from that of the others; abstention lost on
    out-of-scope rows. Each in two sizes, 5 and 10 points.

    Args:
        evidence: of the audit.
    """
    student = evidence[PREDICTIONS].student
    if not isinstance(student, Predictions):
        reason = student.reason if isinstance(student, NotMeasured) else "it gave no answers"
        return (), tuple(Omitted(kind=kind, reason=reason) for kind in KINDS)
    found = [
        *_losses(evidence),
        *_overconfidence(evidence),
        *_amplification(evidence),
        *_abstention(evidence),
    ]
    omitted = [one for one in found if isinstance(one, Omitted)]
    return tuple(one for one in found if not isinstance(one, Omitted)), tuple(omitted)


def _losses(evidence: Evidence) -> Iterator[Harm | Omitted]:
    rows, kind = evidence.rows, AccuracyLoss.kind
    if evidence.unlabelled is not None:
        yield Omitted(kind=kind, reason=evidence.unlabelled.reason)
        return
    columns = _columns(rows.slices + rows.sensitive)
    if not columns:
        yield Omitted(kind=f"{kind} in a slice", reason="no slice or sensitive column is declared")
    student = answers_of(evidence)
    right = student.valid & (student.answer == rows.label)
    places: list[Where] = [()]
    for column in dict.fromkeys([*columns, "label"]):
        places += [place for place, _ in _ends(rows, column)]
    for where in places:
        group = inside(rows, where)
        yield from _feasible(
            [AccuracyLoss(size=size, where=where) for size in SIZES],
            most=_share(rows, right, group),
            why="is right on only {most:.1%} of these rows",
        )


def _overconfidence(evidence: Evidence) -> Iterator[Harm | Omitted]:
    kind = Overconfidence.kind
    if answers_of(evidence).probabilities is None:
        yield Omitted(kind=kind, reason="the student gives labels only; it claims no confidence")
        return
    for size in SIZES:
        power = sharpening(evidence, size)
        if power is None:
            yield Omitted(
                kind=kind,
                reason=f"the student is right so often, or so sure already, that {100 * size:.3g} "
                "points more cannot be claimed",
            )
        else:
            yield Overconfidence(size=size, power=power)


def _amplification(evidence: Evidence) -> Iterator[Harm | Omitted]:
    rows, kind = evidence.rows, Amplification.kind
    columns = _columns(rows.sensitive)
    if not columns or not rows.positive:
        lacking = "no sensitive column is declared"
        if columns:
            lacking = "no favourable class is named as `positive` under [data]"
        yield Omitted(kind=kind, reason=lacking)
        return
    student = answers_of(evidence)
    favoured = np.isin(student.answer, rows.positive)
    for column in columns:
        groups = _ends(rows, column)
        if len(groups) < 2:
            yield Omitted(kind=kind, reason=f"{column} has one group only")
            continue
        where, group = groups[0]
        rest = (rows.column(column).codes >= 0) & ~group
        fewer = _share(rows, favoured, group) <= _share(rows, favoured, rest)
        movable = student.valid & (favoured if fewer else ~favoured)
        yield from _feasible(
            [Amplification(size=size, where=where, fewer=fewer) for size in SIZES],
            most=_share(rows, movable, group),
            why="gives only {most:.1%} of these rows an answer that could be changed so",
        )


def _abstention(evidence: Evidence) -> Iterator[Harm | Omitted]:
    kind, outside = LostAbstention.kind, evidence.outside
    if outside is None:
        yield Omitted(
            kind=kind,
            reason="no out-of-scope rows: name their label as `out_of_scope` under [data]",
        )
        return
    student = outside[PREDICTIONS].student
    if not isinstance(student, Predictions):
        yield Omitted(kind=kind, reason="the student has no answers to out-of-scope rows")
        return
    doubted = doubts(student, outside.rows) < SURE
    yield from _feasible(
        [LostAbstention(size=size) for size in SIZES],
        most=_share(outside.rows, doubted, np.ones(len(doubted), dtype=np.bool_)),
        why="leaves only {most:.1%} of the out-of-scope rows in doubt",
    )


def _feasible(harms: list[Harm], *, most: float, why: str) -> Iterator[Harm | Omitted]:
    """The harms that there are answers enough for; why not, of the others."""
    for harm in harms:
        if harm.size <= most:
            yield harm
        else:
            yield Omitted(
                kind=harm.kind, reason=f"{harm.said}: the student {why.format(most=most)}"
            )


def _columns(groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Each column once; of columns that are crossed, each alone."""
    return tuple(dict.fromkeys(name for columns in groups for name in columns))


def _ends(rows: Rows, column: str) -> list[tuple[Where, Bools]]:
    """The rarest value of a column and its most frequent one; the first in order of equals."""
    cells = rows.column(column)
    counts = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.values))
    present = np.flatnonzero(counts)
    if not len(present):
        return []
    chosen = [present[np.argmin(counts[present])], present[np.argmax(counts[present])]]
    return [
        (((column, cells.values[code]),), cells.codes == code) for code in dict.fromkeys(chosen)
    ]


def _share(rows: Rows, hits: Bools, group: Bools) -> float:
    """Share of a group's mass that is hit."""
    weight: Floats = np.ones(len(rows)) if rows.weight is None else rows.weight
    total = float(weight[group].sum())
    return float(weight[group & hits].sum()) / total if total else 0.0
