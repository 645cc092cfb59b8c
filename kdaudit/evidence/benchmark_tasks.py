"""What suites are told of earlier runs of benchmarks, beside their scores per row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from kdaudit.data.benchmark_logs import Reported
from kdaudit.evidence.kinds import Bools, Ints

Named = tuple[str, str]  # a task or group, and one of its metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMean:
    """A metric of a group of tasks, and whether every row counts the same in it or every task."""

    group: str
    metric: str
    tasks: tuple[str, ...]
    by: Literal["rows", "tasks"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Benchmarks:
    """The tasks of the audited rows.

    Attributes:
        tool: that ran them.
        tasks: their names, sorted.
        task: (N,) index into ``tasks``; -1 for a row of none.
        measured: by metric, the tasks whose rows have it.
        groups: of tasks.
        unmeasured: by task or group and metric, why it cannot be compared.
        reported: by role, what the tool itself says of each task or group and metric.
        notes: what was found when the runs were compared.
    """

    tool: str
    tasks: tuple[str, ...]
    task: Ints
    measured: Mapping[str, frozenset[str]]
    groups: tuple[GroupMean, ...] = ()
    unmeasured: Mapping[Named, str] = field(default_factory=dict)
    reported: Mapping[str, Mapping[Named, Reported]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def take(self, rows: Bools | Ints) -> "Benchmarks":
        """The same on some of the rows."""
        return replace(self, task=self.task[rows])

    def has(self, metric: str) -> Bools:
        """(N,) rows that should have a metric."""
        tasks = self.measured.get(metric, frozenset())
        known = np.array([*(task in tasks for task in self.tasks), False])
        return known[self.task]
