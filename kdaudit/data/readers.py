"""Read a table from the file, or the data set of a library, that a user names."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kdaudit.data import bbq, hugging_face
from kdaudit.data.audit_file import RUNS
from kdaudit.data.typed_tables import from_arrow, from_frame, from_records
from kdaudit.errors import DataError, unknown
from kdaudit.governance.digest import file_digest

SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl"}
SKLEARN = ("breast_cancer", "digits", "iris", "wine")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A table as it was read, with the digest of the bytes it came from."""

    name: str
    table: pd.DataFrame
    sha256: str


def read(source: str, base: Path) -> Source:
    """Read csv, parquet, jsonl, ``sklearn:NAME`` or ``datasets:FOLDER``, relative to ``base``.

    ``lm-eval:FOLDER`` and ``inspect:FOLDER`` are the rows of an earlier run of benchmarks, and
    ``bbq:FILE`` is a file of BBQ.

    Every cell of a csv file is text; nothing but the empty cell counts as missing.

    Raises:
        DataError: for a missing file, a folder, an unknown ending, bytes that are not UTF-8, a
            file without rows or with the same column twice.
    """
    if source.startswith("sklearn:"):
        return _sklearn(source)
    if source.startswith(hugging_face.PREFIX):
        return _hugging_face(source, base)
    if source.startswith(RUNS):
        return _run(source, base)
    if source.startswith(bbq.PREFIX):
        made = read(source.removeprefix(bbq.PREFIX), base)
        return replace(made, name=source, table=bbq.as_table(made.table, made.name))
    path = base / source
    if path.is_dir():
        raise DataError(f"{source} is a folder; name a file in it (csv, parquet or jsonl)")
    if not path.exists():
        raise DataError(f"there is no file {source} (looked in {base.resolve()})")
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise DataError(unknown(f"ending of data file {source}:", path.suffix, SUFFIXES))
    if path.stat().st_size == 0:
        raise DataError(f"{source} is empty (0 bytes); write it again")
    table = {"csv": _csv, "parquet": _parquet, "jsonl": _jsonl}[kind](path, source)
    if table.empty:
        raise DataError(f"{source} has columns but no rows; nothing can be audited")
    return Source(name=source, table=table, sha256=file_digest(path))


def _text(path: Path, source: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source} is not UTF-8: byte {error.object[error.start]:#04x} at offset "
            f"{error.start}; save it as UTF-8"
        ) from error


def _csv(path: Path, source: str) -> pd.DataFrame:
    text = _text(path, source)
    try:
        header = next(csv.reader(io.StringIO(text, newline="")), [])
        # Every cell as text: "007" and "1.0" are ids and labels before they are numbers.
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=[""])
    except (csv.Error, pd.errors.ParserError, ValueError) as error:
        raise DataError(f"{source} is not a csv table: {error}".strip()) from error
    for mark in (";", "\t"):
        if len(header) == 1 and mark in header[0]:
            raise DataError(f"{source} seems to be separated by {mark!r}; save it with commas")
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"{source} has the column {name!r} twice; rename one")
    if not isinstance(table.index, pd.RangeIndex):
        # pandas takes the first column for an index then, and shifts all others.
        raise DataError(
            f"{source}: rows have more cells than the {len(header)} columns of the header; is "
            "there a comma at the end of each row, or a column without a name?"
        )
    return table


def _parquet(path: Path, source: str) -> pd.DataFrame:
    try:
        names = pq.read_schema(path).names
        table = pq.read_table(path) if len(set(names)) == len(names) else None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{source} cannot be read as Parquet (truncated?): {error}") from error
    if table is None:
        raise DataError(f"{source} has a column twice; rename one")
    return from_arrow(table)


def _jsonl(path: Path, source: str) -> pd.DataFrame:
    # Not pandas' reader, which makes dates and numbers of what looks like them.
    rows = []
    for number, line in enumerate(_text(path, source).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(
                f"{source} is not one JSON object per line: line {number}: {error}"
            ) from error
        if not isinstance(row, dict):
            raise DataError(f"{source} is not one JSON object per line: line {number} is {line!r}")
        if "\\u" in line:
            _refuse_half_characters(row, source)
        rows.append(row)
    return from_records(rows)


def _refuse_half_characters(row: dict[str, object], source: str) -> None:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{source} holds {error.object[error.start : error.end]!r}, half of a character; "
            "write it again as UTF-8"
        ) from error


def _hugging_face(source: str, base: Path) -> Source:
    table, digest = hugging_face.table(source, base)
    if table.empty:
        raise DataError(f"{source} has columns but no rows; nothing can be audited")
    return Source(name=source, table=table, sha256=digest)


def _run(source: str, base: Path) -> Source:
    from kdaudit.data.inspect_logs import read_inspect
    from kdaudit.data.lm_eval_logs import read_lm_eval

    tool, _, folder = source.partition(":")
    if not folder:
        raise DataError(
            f"{source} names no folder: give one with logs of {tool}, or tasks to run under "
            "[lm_eval], which `kdaudit run` and `kdaudit audit` carry out"
        )
    logs = {"lm-eval": read_lm_eval, "inspect": read_inspect}[tool](folder, base)
    return Source(name=source, table=logs.table(), sha256=logs.sha256)


def _sklearn(source: str) -> Source:
    from sklearn import datasets

    name = source.removeprefix("sklearn:")
    if name not in SKLEARN:
        raise DataError(unknown("scikit-learn data set", name, SKLEARN))
    bunch = getattr(datasets, f"load_{name}")()
    columns = [str(column).replace(" ", "_") for column in bunch.feature_names]
    table = pd.DataFrame(np.asarray(bunch.data, dtype=np.float64), columns=columns)
    table["label"] = [str(bunch.target_names[i]) for i in bunch.target]
    table["id"] = [f"{name}-{i:05d}" for i in range(len(table))]
    content = hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
    return Source(name=source, table=from_frame(table), sha256=content)
