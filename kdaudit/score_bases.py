"""What findings of additive scores rest on: paired counts of 0/1 scores, else joint means.

Where scores are missing the basis carries how far its means may be off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints
from kdaudit.evidence.view import Evidence, Rows
from kdaudit.results import Basis, Better, Endpoint, Means, Table, Where
from kdaudit.scores import Score, centred, filled
from kdaudit.stats.grouped_means import grouped_contrasts, grouped_means
from kdaudit.stats.means import JointMeans

# Effective units below which no interval of unequal or clustered rows is to be believed: one unit
# then may hold a third of the mass, and a single cluster's accident reads as the truth.
FEWEST_CLUSTERS = 8
NO_ROWS = "no rows"


def too_few(effective: float) -> bool:
    """Whether effective units are fewer than `FEWEST_CLUSTERS`; eight equal ones are not."""
    return effective < FEWEST_CLUSTERS - 1e-9  # however their number was rounded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """What is measured, and where: the arguments of `kdaudit.measure.mean_findings`."""

    endpoint: Endpoint
    evidence: Evidence
    codes: Ints
    wheres: Sequence[Where]
    note: str = ""

    def totals(self, mass: Floats | None = None, every: int = 0) -> Floats:
        """(G,) rows of each group, or their weight; ``every`` counts groups without address."""
        size = max(len(self.wheres), every)
        return np.bincount(self.codes + 1, mass, size + 1)[1:].astype(np.float64)


Bases = Callable[[Groups, list[Score]], list[Basis]]


def group_means(groups: Groups, present: list[Score]) -> list[Basis]:
    """Of each group, its means: the basis of a finding, or why it has none.

    Args:
        groups: what is measured, and where.
        present: scores of the student, the teacher and, where there is one, the baseline.
    """
    rows, codes, better = groups.evidence.rows, groups.codes, groups.endpoint.better
    size = len(groups.wheres)
    series = [filled(score, better, student=index == 0) for index, score in enumerate(present)]
    n = groups.totals()
    some = n > 0
    exact = some & _independent(rows, codes, size) & _binary(series)
    found: list[Basis] = [NotMeasured(NO_ROWS, 0)] * size
    if exact.any():
        tables = _tables(series, codes, size)
        for group in np.flatnonzero(exact):
            found[group] = tables[group]
    if exact.sum() == some.sum():
        return found
    off = _off(groups, present)
    grouped = grouped_means(series, codes, size, clusters=rows.cluster, weights=rows.weight)
    binary = better is not Better.ZERO and _binary(series)
    for group in np.flatnonzero(some & ~exact):
        basis = means_basis(grouped[group], present, rows, binary=binary)
        if isinstance(basis, Means):
            far = tuple(float(width) for width in off[:, group])
            basis = replace(basis, bounds=(present[0].low, present[0].high))
            if better is Better.ZERO:
                basis = replace(basis, unknown=tuple(width / 2 for width in far))
            elif any(far):
                basis = replace(basis, filled=far)
        else:
            wiped = _wiped(series, codes == group, rows, better) if binary else 0
            basis = replace(basis, n=int(n[group]), wiped=wiped)
        found[group] = basis
    return found


def _wiped(series: list[Bools | Floats], some: Bools, rows: Rows, better: Better) -> int:
    """Units of some rows, if the student is worse than the teacher in every single one of them."""
    student, teacher = (np.asarray(one, np.bool_)[some] for one in series[:2])
    lost = teacher & ~student if better is Better.HIGHER else student & ~teacher
    if not lost.all():
        return 0
    return int(np.count_nonzero(some) if rows.cluster is None else len(set(rows.cluster[some])))


def contrasts(groups: Groups, present: list[Score]) -> list[Basis]:
    """Of each group, its means minus those of all other rows; arguments as of `group_means`."""
    rows, codes, size = groups.evidence.rows, groups.codes, len(groups.wheres)
    every = max(size, int(codes.max(initial=-1)) + 1)  # the rest may have groups of its own
    series = [centred(score) for score in present]
    n = groups.totals(every=every)
    weight = n if rows.weight is None else groups.totals(rows.weight, every)
    off = _off(groups, present, every)
    grouped = grouped_contrasts(series, codes, size, clusters=rows.cluster, weights=rows.weight)
    return contrast_bases(grouped, n, weight, off, present, rows)


def contrast_bases(
    grouped: Sequence[JointMeans | None],
    n: Floats,
    weight: Floats,
    off: Floats,
    present: list[Score],
    rows: Rows,
) -> list[Basis]:
    """What each group against the rest rests on; ``n``, ``weight`` and ``off`` go on to others."""
    reach = present[0].high - present[0].low
    found: list[Basis] = []
    for group, joint in enumerate(grouped):
        if not n[group]:
            found.append(NotMeasured(NO_ROWS, 0))
            continue
        if n[group] == n.sum():
            found.append(NotMeasured("there is no one else to compare the group with"))
            continue
        basis = means_basis(joint, present, rows)
        if isinstance(basis, Means):
            share = np.where(np.arange(len(n)) == group, 0.0, weight)
            unknown = off[:, group] + (off * (share / share.sum())).sum(axis=1)
            basis = replace(
                basis,
                unknown=tuple(float(width) / 2 for width in unknown),
                bounds=(-reach, reach),
            )
        else:
            basis = replace(basis, n=int(n[group]))
        found.append(basis)
    return found


def _independent(rows: Rows, codes: Ints, groups: int) -> Bools:
    """(G,) whether the rows of a group are equal and no two of them share a cluster."""
    if rows.weight is not None:
        return np.zeros(groups, dtype=np.bool_)
    alone = np.ones(groups, dtype=np.bool_)
    if rows.cluster is not None:
        grouped = codes >= 0
        width = int(rows.cluster.max()) + 1
        pairs, n = np.unique(codes[grouped] * width + rows.cluster[grouped], return_counts=True)
        alone[pairs[n > 1] // width] = False
    return alone


def _binary(series: list[Bools | Floats]) -> bool:
    return all(score.dtype == np.bool_ for score in series)


def _tables(scores: list[Bools | Floats], codes: Ints, groups: int) -> list[Table]:
    """Of each group, the paired counts of the student with each reference."""
    student, *others = [np.asarray(score, np.bool_) for score in scores]
    # Rows of no group, of code -1, are counted first and left aside.
    by_student = 4 * (codes + 1) + 3 - 2 * student
    cells = [np.bincount(by_student - other, minlength=4 * (groups + 1)) for other in others]
    counts = [tuple(map(_four, cell.reshape(-1, 4)[1:])) for cell in cells]
    return [
        Table(
            n11=n11,
            n10=n10,
            n01=n01,
            n00=n00,
            baseline=counts[1][group] if len(counts) > 1 else None,
        )
        for group, (n11, n10, n01, n00) in enumerate(counts[0])
    ]


def _four(cells: npt.NDArray[np.integer]) -> tuple[int, int, int, int]:
    n11, n10, n01, n00 = (int(n) for n in cells)
    return n11, n10, n01, n00


def _off(groups: Groups, scores: list[Score], every: int = 0) -> Floats:
    """(S, G) how far a mean may be off: the range of the score times the share of unknown rows."""
    weight = groups.evidence.rows.weight
    if all(score.valid.all() for score in scores):
        return np.zeros((len(scores), max(len(groups.wheres), every)))
    mass = np.ones(len(groups.codes)) if weight is None else weight
    total = groups.totals(mass, every)
    unknown = [groups.totals(np.where(score.valid, 0.0, mass), every) for score in scores]
    reach = [[score.high - score.low] for score in scores]
    share: Floats = np.array(unknown) / np.where(total > 0, total, 1.0)
    return share * reach


def means_basis(
    joint: JointMeans | None, present: list[Score], rows: Rows, *, binary: bool = False
) -> Means | NotMeasured:
    """Joint means as a basis, or why they are no guide.

    Args:
        joint: means or contrasts.
        present: the scores they are of.
        rows: for weights and clusters.
        binary: whether they are means of 0/1 scores, so that their paired counts can be had.
    """
    what = "rows" if rows.cluster is None else "clusters"
    if joint is None:
        return NotMeasured(f"fewer than two {what}; a spread needs two at least")
    unequal = rows.weight is not None or rows.cluster is not None
    if unequal and too_few(joint.effective):
        return NotMeasured(_too_few(joint, what))
    if joint.df < 1:
        return NotMeasured(f"fewer than two {what} on one side; a spread needs two at least")
    span, known = max(score.reach for score in present), all(s.own_known for s in present)
    basis = joint_basis(joint, span=span, unequal=unequal, clustered=rows.cluster is not None)
    basis = replace(basis, own_known=known)
    if joint.dependence is None or not (basis.clustered or binary):
        return basis
    hang_together = replace(joint.dependence, binary=binary, own_known=known)
    return replace(basis, dependence=hang_together)


def joint_basis(
    joint: JointMeans,
    *,
    span: float,
    unequal: bool,
    clustered: bool,
    filled: tuple[float, ...] = (),
    bounds: tuple[float, float] | None = None,
) -> Means:
    """Joint means as a basis.

    Args:
        joint: of every subject that is there.
        span: how far one unit's answer can move its score.
        unequal: whether units may weigh differently, by weights or by the size of clusters.
        clustered: whether they are declared clusters.
        filled: how far scores that were put in may have moved each mean.
        bounds: least and greatest possible value of each mean.
    """
    return Means(
        mean=tuple(float(x) for x in joint.mean),
        covariance=tuple(tuple(float(x) for x in row) for row in joint.covariance),
        df=float(joint.df),
        n=joint.n,
        clusters=joint.clusters,
        span=span,
        unknown=(0.0,) * len(joint.mean),
        filled=filled,
        effective=joint.effective if unequal else None,
        largest=joint.largest if unequal else None,
        clustered=clustered,
        bounds=bounds,
    )


def _too_few(joint: JointMeans, what: str) -> str:
    if joint.clusters < FEWEST_CLUSTERS:
        return f"{joint.clusters} {what}; at least {FEWEST_CLUSTERS} are needed for an interval"
    return (
        f"{joint.clusters} {what} that say as much as {joint.effective:.1f} equal ones, since one "
        f"holds {joint.largest:.0%}; at least {FEWEST_CLUSTERS} are needed for an interval"
    )
