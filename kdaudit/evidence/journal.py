"""A journal: one line of JSON per answer, on disk as soon as the answer is there.

Answers of language models cost minutes or money, so a run that is killed keeps every one it got.
The last line may be torn then; it is skipped, and what it was about is asked again. A line that is
whole carries its digest, so that one that was changed afterwards is not taken for an answer.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdaudit.errors import DamagedError, writing
from kdaudit.governance.digest import json_digest

DIGEST = "sha256"


@dataclass(frozen=True, slots=True)
class Journal:
    """A file of lines; several processes may add to it."""

    path: Path

    def read(self) -> dict[int, Mapping[str, Any]]:
        """What was noted, by number; of two notes under one number the first counts.

        Raises:
            DamagedError: for a line that is not what was written.
        """
        found: dict[int, Mapping[str, Any]] = {}
        for said in self._lines():
            found.setdefault(said["number"], said)
        return found

    def append(self, number: int, said: Mapping[str, object]) -> None:
        """Note what belongs to a number; it is with the operating system when this returns."""
        noted = {"number": number, **said}
        line = json.dumps({**noted, DIGEST: self._digest(noted)}) + "\n"
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
        for number, line in enumerate(self.path.read_bytes().split(b"\n"), 1):
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if not isinstance(said, dict) or said.pop(DIGEST, None) != self._digest(said):
                raise DamagedError(
                    f"line {number} of {self.path} is not the answer that was noted: delete that "
                    "line and run again to ask anew"
                )
            yield said

    def _digest(self, said: Mapping[str, object]) -> str | None:
        """Of what was noted, and of the set it belongs to, whose folder it names."""
        try:
            return json_digest([self.path.parent.name, said])
        except ValueError:  # NaN, which no answer holds
            return None
