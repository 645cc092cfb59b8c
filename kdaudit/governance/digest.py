"""Digests of files, folders and JSON values: what identities rest on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def json_digest(value: object) -> str:
    """SHA-256 of a JSON value, independent of key order and white space.

    >>> json_digest({"a": 1, "b": 2}) == json_digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_digest(files: Mapping[str, str]) -> str:
    """Digest of a folder given {relative name: SHA-256}; names count, so a swap is seen."""
    return json_digest(sorted(files.items()))
