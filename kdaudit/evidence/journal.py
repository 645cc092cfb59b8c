"""A journal: one line of JSON per answer, on disk as soon as the answer is there.

Answers of language models cost minutes or money, so a run that is killed keeps every one it got.
The last line may be torn then; it is skipped, and what it was about is asked again.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdaudit.errors import writing


@dataclass(frozen=True, slots=True)
class Journal:
    """A file of lines; several processes may add to it."""

    path: Path

    def read(self) -> dict[int, Mapping[str, Any]]:
        """What was noted, by number; of two notes under one number the first counts."""
        found: dict[int, Mapping[str, Any]] = {}
        for said in self._lines():
            found.setdefault(said["number"], said)
        return found

    def append(self, number: int, said: Mapping[str, object]) -> None:
        """Note what belongs to a number; it is with the operating system when this returns."""
        line = json.dumps({"number": number, **said}) + "\n"
        with writing(self.path.parent), self.path.open("ab+", buffering=0) as file:
            if (end := file.seek(0, os.SEEK_END)) and self._last(end) != b"\n":
                line = "\n" + line  # a torn line must not swallow this one
            file.write(line.encode())

    def forget(self) -> None:
        """Remove the file; its answers are kept elsewhere."""
        self.path.unlink(missing_ok=True)

    def _last(self, end: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(end - 1)
            return file.read(1)

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        for line in self.path.read_bytes().split(b"\n"):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and isinstance(said.get("number"), int):
                yield said
