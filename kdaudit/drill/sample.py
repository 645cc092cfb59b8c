"""Resamples of evidence: other rows that might have been audited in the place of these."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Ints, Timings
from kdaudit.evidence.labels import unlabelled
from kdaudit.evidence.serving import Serving
from kdaudit.evidence.view import Evidence, Kind, Rows, Trio


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Which rows were drawn, with replacement, clusters as wholes.

    Attributes:
        rows: (M,) positions in the rows in scope.
        cluster: (M,) codes; a cluster that was drawn twice is two clusters. None without clusters.
        outside: likewise of the out-of-scope rows, or None without such rows.
    """

    rows: Ints
    cluster: Ints | None
    outside: "Sample | None" = None

    @classmethod
    def draw(cls, evidence: Evidence, rng: np.random.Generator) -> "Sample":
        """Draw as many rows, or clusters, as there are; rows in scope and out of it apart."""
        outside = evidence.outside
        rows, cluster = _drawn(evidence.rows, rng)
        return cls(
            rows=rows,
            cluster=cluster,
            outside=None if outside is None else cls.draw(outside, rng),
        )

    def of(self, evidence: Evidence) -> Evidence:
        """The evidence of the rows drawn.

        Rows have new ids: what parts rows by a hash of their ids must not put copies of one row
        together. Validation rows stay: what is fitted is fitted on the same ones.
        """
        outside = evidence.outside
        taken = replace(
            evidence,
            rows=self._rows(evidence.rows),
            kinds={need: self._trio(trio) for need, trio in evidence.kinds.items()},
            changes={name: moved[self.rows] for name, moved in evidence.changes.items()},
            outside=None if outside is None or self.outside is None else self.outside.of(outside),
            sampled=None,  # of other rows
        )
        # Nor is a resample labelled of which everybody is right on every row.
        return taken if taken.unlabelled is not None else _relabelled(taken)

    def with_student(self, plain: Evidence, original: Evidence, harmed: Evidence) -> Evidence:
        """The same resample of a student with a harm.

        Args:
            plain: this sample of ``original``.
            original: the evidence.
            harmed: the same with other answers of the student.
        """
        kinds = dict(plain.kinds)
        for need, trio in plain.kinds.items():
            student = harmed.kinds[need].student
            if student is not original.kinds[need].student:
                kinds[need] = replace(trio, student=self._kind(student))
        outside = plain.outside
        if self.outside is not None and outside is not None:
            assert original.outside is not None
            assert harmed.outside is not None
            outside = self.outside.with_student(outside, original.outside, harmed.outside)
        validation = plain.validation
        if validation is not None and harmed.validation is not None:
            validation = replace(validation, kinds=harmed.validation.kinds)
        moved = replace(plain, kinds=kinds, outside=outside, validation=validation)
        return moved if original.unlabelled is not None else _relabelled(moved)

    def _rows(self, rows: Rows) -> Rows:
        return replace(
            rows,
            ids=_ids(len(self.rows)),
            label=rows.label[self.rows],
            labelled=None if rows.labelled is None else rows.labelled[self.rows],
            weight=None if rows.weight is None else rows.weight[self.rows],
            cluster=self.cluster,
            attributes={name: column.take(self.rows) for name, column in rows.attributes.items()},
            benchmarks=None if rows.benchmarks is None else rows.benchmarks.take(self.rows),
            questions=None if rows.questions is None else rows.questions.take(self.rows),
        )

    def _trio(self, trio: Trio) -> Trio:
        return Trio(
            student=self._kind(trio.student),
            teacher=self._kind(trio.teacher),
            baseline=self._kind(trio.baseline),
        )

    def _kind(self, kind: Kind | NotMeasured) -> Kind | NotMeasured:
        return kind if isinstance(kind, NotMeasured | Timings | Serving) else kind.take(self.rows)


@lru_cache(maxsize=2)  # in scope and out of it; a million strings take a second
def _ids(n: int) -> npt.NDArray[np.object_]:
    """Names that sort as they stand."""
    made = np.char.zfill(np.arange(n).astype(str), len(str(n))).astype(object)
    made.flags.writeable = False
    return made


def _relabelled(evidence: Evidence) -> Evidence:
    # Out-of-scope rows have no label, and nobody asks for one.
    if (evidence.rows.label < 0).all():
        return evidence
    return replace(evidence, unlabelled=unlabelled(evidence))


def _drawn(rows: Rows, rng: np.random.Generator) -> tuple[Ints, Ints | None]:
    n = len(rows)
    if rows.cluster is None:
        return rng.integers(n, size=n), None
    members = np.argsort(rows.cluster, kind="stable")
    names, first, sizes = np.unique(rows.cluster[members], return_index=True, return_counts=True)
    chosen = rng.integers(len(names), size=len(names))
    cluster = np.repeat(np.arange(len(names)), sizes[chosen])
    # Position within its cluster of each row drawn, from where its cluster begins.
    before = np.cumsum(sizes[chosen]) - sizes[chosen]
    within = np.arange(len(cluster)) - np.repeat(before, sizes[chosen])
    return members[np.repeat(first[chosen], sizes[chosen]) + within], cluster
