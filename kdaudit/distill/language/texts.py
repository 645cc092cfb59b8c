"""Documents from text files. No PyTorch here."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdaudit.errors import DataError

BLANK_LINES = re.compile(r"\n\s*\n")
LIMIT = 2**64


@dataclass(frozen=True, slots=True)
class Document:
    """One text that is read on its own.

    Attributes:
        text: what is learnt.
        prompt: what stands before it and is not; empty for plain text.
        ended: whether the text is over; one that was cut off teaches no end.
    """

    text: str
    prompt: str = ""
    ended: bool = True

    @property
    def digest(self) -> bytes:
        """16 bytes of its content."""
        content = json.dumps([self.prompt, self.text])
        return hashlib.blake2b(content.encode(), digest_size=16).digest()


def read(path: Path) -> list[Document]:
    """The documents of one file.

    A ``.jsonl`` file has one per line: ``{"text": …}``, or ``{"prompt": …, "completion": …}``. In
    any other file blank lines part them.

    Raises:
        DataError: for a file that is not there, not UTF-8 or empty, or a line of another form.
    """
    try:
        content = path.read_text("utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}); convert it first") from error
    if path.suffix == ".jsonl":
        found = [_row(line, path, i) for i, line in _lines(content)]
    else:
        found = [Document(part.strip("\n")) for part in BLANK_LINES.split(content) if part.strip()]
    if not found:
        raise DataError(f"{path} holds no text")
    return found


def split(documents: Sequence[Document], share: float) -> tuple[list[Document], list[Document]]:
    """Documents to learn from, and documents to stop by; a text that comes twice is on one side.

    Args:
        documents: all of them.
        share: of the second, in (0, 1); which they are depends on their content alone.

    Raises:
        DataError: if either side would be empty.
    """
    sides: tuple[list[Document], list[Document]] = ([], [])
    for document in documents:
        drawn = int.from_bytes(document.digest[:8], "big") / LIMIT
        sides[drawn < share].append(document)
    if not all(sides):
        raise DataError(
            f"validation = {share:g} of {len(documents)} documents leaves one side empty; give "
            "more documents (blank lines part those of a text file), or another share"
        )
    return sides


def _lines(content: str) -> Iterator[tuple[int, str]]:
    return ((i, line) for i, line in enumerate(content.split("\n"), 1) if line.strip())


def _row(line: str, path: Path, number: int) -> Document:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{path.name}, line {number} is not JSON: {error}") from error
    keys = {"text"} if isinstance(row, dict) and "text" in row else {"prompt", "completion"}
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in keys):
        raise DataError(
            f'{path.name}, line {number}: needed is {{"text": "…"}} or '
            '{"prompt": "…", "completion": "…"}'
        )
    return Document(row["text"]) if "text" in row else Document(row["completion"], row["prompt"])
