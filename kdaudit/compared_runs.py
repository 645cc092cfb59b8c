"""Two runs of benchmarks compared: what must be equal is refused where it differs, or noted.

Rows pair on task, document and repeat. Another prompt for the same document is a note, since chat
templates differ; another task version, few-shot number, filter or target is refused, since then the
difference would not be of the models.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import DataTable, ScoreTable
from kdaudit.data.benchmark_logs import BenchmarkLogs, Better, Reported, TaskLog
from kdaudit.errors import DataError, examples, unknown
from kdaudit.evidence.benchmark_tasks import Benchmarks, GroupMean, Named
from kdaudit.models.benchmark_run import BenchmarkRun
from kdaudit.models.open import Opened

NEAR = 1e-9  # of two ways to add up the same numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """The subjects' runs, side by side.

    Attributes:
        logs: by role, the teacher's first.
        data: ``[data]``, with a scale for every metric that is compared.
        measured: by metric, the tasks that are compared by it.
        unmeasured: by task or group and metric, why it is not.
        notes: sentences for the card.
    """

    logs: Mapping[Subject, BenchmarkLogs]
    data: DataTable
    measured: Mapping[str, frozenset[str]]
    unmeasured: Mapping[Named, str]
    notes: tuple[str, ...]

    def on(self, ids: npt.NDArray[np.object_]) -> Benchmarks:
        """What suites are told, on rows of these ids."""
        tasks = _tasks(self.logs)
        place = {task: number for number, task in enumerate(tasks)}
        number = {
            row: place[log.task]
            for logs in self.logs.values()
            for log in logs.tasks.values()
            for row in log.ids
        }
        groups, unmeasured = _groups(self)
        return Benchmarks(
            tool=next(iter(self.logs.values())).tool,
            tasks=tasks,
            task=np.array([number.get(row, -1) for row in ids], dtype=np.int64),
            measured=self.measured,
            groups=groups,
            unmeasured={**self.unmeasured, **unmeasured},
            reported={role: dict(_reported(logs)) for role, logs in self.logs.items()},
            notes=self.notes,
        )


def compare(opened: Mapping[Subject, Opened], data: DataTable) -> Compared | None:
    """Compare the subjects' runs, before any row is looked at; None where there are none.

    Raises:
        DataError: for subjects that are no runs of the same tool, another version of a task, few-
            shot number, filter or target, or fewer than half of a task's documents.
    """
    roles = sorted(opened, key=lambda role: role != "teacher")
    logs: dict[Subject, BenchmarkLogs] = {}
    names = {role: f"[{role}] {opened[role].name}" for role in roles}
    for role in roles:
        adapter = opened[role].adapter
        if isinstance(adapter, BenchmarkRun):
            logs[role] = adapter.logs
    if not logs:
        return None
    first = next(iter(logs))
    for role in roles:
        if role not in logs or logs[role].tool != logs[first].tool:
            raise DataError(
                f"{names[first]} is a run of {logs[first].tool} and {names[role]} is not; rows "
                "pair only within one tool: run the same tasks for both"
            )
    _refuse_fewer_than_half(logs, names)
    notes = [*_differences(logs, names), *_other_aggregates(logs, names)]
    scales, measured, unmeasured = _scales(logs, names, data)
    return Compared(
        logs=logs,
        data=data.model_copy(update={"scores": scales}),
        measured=measured,
        unmeasured=unmeasured,
        notes=tuple(notes),
    )


def _refuse_fewer_than_half(
    logs: Mapping[Subject, BenchmarkLogs], names: Mapping[Subject, str]
) -> None:
    for task in _tasks(logs):
        rows = {
            role: set(one.tasks[task].ids) if task in one.tasks else set()
            for role, one in logs.items()
        }
        every = set().union(*rows.values())
        for role, found in rows.items():
            if 2 * len(found) < len(every):
                raise DataError(
                    f"{names[role]} has {len(found)} of the {len(every)} documents of task "
                    f"{task!r} that the subjects were asked; fewer than half is not evidence. Run "
                    "it on the same documents (limit, data set), or take the task out of all runs"
                )


def _differences(
    logs: Mapping[Subject, BenchmarkLogs], names: Mapping[Subject, str]
) -> Iterator[str]:
    """Notes of what may differ between runs.

    Raises:
        DataError: for what may not.
    """
    first, *others = logs
    for role in others:
        changed, rows, tasks, unsaid = 0, 0, [], []
        for task, one in logs[first].tasks.items():
            other = logs[role].tasks.get(task)
            if other is None:
                continue
            _refuse_other_setting(one, other, names[first], names[role])
            count, of = _prompts(one, other, names[first], names[role])
            changed, rows = changed + count, rows + of
            tasks += [task] if count else []
            if one.version is None or other.version is None or set(one.setting) != {*other.setting}:
                unsaid.append(task)
        if changed:
            yield (
                f"{names[role]} was shown other prompts than {names[first]} on {changed} of {rows} "
                f"rows, of {len(tasks)} tasks ({examples(tasks)}); the documents are the same. "
                "Chat templates differ between models: make sure that this difference is meant."
            )
        if unsaid:
            yield (
                f"{names[first]} or {names[role]} has no results file that says the task version "
                f"and the few-shot number of {examples(unsaid)}: they were not compared."
            )


def _refuse_other_setting(one: TaskLog, other: TaskLog, who: str, whom: str) -> None:
    pairs = {"version": (one.version, other.version)}
    pairs |= {
        name: (one.setting[name], other.setting[name])
        for name in sorted(set(one.setting) & set(other.setting))
    }
    for what, (mine, theirs) in pairs.items():
        if mine is not None and theirs is not None and mine != theirs:
            raise DataError(
                f"task {one.task!r} has {what} {mine} in {who} and {theirs} in {whom}: they are "
                "not comparable; run one of them again, like the other"
            )
    if one.filters != other.filters:
        raise DataError(
            f"task {one.task!r} was scored with the filters {examples(sorted(one.filters))} in "
            f"{who} and {examples(sorted(other.filters))} in {whom}; run one of them again, like "
            "the other"
        )


def _prompts(one: TaskLog, other: TaskLog, who: str, whom: str) -> tuple[int, int]:
    """On how many of the rows both have the prompts differ.

    Raises:
        DataError: where the expected answers differ.
    """
    theirs = dict(zip(other.ids, zip(other.prompts, other.targets, strict=True), strict=True))
    changed = rows = 0
    for row, prompt, target in zip(one.ids, one.prompts, one.targets, strict=True):
        if row not in theirs:
            continue
        rows += 1
        changed += prompt != theirs[row][0]
        if target != theirs[row][1]:
            raise DataError(
                f"task {one.task!r}: {who} and {whom} expect other answers to the same document "
                f"(row {row!r}); the task was changed between the runs: run both with the same one"
            )
    return changed, rows


def _other_aggregates(
    logs: Mapping[Subject, BenchmarkLogs], names: Mapping[Subject, str]
) -> Iterator[str]:
    """Where the tool's own aggregate is not the mean of the rows it logged."""
    for role, one in logs.items():
        for task, log in one.tasks.items():
            for metric, said in log.reported.items():
                if metric not in log.scores or metric not in log.averaged:
                    continue
                found = float(log.scores[metric].mean())
                if math.isfinite(found) and not _near(found, said.value):
                    yield (
                        f"{names[role]}: {one.tool} reports {said.value:.6g} as {metric} of "
                        f"{task}, and its rows give {found:.6g}: rows are missing, or the files "
                        "are of different runs."
                    )


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= NEAR * max(1.0, abs(other))


def _scales(
    logs: Mapping[Subject, BenchmarkLogs], names: Mapping[Subject, str], data: DataTable
) -> tuple[dict[str, ScoreTable], dict[str, frozenset[str]], dict[Named, str]]:
    """The scale of every metric, the tasks it is measured in, and why others are not."""
    scales, measured, unmeasured = dict(data.scores), {}, {}
    metrics = {m for one in logs.values() for log in one.tasks.values() for m in _metrics(log)}
    for name in data.scores:
        if name not in metrics:
            raise DataError(f"[data.scores]: {unknown('metric', name, metrics)}")
    for metric in sorted(metrics):
        tasks = set()
        for task in _tasks(logs):
            found = {role: one.tasks[task] for role, one in logs.items() if task in one.tasks}
            if not any(metric in _metrics(log) for log in found.values()):
                continue
            scale = _scale(metric, found, names, data)
            if isinstance(scale, str):
                unmeasured[task, metric] = scale
            elif scale != scales.setdefault(metric, scale):
                unmeasured[task, metric] = f"other tasks have {metric} with another direction"
            else:
                tasks.add(task)
        if tasks:
            measured[metric] = frozenset(tasks)
    return {name: scales[name] for name in measured}, measured, unmeasured


def _metrics(log: TaskLog) -> set[str]:
    return {*log.scores, *log.unscored}


def _scale(
    metric: str, found: Mapping[Subject, TaskLog], names: Mapping[Subject, str], data: DataTable
) -> ScoreTable | str:
    """The scale of one metric in one task, or why there is none."""
    for role, log in found.items():
        if metric not in log.scores:
            return log.unscored.get(metric, f"{names[role]} has no {metric} there")
    if metric in data.scores:
        return data.scores[metric]
    declare = f'say so under [data.scores."{metric}"]: better, low, high'
    ways: set[Better] = {log.better[metric] for log in found.values() if metric in log.better}
    if len(ways) != 1:
        return f"the logs do not say which way {metric} is better; {declare}"
    (better,) = ways
    high = 2.0 if metric.partition(",")[0] == "brier_score" else 1.0
    values = np.concatenate([log.scores[metric] for log in found.values()])
    values = values[np.isfinite(values)]
    if len(values) and not (values.min() >= 0 and values.max() <= high):
        return (
            f"its rows run from {values.min():.4g} to {values.max():.4g}, and a missing one needs "
            f"a worst score; {declare}"
        )
    return ScoreTable(better=better, low=0.0, high=high)


def _reported(logs: BenchmarkLogs) -> Iterator[tuple[Named, Reported]]:
    for task, log in logs.tasks.items():
        yield from (((task, metric), said) for metric, said in log.reported.items())
    for group in logs.groups:
        yield from (((group.group, metric), said) for metric, said in group.reported.items())


def _groups(compared: Compared) -> tuple[tuple[GroupMean, ...], dict[Named, str]]:
    """The groups whose aggregate is understood, and why others are not.

    lm-eval weighs a group's tasks by their rows or alike, and does not log which: whichever gives
    its own aggregate is taken; where both do, that by rows.
    """
    found: list[GroupMean] = []
    unmeasured: dict[Named, str] = {}
    named = {
        (group.group, metric): group.tasks
        for role in ORDER
        if role in compared.logs
        for group in compared.logs[role].groups
        for metric in group.reported
    }
    for (group, metric), tasks in sorted(named.items()):
        having = [
            task
            for task in tasks
            if task in compared.measured.get(metric, ()) or (task, metric) in compared.unmeasured
        ]
        lacking = [task for task in having if task not in compared.measured.get(metric, ())]
        if lacking:
            unmeasured[group, metric] = f"{metric} of {examples(lacking)} is not compared"
            continue
        every = [_weighing(logs, group, metric, having) for logs in compared.logs.values()]
        ways = [way for way in every if way]  # a run that lacks rows fits neither, and is noted
        if not ways or not having:
            unmeasured[group, metric] = (
                "the tool's aggregate is neither the mean over rows nor over tasks"
            )
        elif all("rows" in way for way in ways):
            found.append(GroupMean(group=group, metric=metric, tasks=tuple(having), by="rows"))
        elif all("tasks" in way for way in ways):
            found.append(GroupMean(group=group, metric=metric, tasks=tuple(having), by="tasks"))
        else:
            unmeasured[group, metric] = "the subjects' runs weigh its tasks differently"
    return tuple(found), unmeasured


def _weighing(logs: BenchmarkLogs, group: str, metric: str, tasks: list[str]) -> set[str]:
    """By what the tool's aggregate of a group may weigh its tasks; anything where it has none."""
    said = next((g.reported.get(metric) for g in logs.groups if g.group == group), None)
    if said is None or not tasks or any(task not in logs.tasks for task in tasks):
        return {"rows", "tasks"}
    means = np.array([logs.tasks[task].scores[metric].mean() for task in tasks])
    rows = np.array([len(logs.tasks[task]) for task in tasks])
    ways = {"rows": float((means * rows).sum() / rows.sum()), "tasks": float(means.mean())}
    return {way for way, value in ways.items() if _near(value, said.value)}


def _tasks(logs: Mapping[Subject, BenchmarkLogs]) -> tuple[str, ...]:
    """Every task of any run, sorted."""
    return tuple(sorted({task for one in logs.values() for task in one.tasks}))
