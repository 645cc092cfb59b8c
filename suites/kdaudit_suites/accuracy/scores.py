"""Task scores: means of what someone computed per row, such as a benchmark's metrics.

Scores of benchmarks have an address per task, and per group of tasks; and beside each stands what
the tool itself said, with the comparison that its standard errors allow: unpaired, as if the two
models had been asked different documents.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.benchmark_tasks import Benchmarks, GroupMean
from kdaudit.evidence.kinds import Bools, Floats, RowScores
from kdaudit.evidence.view import SCORES, Evidence, Rows, Scale
from kdaudit.measure import ends, mean_finding, mean_findings, not_measured
from kdaudit.results import Better, Endpoint, Figure, Finding, Where
from kdaudit.scores import Score, absence
from kdaudit.stats.interval import normal_quantile, tail

COLUMNS = (
    "task",
    "metric",
    "documents",
    "teacher",
    "student",
    "teacher, by the tool",
    "student, by the tool",
    "difference",
    "paired, low",
    "paired, high",
    "unpaired, low",
    "unpaired, high",
)


def task_scores(endpoint: Endpoint, evidence: Evidence) -> list[Finding]:
    """A finding per declared score, and of benchmarks per task, group and metric."""
    benchmarks = evidence.rows.benchmarks
    findings: list[Finding] = []
    for name, scale in evidence.rows.scores.items():
        one = replace(endpoint, metric=name, better=Better(scale.better))
        scores = _scores(evidence, name)
        if benchmarks is None:
            where: Where = (("metric", name),)
            findings.append(mean_finding(one, evidence, scores, where=where))
            continue
        tasks = sorted(benchmarks.measured[name])
        number = np.array([*(_position(task, tasks) for task in benchmarks.tasks), -1])
        findings += mean_findings(
            one,
            evidence,
            scores,
            codes=number[benchmarks.task],
            wheres=[_where("task", task, name) for task in tasks],
        )
        findings += [
            _group(one, evidence, scores, benchmarks, group)
            for group in benchmarks.groups
            if group.metric == name
        ]
    if benchmarks is not None:
        findings += _unmeasured(endpoint, benchmarks)
    return findings


def due(rows: Rows, name: str) -> Bools:
    """(N,) rows that should have a score."""
    if rows.benchmarks is None:
        return np.ones(len(rows), dtype=np.bool_)
    return rows.benchmarks.has(name)


def side_by_side(
    evidence: Evidence, findings: list[Finding]
) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """The tool's own aggregates and unpaired comparison beside the paired one, and what to know."""
    benchmarks = evidence.rows.benchmarks
    if benchmarks is None or evidence.asked is not None:
        return (), ()
    rows = [
        _beside(benchmarks, finding, evidence.level)
        for finding in findings
        if isinstance(finding.student, Estimate)
    ]
    figure = Figure(
        name="benchmarks",
        chart="table",
        title=f"Benchmarks, paired and as {benchmarks.tool} alone would compare them "
        f"({evidence.level:.0%} intervals of student minus teacher)",
        columns=COLUMNS,
        rows=tuple(rows),
    )
    return (figure,) if rows else (), benchmarks.notes


def _scores(evidence: Evidence, name: str) -> dict[Subject, Score | NotMeasured]:
    """Everyone's scores; of 0 and 1 only they are counted, not averaged."""
    scale, trio = evidence.rows.scores[name], evidence[SCORES]
    kinds = {who: trio.of(who) for who in ORDER}
    values = [kind.values[name] for kind in kinds.values() if isinstance(kind, RowScores)]
    known = [column[~np.isnan(column)] for column in values]
    binary = scale.low == 0 and scale.high == 1 and all(np.isin(x, (0, 1)).all() for x in known)
    span = _span(known, sum(map(len, values)), scale)
    return {
        who: Score(
            values=_as(kind.values[name], binary=binary),
            valid=kind.valid(name),
            low=scale.low,
            high=scale.high,
            span=None if binary else span,
        )
        if isinstance(kind, RowScores)
        else absence(kind)
        for who, kind in kinds.items()
    }


def _span(known: list[Floats], rows: int, scale: Scale) -> float | None:
    """How far one row's score can move: as far apart as any two scores of these rows lie.

    A declared scale says how bad a missing answer may be, not what answers are like: of errors of 2
    on a scale that ends at 1000, intervals that allow for one of 1000 on every row say nothing.
    Where an answer is missing, or all scores are one, the whole scale counts.
    """
    seen = np.concatenate(known) if known else np.zeros(0)
    if seen.size < rows or not np.ptp(seen) > 0:
        return None
    return float(min(np.ptp(seen), scale.high - scale.low))


def _as(values: Floats, *, binary: bool) -> Bools | Floats:
    return np.asarray(values == 1, dtype=np.bool_) if binary else values


def _position(task: str, tasks: list[str]) -> int:
    return tasks.index(task) if task in tasks else -1


def _where(key: str, name: str, metric: str) -> Where:
    """The address: a filter stands apart, as in exact_match,strict-match."""
    plain, _, filtered = metric.partition(",")
    return tuple(
        sorted(
            ((key, name), ("metric", plain), *((("filter", filtered),) if filtered else ())),
        )
    )


def _group(
    endpoint: Endpoint,
    evidence: Evidence,
    scores: dict[Subject, Score | NotMeasured],
    benchmarks: Benchmarks,
    group: GroupMean,
) -> Finding:
    inside = np.array([*(task in group.tasks for task in benchmarks.tasks), False])
    rows = inside[benchmarks.task]
    if group.by == "tasks":
        sizes = np.bincount(benchmarks.task[rows], minlength=len(benchmarks.tasks))
        weight = np.ones(len(rows))
        weight[rows] = 1.0 / sizes[benchmarks.task[rows]]
        evidence = replace(evidence, rows=replace(evidence.rows, weight=weight))
        what = f"mean over {len(group.tasks)} tasks, each of which counts the same"
    else:
        what = f"mean over all rows of {len(group.tasks)} tasks"
    return mean_finding(
        endpoint,
        evidence,
        scores,
        where=_where("group", group.group, group.metric),
        rows=rows,
        note=f"{what}, as {benchmarks.tool} weighs this group",
    )


def _unmeasured(endpoint: Endpoint, benchmarks: Benchmarks) -> Iterator[Finding]:
    for (name, metric), reason in benchmarks.unmeasured.items():
        key = "task" if name in benchmarks.tasks else "group"
        yield not_measured(endpoint, _where(key, name, metric), reason)


def _beside(
    benchmarks: Benchmarks, finding: Finding, level: float
) -> tuple[str | int | float | None, ...]:
    where = dict(finding.where)
    name = where.get("task", where.get("group", ""))
    metric = where["metric"] + (f",{where['filter']}" if "filter" in where else "")
    said = {who: benchmarks.reported.get(who, {}).get((name, metric)) for who in ORDER}
    teacher, student = said["teacher"], said["student"]
    unpaired: tuple[float | None, float | None] = (None, None)
    if teacher and student and teacher.stderr is not None and student.stderr is not None:
        reach = normal_quantile(tail(level)) * math.hypot(teacher.stderr, student.stderr)
        centre = student.value - teacher.value
        unpaired = (centre - reach, centre + reach)
    own = (ends(finding.teacher), ends(finding.student))
    return (
        name if "task" in where else f"group {name}",
        metric,
        finding.student.n if isinstance(finding.student, Estimate) else None,
        own[0][0],
        own[1][0],
        None if teacher is None else teacher.value,
        None if student is None else student.value,
        *ends(finding.difference),
        *unpaired,
    )
