"""Group contrasts as findings: a rate in each group minus that in the rest, per subject."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdaudit.estimate import Estimate
from kdaudit.evidence.kinds import Ints
from kdaudit.evidence.view import Evidence, crossed
from kdaudit.measure import contrast_findings_over, counted, not_measured
from kdaudit.results import Finding, Where
from kdaudit_suites.fairness.scores import Rate


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """One measured contrast, and where it came from."""

    rate: Rate
    crossing: Crossing
    group: int
    finding: Finding


def crossings(evidence: Evidence) -> tuple[Crossing, ...]:
    """The declared sensitive columns, then their crossings."""
    return tuple(
        Crossing(columns=columns, codes=codes, wheres=wheres)
        for columns in evidence.rows.sensitive
        for codes, wheres in [crossed(evidence.rows, columns)]
    )


def contrasts(rate: Rate, evidence: Evidence, crossings: Sequence[Crossing]) -> Iterator[Contrast]:
    """Every group of every crossing against all other rows that have a group."""
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
            yield Contrast(rate=rate, crossing=crossing, group=group, finding=finding)


def counted_rows(rate: Rate, crossing: Crossing) -> Ints:
    """(G,) rows of each group in the rate's denominator."""
    inside = crossing.codes[rate.counts & (crossing.codes >= 0)]
    return np.bincount(inside, minlength=len(crossing.wheres)).astype(np.int64)


def _by_definition(finding: Finding) -> Finding:
    # The teacher agrees with itself everywhere, so that its groups do not differ.
    if not isinstance(finding.teacher, Estimate):
        return finding
    return replace(finding, teacher=counted(0.0, finding.teacher.n, "by definition"))
