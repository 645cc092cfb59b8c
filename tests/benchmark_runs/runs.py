"""Logs as lm-eval 0.4.13 and Inspect 0.3 write them, from scores that a test names."""

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

TIME = "2026-01-02T03-04-05.678901"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def mean(values: Sequence[float]) -> float:
    """lm-eval's own."""
    return sum(values) / len(values)


def mean_stderr(values: Sequence[float]) -> float:
    """lm-eval's own."""
    mu = mean(values)
    deviation = math.sqrt(sum((x - mu) ** 2 for x in values) / (len(values) - 1))
    return deviation / math.sqrt(len(values))


@dataclass(kw_only=True)
class Task:
    """One task of a run: scores by (metric, filter), one per document."""

    scores: Mapping[tuple[str, str], Sequence[Any]]
    version: float | str = 1.0
    shots: int = 0
    template: str = ""
    documents: Sequence[str] = ()
    targets: Sequence[str] = ()
    better: Mapping[str, bool] = field(default_factory=dict)
    aggregation: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """The lines of the samples file, filter by filter."""
        lines: list[dict[str, Any]] = []
        for filtered in dict.fromkeys(name for _, name in self.scores):
            columns = {m: v for (m, name), v in self.scores.items() if name == filtered}
            n = len(next(iter(columns.values())))
            for i in range(n):
                document = self.documents[i] if self.documents else f"question {i}"
                target = self.targets[i] if self.targets else "a"
                row: dict[str, Any] = {
                    "doc_id": i,
                    "doc": {"question": document, "topic": "ab"[i % 2]},
                    "target": target,
                    "arguments": {"gen_args_0": {"arg_0": document, "arg_1": " a"}},
                    "resps": [[["-1.5", "False"]], [["-0.5", "False"]]],
                    "filtered_resps": [["-1.5", "False"], ["-0.5", "False"]],
                    "filter": filtered,
                    "metrics": list(columns),
                    "doc_hash": sha(document),
                    "prompt_hash": sha(self.template + document),
                    "target_hash": sha(target),
                }
                lines.append(row | {metric: values[i] for metric, values in columns.items()})
        return lines

    def result(self) -> dict[str, Any]:
        """The task's entry among the results, with lm-eval's arithmetic."""
        found: dict[str, Any] = {"sample_len": max(map(len, self.scores.values()))}
        for (metric, filtered), values in self.scores.items():
            if all(isinstance(value, int | float) for value in values):
                found[f"{metric},{filtered}"] = mean(values)
                spread = mean_stderr(values) if len(values) > 1 else "N/A"
                found[f"{metric}_stderr,{filtered}"] = spread
        return found


def lm_eval_run(
    folder: Path,
    tasks: Mapping[str, Task],
    groups: Mapping[str, tuple[Sequence[str], bool]] | None = None,
    *,
    results: bool = True,
    time: str = TIME,
) -> Path:
    """Write a run; ``groups`` maps a name to (tasks, weight_by_size)."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {name: task.result() for name, task in tasks.items()}
    said: dict[str, Any] = {
        "results": entries,
        "groups": {},
        "group_subtasks": {},
        "configs": {
            name: {
                "task": name,
                "metric_list": [
                    {"metric": metric, "aggregation": task.aggregation.get(metric, "mean")}
                    for metric in dict.fromkeys(metric for metric, _ in task.scores)
                ],
            }
            for name, task in tasks.items()
        },
        "versions": {name: task.version for name, task in tasks.items()},
        "n-shot": {name: task.shots for name, task in tasks.items()},
        "higher_is_better": {
            name: {m: task.better.get(m, True) for m, _ in task.scores}
            for name, task in tasks.items()
        },
        "config": {"model": "hf"},
    }
    for group, (members, by_size) in (groups or {}).items():
        keys = [key for key in entries[members[0]] if "," in key and "_stderr" not in key]
        sizes = [entries[name]["sample_len"] if by_size else 1 for name in members]
        said["groups"][group] = {
            key: sum(entries[name][key] * n for name, n in zip(members, sizes, strict=True))
            / sum(sizes)
            for key in keys
        }
        said["group_subtasks"][group] = list(members)
    for name, task in tasks.items():
        lines = [json.dumps(row) + "\n" for row in task.rows()]
        (folder / f"samples_{name}_{time}.jsonl").write_text("".join(lines), "utf-8")
    if results:
        (folder / f"results_{time}.json").write_text(json.dumps(said, indent=2), "utf-8")
    return folder


def inspect_run(
    file: Path,
    scores: Mapping[str, Sequence[Sequence[Any]]],
    *,
    task: str = "quiz",
    version: int = 0,
    arguments: Mapping[str, Any] | None = None,
    status: str = "success",
    system: str = "",
    zstd: bool = False,
) -> Path:
    """Write an .eval file; ``scores`` holds by scorer, per document, a value per epoch."""
    members: dict[str, Any] = {}
    flat: dict[str, list[float]] = {}
    known = {"C": 1.0, "I": 0.0, "P": 0.5}
    for scorer, documents in scores.items():
        for number, epochs in enumerate(documents):
            for epoch, value in enumerate(epochs, 1):
                name = f"samples/{number}_epoch_{epoch}.json"
                sample = members.setdefault(
                    name,
                    {
                        "id": number,
                        "epoch": epoch,
                        "input": [{"id": f"m{epoch}{system}", "role": "user", "content": "?"}],
                        "target": "A",
                        "choices": ["A", "B"],
                        "messages": [
                            {"id": "s", "role": "system", "content": system},
                            {"id": "u", "role": "user", "content": f"question {number}"},
                            {"id": "a", "role": "assistant", "content": "A"},
                        ],
                        "metadata": {"topic": "ab"[number % 2]},
                        "scores": {},
                    },
                )
                if value is None:
                    sample["scores"] = None
                    continue
                sample["scores"][scorer] = {"value": value, "answer": "A"}
                flat.setdefault(scorer, []).append(known.get(value, value))
    members["header.json"] = {
        "version": 2,
        "status": status,
        "eval": {
            "task": task,
            "task_version": version,
            "task_args": dict(arguments or {}),
            "model": "mock/model",
            "config": {"epochs": len(next(iter(scores.values()))[0])},
        },
        "results": {
            "scores": [
                {
                    "name": scorer,
                    "scorer": scorer,
                    "reducer": None,
                    "metrics": {
                        "accuracy": {"name": "accuracy", "value": mean(values)},
                        "stderr": {"name": "stderr", "value": mean_stderr(values)},
                    },
                }
                for scorer, values in flat.items()
            ]
        },
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(name, json.dumps(value))
    if zstd:
        _as_zstd(file)
    return file


def _as_zstd(file: Path) -> None:
    """The same archive with members of method 93, as Inspect packs them; written by hand."""
    with zipfile.ZipFile(file) as archive:
        content = {info.filename: (archive.read(info), info.CRC) for info in archive.infolist()}
    body, directory = b"", b""
    for name, (data, crc) in content.items():
        packed = pa.Codec("zstd").compress(data, asbytes=True)
        stem = name.encode()
        common = (
            (20).to_bytes(2, "little")
            + (0).to_bytes(2, "little")
            + (93).to_bytes(2, "little")
            + bytes(4)
            + crc.to_bytes(4, "little")
            + len(packed).to_bytes(4, "little")
            + len(data).to_bytes(4, "little")
            + len(stem).to_bytes(2, "little")
            + bytes(2)
        )
        directory += b"PK\x01\x02" + (20).to_bytes(2, "little") + common + bytes(10)
        directory += len(body).to_bytes(4, "little") + stem
        body += b"PK\x03\x04" + common + stem + packed
    end = b"PK\x05\x06" + bytes(4) + len(content).to_bytes(2, "little") * 2
    end += len(directory).to_bytes(4, "little") + len(body).to_bytes(4, "little") + bytes(2)
    file.write_bytes(body + directory + end)
