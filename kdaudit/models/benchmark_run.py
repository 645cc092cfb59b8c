"""Earlier runs of benchmarks as a subject: scores per row, from the logs of lm-eval or Inspect.

The keys are ``lm_eval`` and ``inspect``; a value is a folder with the logs of one model, or a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from kdaudit.data.benchmark_logs import BenchmarkLogs, TaskLog
from kdaudit.data.inspect_logs import read_inspect
from kdaudit.data.lm_eval_logs import read_lm_eval
from kdaudit.data.readers import Source
from kdaudit.evidence.kinds import Floats
from kdaudit.models.adapter import Answers


@dataclass(frozen=True, slots=True, eq=False)
class BenchmarkRun:
    """A model's rows in benchmarks that ran elsewhere."""

    logs: BenchmarkLogs

    @property
    def source(self) -> Source:
        """The rows, as files are told of."""
        return Source(name=self.logs.name, table=self.logs.table(), sha256=self.logs.sha256)

    def identity(self) -> Mapping[str, str]:
        """The digest of every file that was read, and what is known of the model."""
        return {**self.logs.about, "sha256": self.logs.sha256}

    def answers(self, id_column: str, classes: Sequence[str]) -> Answers:
        """Scores by metric; NaN where a row has none, and in tasks without the metric."""
        del id_column, classes
        tasks = list(self.logs.tasks.values())
        metrics = sorted({metric for task in tasks for metric in task.scores})
        return Answers(
            ids=np.array([row for task in tasks for row in task.ids], dtype=object),
            classes=(),
            probabilities=None,
            labels=None,
            scores={m: np.concatenate([_column(task, m) for task in tasks]) for m in metrics},
        )


class LmEvalRun(BenchmarkRun):
    """Logs of lm-eval."""

    __slots__ = ()

    @classmethod
    def open(cls, source: str, *, base: Path) -> Self:
        """Read ``source``, relative to ``base``; see `read_lm_eval`."""
        return cls(read_lm_eval(source, base))


class InspectRun(BenchmarkRun):
    """Logs of Inspect."""

    __slots__ = ()

    @classmethod
    def open(cls, source: str, *, base: Path) -> Self:
        """Read ``source``, relative to ``base``; see `read_inspect`."""
        return cls(read_inspect(source, base))


def _column(task: TaskLog, metric: str) -> Floats:
    return task.scores.get(metric, np.full(len(task), np.nan))
