"""The content-addressed store: what a model answered, kept under everything the answer depends on.

A set of evidence is a folder named by the digest of its key. Parts are written beside and renamed,
so a reader never sees half a part, writers may race, and an interrupted run resumes at the missing
part. When all parts are there a manifest with their digests seals the folder.
"""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kdaudit.errors import ConfigError, DamagedError, writing
from kdaudit.governance.digest import file_digest, json_digest

FORMAT = 1  # 1: parts of Parquet, key.json, manifest.json


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside, then rename: the file is whole or absent."""
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            beside.write_bytes(data)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One set of evidence in the store: a folder of numbered parts."""

    folder: Path
    digest: str

    def part(self, number: int) -> Path:
        """Where part ``number`` is or will be."""
        return self.folder / f"part-{number:05d}.parquet"

    def has(self, number: int) -> bool:
        """Whether the part was written."""
        return self.part(number).exists()

    def write(self, number: int, table: pa.Table) -> None:
        """Write one part; whole or not at all. Of two writers the first one wins.

        The other may have sealed the set meanwhile, and not every model answers alike twice.
        """
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        part = self.part(number)
        beside = part.with_name(f".{part.name}.{uuid.uuid4().hex}")
        with writing(self.folder):
            try:
                beside.write_bytes(sink.getvalue().to_pybytes())
                part.hardlink_to(beside)  # unlike a rename, it never takes another's place
            except FileExistsError:
                pass
            finally:
                beside.unlink(missing_ok=True)

    def written(self, parts: int) -> pa.Table:
        """All parts of a set that is not sealed yet."""
        return pa.concat_tables(pq.read_table(self.part(number)) for number in range(parts))

    @property
    def bytes(self) -> int:
        """What the parts that are there take on disk."""
        return sum(path.stat().st_size for path in self.folder.glob("part-*.parquet"))

    def discard(self) -> None:
        """Forget what was recorded, so that it can be recorded anew."""
        for path in (self.folder / "manifest.json", *self.folder.glob("part-*.parquet")):
            path.unlink(missing_ok=True)

    def seal(self, parts: int, about: Mapping[str, object] | None = None) -> None:
        """Record the digest of every part, once they are all there, and what they hold."""
        digests = {self.part(i).name: file_digest(self.part(i)) for i in range(parts)}
        manifest = {"format": FORMAT, "parts": digests} | ({"about": about} if about else {})
        text = json.dumps(manifest, indent=1, sort_keys=True)
        write_atomically(self.folder / "manifest.json", text.encode())

    def about(self) -> Mapping[str, Any]:
        """What the manifest of a sealed set says it holds; empty where it says nothing.

        Raises:
            DamagedError: if it cannot be read.
        """
        try:
            said: Mapping[str, Any] = json.loads((self.folder / "manifest.json").read_bytes())
            return dict(said.get("about", {}))
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise DamagedError(
                f"the manifest of stored evidence {self.folder.name} cannot be read ({error}): "
                f"delete {self.folder.name} in the store and run again to record it anew"
            ) from error

    @property
    def sealed(self) -> bool:
        """Whether the set is complete."""
        return (self.folder / "manifest.json").exists()

    def read(self) -> pa.Table:
        """All parts of a sealed set, checked against the manifest.

        Raises:
            DamagedError: if a part is missing, changed or unreadable.
        """
        remedy = f"delete {self.folder.name} in the store and run again to record it anew"
        try:
            manifest = json.loads((self.folder / "manifest.json").read_text("utf-8"))
            tables = []
            for name, digest in sorted(manifest["parts"].items()):
                path = self.folder / name
                if not path.exists() or file_digest(path) != digest:
                    raise DamagedError(
                        f"stored evidence {self.folder.name}/{name} is missing or is not what was "
                        f"written: {remedy}"
                    )
                tables.append(pq.read_table(path))
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            pa.ArrowException,
        ) as error:
            raise DamagedError(
                f"stored evidence {self.folder.name} cannot be read ({error}): {remedy}"
            ) from error
        return pa.concat_tables(tables)


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of evidence, by kind and digest of key."""

    root: Path

    @classmethod
    def beside(cls, folder: Path) -> "Store":
        """``KDAUDIT_STORE`` where it is set, else ``.kdaudit`` in ``folder``.

        Raises:
            ConfigError: if that is a file.
        """
        named = os.environ.get("KDAUDIT_STORE")
        root = Path(named) if named else folder / ".kdaudit"
        if root.exists() and not root.is_dir():
            raise ConfigError(f"{root} is a file; the store of evidence is a folder")
        return cls(root)

    def entry(self, kind: str, key: Mapping[str, object]) -> Entry:
        """The entry for a key; the key itself is kept beside the parts, for people."""
        found = self.look(kind, key)
        note = found.folder / "key.json"
        if not note.exists():
            full = _full(kind, key)
            write_atomically(note, json.dumps(full, indent=1, sort_keys=True).encode())
        return found

    def keys(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The keys of all entries of a kind; those that cannot be read are left out."""
        for path in sorted((self.root / kind).glob("*/*/key.json")):
            try:
                found = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(found, dict):
                yield found

    def look(self, kind: str, key: Mapping[str, object]) -> Entry:
        """The entry for a key, there or not; nothing is written."""
        digest = json_digest(_full(kind, key))
        return Entry(self.root / kind / digest[:2] / digest, digest)


def _full(kind: str, key: Mapping[str, object]) -> dict[str, object]:
    return {"format": FORMAT, "kind": kind, **key}
