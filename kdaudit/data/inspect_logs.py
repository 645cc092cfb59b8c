"""Read logs of Inspect: ``.eval`` files, zips with ``header.json`` and a file per sample.

Inspect itself is not imported. A row is a sample in one epoch; its document is what the data set
holds (id, input, target, choices), so equal documents pair whatever the prompt was.
"""

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kdaudit.data.benchmark_logs import (
    BenchmarkLogs,
    Better,
    Reported,
    TaskLog,
    once,
    short_fields,
)
from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Floats
from kdaudit.governance.digest import file_digest, json_digest

TOOL = "Inspect"
ZSTD = 93  # of a zip member; Python reads it from 3.14 on, Arrow always
LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def read_inspect(source: str, base: Path) -> BenchmarkLogs:
    """Read a folder with Inspect's logs of one model, or one ``.eval`` file.

    Args:
        source: folder or file, relative to ``base``; folders below are read too.
        base: folder of the audit file.

    Raises:
        DataError: for a missing path, no logs in it, a task run twice, a damaged log, or a run that
            did not end well.
    """
    path = base / source
    if not path.exists():
        raise DataError(f"there is no folder or file {source} (looked in {base.resolve()})")
    files = sorted(path.rglob("*.eval")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{source} has no .eval file; set Inspect's log format to eval")
    return BenchmarkLogs(
        tool=TOOL,
        name=source,
        sha256=json_digest([[file.name, file_digest(file)] for file in files]),
        tasks=once([_log(file) for file in files]),
    )


def _log(file: Path) -> TaskLog:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if "header.json" not in names:
                raise DataError(
                    f"{file.name} has no header.json: the run was not finished; finish it with "
                    "`inspect eval-retry`"
                )
            header = json.loads(_member(archive, "header.json"))
            inside = sorted(name for name in names if name.startswith("samples/"))
            samples = [json.loads(_member(archive, name)) for name in inside]
        return _task(file, header, samples)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError) as error:
        raise DataError(
            f"{file.name} cannot be read as a log of Inspect (cut off?): {error}"
        ) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file.name} is no log of Inspect as known here: {type(error).__name__}: {error}"
        ) from None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """One member's bytes, of whatever compression Inspect writes."""
    about = archive.getinfo(name)
    if about.compress_type != ZSTD:
        return archive.read(name)
    assert archive.fp is not None
    archive.fp.seek(about.header_offset)
    local = archive.fp.read(30)
    skip = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    archive.fp.seek(skip, 1)
    packed = pa.BufferReader(archive.fp.read(about.compress_size))
    found: bytes = pa.CompressedInputStream(packed, "zstd").read()
    if zlib.crc32(found) != about.CRC:
        raise zipfile.BadZipFile(f"{name} has another checksum than the zip says")
    return found


def _task(file: Path, header: Mapping[str, Any], samples: list[dict[str, Any]]) -> TaskLog:
    spec, status = header["eval"], header.get("status")
    if status != "success":
        raise DataError(
            f"{file.name}: the run ended with status {status!r}; finish it with "
            "`inspect eval-retry`"
        )
    if not samples:
        raise DataError(f"{file.name} holds no samples; nothing can be audited")
    samples = sorted(samples, key=lambda sample: (str(sample["id"]), sample["epoch"]))
    scored = [_scores(sample.get("scores") or {}) for sample in samples]
    metrics = sorted({metric for row in scored for metric in row})
    columns = {metric: [row.get(metric) for row in scored] for metric in metrics}
    numbers = {metric: list(map(_number, cells)) for metric, cells in columns.items()}
    scores: dict[str, Floats] = {
        metric: np.array([math.nan if x is None else x for x in cells], dtype=np.float64)
        for metric, cells in numbers.items()
        if all(x is not None or columns[metric][i] is None for i, x in enumerate(cells))
    }
    reported, averaged = _reported((header.get("results") or {}).get("scores") or [])
    letters = {m for m in scores if any(isinstance(cell, str) for cell in columns[m])}
    better: dict[str, Better] = dict.fromkeys(letters | averaged["accuracy"], "higher")
    return TaskLog(
        task=str(spec["task"]),
        file=file.name,
        version=str(spec.get("task_version", 0)),
        setting={
            "task arguments": json.dumps(spec.get("task_args") or {}, sort_keys=True),
            "solver": json.dumps([spec.get("solver"), spec.get("solver_args")], sort_keys=True),
        },
        filters=frozenset(metric.partition(".")[0] for metric in metrics),
        documents=tuple(json_digest(_document(sample)) for sample in samples),
        repeats=tuple(int(sample["epoch"]) - 1 for sample in samples),
        prompts=tuple(json_digest(_prompt(sample)) for sample in samples),
        targets=tuple(json_digest(sample.get("target")) for sample in samples),
        scores=scores,
        unscored={
            metric: f"{metric} is no single number per sample"
            for metric in metrics
            if metric not in scores
        },
        better=better,
        averaged=frozenset(averaged["accuracy"] | averaged["mean"]),
        reported=reported,
        fields=short_fields([sample.get("metadata") or {} for sample in samples]),
    )


def _scores(scores: Mapping[str, Any]) -> dict[str, object]:
    """Values by metric: the scorer's name, and its key where it gives several."""
    found: dict[str, object] = {}
    for scorer, score in scores.items():
        value = score["value"]
        if isinstance(value, dict):
            found |= {f"{scorer}.{key}": cell for key, cell in value.items()}
        else:
            found[scorer] = value
    return found


def _number(value: object) -> float | None:
    """As Inspect counts: C, P, I and N; words of truth; numbers."""
    if isinstance(value, bool | int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    if value in LETTERS:
        return LETTERS[value]
    try:
        return WORDS[value.lower()] if value.lower() in WORDS else float(value)
    except ValueError:
        return None


def _reported(scores: list[dict[str, Any]]) -> tuple[dict[str, Reported], dict[str, set[str]]]:
    """Inspect's own means, and which metrics it calls accuracy or mean."""
    found: dict[str, Reported] = {}
    called: dict[str, set[str]] = {"accuracy": set(), "mean": set()}
    for score in scores:
        if score.get("reducer") not in (None, "mean"):
            continue
        scorer, name = score["scorer"], score["name"]
        metric = scorer if name == scorer else f"{scorer}.{name}"
        values = score.get("metrics") or {}
        for kind in ("mean", "accuracy"):
            if kind in values:
                called[kind].add(metric)
                stderr = (values.get("stderr") or {}).get("value")
                found[metric] = Reported(
                    float(values[kind]["value"]), None if stderr is None else float(stderr)
                )
    return found, called


def _document(sample: Mapping[str, Any]) -> list[object]:
    return [
        str(sample["id"]),
        _without_ids(sample["input"]),
        sample.get("target"),
        sample.get("choices"),
    ]


def _prompt(sample: Mapping[str, Any]) -> object:
    """The messages before the model's first."""
    shown = []
    for message in sample.get("messages") or []:
        if message.get("role") == "assistant":
            break
        shown.append(message)
    return _without_ids(shown)


def _without_ids(messages: object) -> object:
    """Messages without the random names that Inspect gives them."""
    if not isinstance(messages, list):
        return messages
    return [{k: v for k, v in message.items() if k != "id"} for message in messages]
