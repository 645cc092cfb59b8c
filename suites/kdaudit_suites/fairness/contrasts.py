"""Group contrasts as findings: a rate in each group minus that in the rest, per subject."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from kdaudit.estimate import Estimate
from kdaudit.evidence.kinds import Bools, Ints
from kdaudit.evidence.view import Evidence, crossed
from kdaudit.measure import contrast_finding, contrast_findings_over, counted, not_measured
from kdaudit.results import OTHER, Finding, Where
from kdaudit_suites.fairness.scores import Rate

MOST = 20  # groups whose pairs are measured


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossing:
    """The groups of one column, or of columns crossed.

    Attributes:
        columns: one name or more.
        codes: (N,) index into ``wheres``, -1 where a cell is empty.
        wheres: the address of each group.
    """

    columns: tuple[str, ...]
    codes: Ints
    wheres: tuple[Where, ...]

    @property
    def alone(self) -> bool:
        """Whether it is one column, not several crossed."""
        return len(self.columns) == 1

    @property
    def title(self) -> str:
        """``race and sex``."""
        return " and ".join(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Each group's values, e.g. ``Black, Female``."""
        return tuple(", ".join(value for _, value in where) for where in self.wheres)

    def joined(self, rows: Bools, where: Where) -> "Crossing":
        """The same with the groups of some rows as one, which comes first."""
        left = [k for k in range(len(self.wheres)) if not (rows & (self.codes == k)).any()]
        number = np.zeros(len(self.wheres) + 1, dtype=np.int64)
        number[left] = np.arange(1, len(left) + 1)
        number[-1] = -1
        return Crossing(
            columns=self.columns,
            codes=number[self.codes],
            wheres=(where, *(self.wheres[k] for k in left)),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """One measured contrast, and where it came from.

    Attributes:
        rate: what is compared.
        crossing: the groups.
        group: of the crossing; None for small groups taken together, which get no label.
        other: the one that it is held against; None for the rest of the rows.
        finding: what was measured.
    """

    rate: Rate
    crossing: Crossing
    group: int | None
    other: int | None = None
    finding: Finding


def crossings(evidence: Evidence) -> tuple[Crossing, ...]:
    """The declared sensitive columns, then their crossings."""
    return tuple(
        Crossing(columns=columns, codes=codes, wheres=wheres)
        for columns in evidence.rows.sensitive
        for codes, wheres in [crossed(evidence.rows, columns)]
    )


def contrasts(rate: Rate, evidence: Evidence, crossings: Sequence[Crossing]) -> Iterator[Contrast]:
    """Every group of every crossing against all other rows that have a group.

    And where a check asks for it, all groups that are too small for it, together.
    """
    if rate.absent is not None:
        measured = [
            [not_measured(rate.endpoint, where, rate.absent) for where in crossing.wheres]
            for crossing in crossings
        ]
    else:
        measured = contrast_findings_over(
            rate.endpoint,
            evidence,
            rate.scores,
            [(crossing.codes, crossing.wheres) for crossing in crossings],
            rate.counts,
        )
    for crossing, findings in zip(crossings, measured, strict=True):
        for group, found in enumerate(findings):
            finding = _by_definition(found) if rate.of_pair else found
            known = group if group < len(crossing.wheres) else None
            yield Contrast(rate=rate, crossing=crossing, group=known, finding=finding)


def pairs(rate: Rate, evidence: Evidence, crossing: Crossing) -> Iterator[Contrast]:
    """Every two groups of a column, where a check asks for it.

    A group against the rest does not bound the gap between two groups: of three groups of one size
    two may lie 10 points apart, and each 7.5 points from the rest.
    """
    if rate.absent is not None or not crossing.alone:
        return
    (column,) = crossing.columns
    for one, other in combinations(range(len(crossing.wheres)), 2):
        where = tuple(sorted((*crossing.wheres[one], (OTHER, crossing.names[other]))))
        if len(crossing.wheres) > MOST:
            few = (
                f"{column} has {len(crossing.wheres)} groups; pairs are measured of {MOST} at most"
            )
            finding = not_measured(rate.endpoint, where, few)
        else:
            finding = contrast_finding(
                rate.endpoint,
                evidence,
                rate.scores,
                group=rate.counts & (crossing.codes == one),
                rest=rate.counts & (crossing.codes == other),
                where=where,
            )
        finding = _by_definition(finding) if rate.of_pair else finding
        yield Contrast(rate=rate, crossing=crossing, group=one, other=other, finding=finding)


def counted_rows(rate: Rate, crossing: Crossing) -> Ints:
    """(G,) rows of each group in the rate's denominator."""
    inside = crossing.codes[rate.counts & (crossing.codes >= 0)]
    return np.bincount(inside, minlength=len(crossing.wheres)).astype(np.int64)


def _by_definition(finding: Finding) -> Finding:
    # The teacher agrees with itself everywhere, so that its groups do not differ.
    if not isinstance(finding.teacher, Estimate):
        return finding
    return replace(finding, teacher=counted(0.0, finding.teacher.n, "by definition"))
