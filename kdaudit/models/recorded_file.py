"""A file of what one subject answered, made anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kdaudit.data.columns import as_text, pick
from kdaudit.data.readers import Source, read
from kdaudit.evidence.kinds import Strings


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFile:
    """The file; what its columns mean is for the kinds of it to say."""

    source: Source

    @classmethod
    def open(cls, source: str, *, base: Path) -> Self:
        """Read ``source``, relative to ``base``."""
        return cls(read(source, base))

    def identity(self) -> Mapping[str, str]:
        """The file's digest."""
        return {"sha256": self.source.sha256}

    def ids(self, id_column: str) -> tuple[str, Strings]:
        """The column of ids, and what it holds.

        Args:
            id_column: the data file's; ``id`` is accepted as well.

        Raises:
            DataError: where there is neither.
        """
        table = self.source.table
        column = id_column if id_column in table.columns else "id"
        return column, as_text(pick(table, column, "id", self.source.name))
