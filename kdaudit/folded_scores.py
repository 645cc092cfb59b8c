"""Scores added up once by the finest groups of the data, for any number of coarser groupings."""

from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from kdaudit.basis import ORDER
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints
from kdaudit.evidence.view import Evidence, cells
from kdaudit.results import Basis, Means
from kdaudit.score_bases import NO_ROWS, contrast_bases, means_basis
from kdaudit.scores import Score, Scores
from kdaudit.stats.grouped_means import CellSums


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldedScores:
    """Scores of independent rows that are all there, added up by the finest groups of the data."""

    evidence: Evidence
    present: list[Score]
    row: Ints  # (K,) one row of each cell
    n: Floats  # (K,) rows of each cell that count
    sums: CellSums

    @classmethod
    def of(
        cls, evidence: Evidence, scores: Scores, counts: Bools | None = None
    ) -> "FoldedScores | None":
        """None where rows are clustered or weighted, an answer is missing, or cells are many."""
        rows = evidence.rows
        present = [score for who in ORDER if isinstance(score := scores[who], Score)]
        pair = all(isinstance(scores[who], Score) for who in ("student", "teacher"))
        if rows.cluster is not None or rows.weight is not None or not pair:
            return None
        found = cells(rows, chain.from_iterable([*rows.slices, *rows.sensitive]))
        if found is None or not all(score.valid.all() for score in present):
            return None
        code = found.code if counts is None else np.where(counts, found.code, -1)
        return cls(
            evidence=evidence,
            present=present,
            row=found.row,
            n=np.bincount(code + 1, minlength=len(found.row) + 1)[1:].astype(np.float64),
            sums=CellSums([score.values for score in present], code, len(found.row)),
        )

    def means(self, codes: Ints, size: int) -> list[Basis]:
        """As `kdaudit.score_bases.group_means`, of a ``zero`` endpoint.

        Args:
            codes: (N,) the group of each row, below ``size``; -1 for none.
            size: how many groups.
        """
        group, rows = codes[self.row], self.evidence.rows
        n = self._totals(group, size)
        bounds = self.present[0].low, self.present[0].high
        found: list[Basis] = []
        for index, joint in enumerate(self.sums.means(group, size)):
            basis: Basis = NotMeasured(NO_ROWS, 0)
            if n[index]:
                basis = means_basis(joint, self.present, rows)
                basis = (
                    replace(basis, bounds=bounds)
                    if isinstance(basis, Means)
                    else replace(basis, n=int(n[index]))
                )
            found.append(basis)
        return found

    def contrasts(self, codes: Ints, size: int) -> list[Basis]:
        """As `kdaudit.score_bases.contrasts`; arguments as of `means`."""
        group = codes[self.row]
        n, off = self._totals(group, size), np.zeros((len(self.present), size))
        grouped = self.sums.contrasts(group, size)
        return contrast_bases(grouped, n, n, off, self.present, self.evidence.rows)

    def _totals(self, group: Ints, size: int) -> Floats:
        return np.bincount(group + 1, self.n, size + 1)[1:].astype(np.float64)
