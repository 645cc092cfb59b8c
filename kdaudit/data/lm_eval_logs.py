"""Read what lm-eval wrote: ``samples_<task>_<time>.jsonl``, and ``results_<time>.json`` beside it.

The formats are those of lm-eval 0.4.3 and later; lm-eval itself is not imported. The samples hold
every row's scores; the results hold the task's version, its few-shot number, which way is better
and lm-eval's own aggregates.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdaudit.data.benchmark_logs import (
    BenchmarkLogs,
    Better,
    GroupLog,
    Reported,
    TaskLog,
    once,
    repeats,
    short_fields,
)
from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Floats
from kdaudit.governance.digest import file_digest, json_digest

TOOL = "lm-eval"
NO_FILTER = "none"
# What a row holds beside its metrics; rows before 0.4.8 do not list those.
ALWAYS = frozenset(
    (
        "arguments",
        "doc",
        "doc_hash",
        "doc_id",
        "filter",
        "filtered_resps",
        "metrics",
        "prompt_hash",
        "resps",
        "target",
        "target_hash",
    )
)
# Where no results file says which way is better: as lm-eval registers these metrics.
LOWER = frozenset(
    ("bits_per_byte", "brier_score", "byte_perplexity", "perplexity", "ter", "word_perplexity")
)
HIGHER = frozenset(
    ("acc", "acc_bytes", "acc_mutual_info", "acc_norm", "em", "exact_match", "f1", "likelihood")
)
MEANS = (None, "mean", "nanmean", "brier_score")  # aggregations; absent is the mean
CORPUS = ("acc_all", "bleu", "chrf", "chrf++", "f1", "likelihood", "mcc", "ter")
WEIGHTED = ("bits_per_byte", "byte_perplexity", "word_perplexity")


@dataclass(frozen=True, slots=True)
class _Run:
    """What the results file of a run says; empty where there is none."""

    said: Mapping[str, Any]

    def of(self, table: str, task: str) -> Any:
        named = self.said.get(table)
        return named.get(task) if isinstance(named, dict) else None

    def reported(self, table: str, task: str) -> dict[str, Reported]:
        """lm-eval's own aggregates by metric."""
        found = {}
        values = self.of(table, task) or {}
        for name, value in values.items():
            metric, comma, filtered = name.partition(",")
            if not comma or metric.endswith("_stderr") or not _is_number(value):
                continue
            spread = values.get(f"{metric}_stderr,{filtered}")
            stderr = None if spread is None or not _is_number(spread) else float(spread)
            found[_named(metric, filtered)] = Reported(float(value), stderr)
        return found


def read_lm_eval(source: str, base: Path) -> BenchmarkLogs:
    """Read a folder with lm-eval's logs of one model, or one ``samples_*.jsonl``.

    Args:
        source: folder or file, relative to ``base``; folders below are read too.
        base: folder of the audit file.

    Raises:
        DataError: for a missing path, no samples in it, a task run twice, a line that is cut off,
            or a row without document.
    """
    path = base / source
    if not path.exists():
        raise DataError(f"there is no folder or file {source} (looked in {base.resolve()})")
    files = sorted(path.rglob("samples_*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise DataError(
            f"{source} has no samples_*.jsonl; lm-eval writes them with --log_samples and "
            "--output_path"
        )
    results = {file: _results_of(file) for file in files}
    said = {file: _Run(_object(file)) for file in set(results.values()) if file is not None}
    logs = [
        _task(file, _Run({}) if beside is None else said[beside])
        for file, beside in results.items()
    ]
    tasks = once(logs)
    return BenchmarkLogs(
        tool=TOOL,
        name=source,
        sha256=json_digest([[file.name, file_digest(file)] for file in sorted({*files, *said})]),
        tasks=tasks,
        groups=_groups([said[file] for file in sorted(said)], tasks),
        about={
            str(name): str(value)
            for run in said.values()
            if isinstance(model := run.said.get("model"), dict)
            for name, value in model.items()
        },
    )


def _results_of(file: Path) -> Path | None:
    """The results file of the run that wrote ``samples_<task>_<time>.jsonl``, by the time."""
    time = file.stem.rpartition("_")[2]
    found = sorted(file.parent.glob(f"*_{time}.json"))
    return found[0] if found else None


def _object(file: Path) -> dict[str, Any]:
    try:
        said = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise DataError(
            f"{file.name} is not JSON (cut off?): {error}; copy it from the run again, or take it "
            "away: then neither versions nor few-shot numbers are compared"
        ) from None
    if not isinstance(said, dict):
        raise DataError(f"{file.name} is no JSON object; is it a results file of lm-eval?")
    return said


def _task(file: Path, run: _Run) -> TaskLog:
    task = file.stem.removeprefix("samples_").rpartition("_")[0] or file.stem
    first: dict[int, Mapping[str, Any]] = {}  # a row of each document; filters repeat it
    values: dict[str, dict[int, object]] = {}
    filters = set()
    for row in _lines(file):
        number, filtered = row["doc_id"], str(row.get("filter", NO_FILTER))
        first.setdefault(number, row)
        filters.add(filtered)
        for metric in row.get("metrics", sorted(set(row) - ALWAYS)):
            column = values.setdefault(_named(metric, filtered), {})
            if number in column:
                raise DataError(
                    f"{file.name}: document {number} of task {task!r} stands twice; lm-eval "
                    "appends to a file that is there: keep one run per file"
                )
            column[number] = _score(row, metric)
    if not first:
        raise DataError(f"{file.name} holds no rows; nothing can be audited")
    order = sorted(first)
    rows = [first[number] for number in order]
    scores, unscored = _columns({m: [v.get(n) for n in order] for m, v in values.items()})
    version, shots = run.of("versions", task), run.of("n-shot", task)
    return TaskLog(
        task=task,
        file=file.name,
        version=None if version is None else str(version),
        setting={} if shots is None else {"few-shot number": str(shots)},
        filters=frozenset(filters),
        documents=tuple(str(row["doc_hash"]) for row in rows),
        repeats=tuple(repeats(str(row["doc_hash"]) for row in rows)),
        prompts=tuple(str(row.get("prompt_hash", "")) for row in rows),
        targets=tuple(str(row.get("target_hash", "")) for row in rows),
        scores=scores,
        unscored=unscored,
        better=_better(run.of("higher_is_better", task), [*scores, *unscored]),
        averaged=_averaged(scores, run.of("configs", task)),
        reported=run.reported("results", task),
        fields=short_fields([row.get("doc") for row in rows]),
    )


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"{file.name}: line {number} is not JSON (cut off?): {error}; copy the file "
                    "from the run again, or run the task again"
                ) from None
            if not (isinstance(row, dict) and type(row.get("doc_id")) is int):
                raise DataError(
                    f"{file.name}: line {number} has no doc_id; is it a samples file of lm-eval?"
                )
            if "doc_hash" not in row:
                raise DataError(
                    f"{file.name}: line {number} has no doc_hash, by which rows pair; run the task "
                    "with lm-eval 0.4.3 or later"
                )
            yield row


def _columns(values: Mapping[str, list[object]]) -> tuple[dict[str, Floats], dict[str, str]]:
    """Metrics with a number per row, and why the others have none."""
    scores: dict[str, Floats] = {}
    unscored: dict[str, str] = {}
    for metric, cells in values.items():
        plain = metric.partition(",")[0]
        numbers = [math.nan if cell is None else cell for cell in cells]
        if all(map(_is_number, numbers)):
            scores[metric] = np.array(numbers, dtype=np.float64)
        elif plain in (*CORPUS, *WEIGHTED):
            unscored[metric] = f"lm-eval computes {plain} over all rows; a row has no score of it"
        else:
            unscored[metric] = f"lm-eval logs no single number per row for {plain}"
    return scores, unscored


def _score(row: Mapping[str, Any], metric: str) -> object:
    """A row's value of a metric; of the Brier score, which is logged in pieces, that of the row.

    The pieces are (index of the right choice, probabilities as numpy prints them); the choices'
    log-likelihoods beside them have every digit.
    """
    value = row.get(metric)
    if not (metric == "brier_score" and isinstance(value, list) and isinstance(value[0], int)):
        return value
    try:
        likely = np.array([float(choice[0]) for choice in row["filtered_resps"]])
    except (KeyError, IndexError, TypeError, ValueError):
        return value
    if "acc_mutual_info" in row:  # the second half are the choices without their question
        likely = likely[: len(likely) // 2]
    odds = np.exp(likely - likely.max())
    right = np.arange(len(likely)) == value[0]
    return float(np.square(odds / odds.sum() - right).sum())


def _better(said: object, metrics: list[str]) -> dict[str, Better]:
    known = said if isinstance(said, dict) else {}
    found: dict[str, Better] = {}
    for metric in metrics:
        plain = metric.partition(",")[0]
        higher = known.get(plain)
        if higher is True or (higher is None and plain in HIGHER):
            found[metric] = "higher"
        elif higher is False or (higher is None and plain in LOWER):
            found[metric] = "lower"
    return found


def _averaged(metrics: Iterable[str], config: object) -> frozenset[str]:
    """Metrics whose aggregate is the mean over rows, as the task's configuration says."""
    listed = config.get("metric_list") if isinstance(config, dict) else None
    otherwise = {"perplexity"} | {
        one.get("metric")
        for one in listed or ()
        if isinstance(one, dict) and one.get("aggregation") not in MEANS
    }
    return frozenset(one for one in metrics if one.partition(",")[0] not in otherwise)


def _groups(runs: list[_Run], tasks: Mapping[str, TaskLog]) -> tuple[GroupLog, ...]:
    found: dict[str, GroupLog] = {}
    for run in runs:
        for group in run.said.get("groups") or {}:
            leaves = sorted(set(_leaves(group, run)) & set(tasks))
            reported = run.reported("groups", group)
            if leaves and reported:
                found[group] = GroupLog(group=group, tasks=tuple(leaves), reported=reported)
    return tuple(found[name] for name in sorted(found))


def _leaves(name: str, run: _Run, above: tuple[str, ...] = ()) -> Iterator[str]:
    inside = run.of("group_subtasks", name)
    if not inside or name in above:
        yield name
        return
    for child in inside:
        yield from _leaves(str(child), run, (*above, name))


def _named(metric: str, filtered: str) -> str:
    """As lm-eval prints it, without the filter where there is none."""
    return metric if filtered == NO_FILTER else f"{metric},{filtered}"


def _is_number(value: object) -> bool:
    return isinstance(value, bool | int | float)
