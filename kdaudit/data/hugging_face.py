"""Tables of Hugging Face `datasets`: a folder that ``save_to_disk`` wrote, or a name of the hub."""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from kdaudit.data.typed_tables import from_arrow
from kdaudit.errors import DataError, examples
from kdaudit.governance.digest import file_digest

PREFIX = "datasets:"
SPLIT = "split"


def table(source: str, base: Path) -> tuple[pd.DataFrame, str]:
    """The rows of all splits, and the digest of the files and features they came from.

    Class labels are named as the features name them; -1, which stands for no label there, is an
    empty cell. A data set with splits gets a column ``split`` with their names.

    Args:
        source: ``datasets:FOLDER`` relative to ``base``, or ``datasets:NAME``.
        base: a folder.

    Raises:
        DataError: if the library is not installed, there is no such data set, or it has a column
            ``split`` beside its splits.
    """
    found = _read(source, base)
    splits: dict[str, Any] = {str(name): rows for name, rows in found.items()}
    tables, digest = [], hashlib.sha256()
    for name, rows in splits.items():
        part = _named(rows)
        if name:
            if SPLIT in part:
                raise DataError(
                    f"{source} has the splits {examples(sorted(splits))} and also a column "
                    f"{SPLIT!r}; rename the column"
                )
            part.insert(0, SPLIT, name)
        tables.append(part)
        files = [file_digest(Path(file["filename"])) for file in rows.cache_files]
        digest.update(repr((name, files, rows.features)).encode())
    return pd.concat(tables, ignore_index=True), digest.hexdigest()


def _read(source: str, base: Path) -> dict[str, Any]:
    """Tables by split; one without splits under the empty name."""
    try:
        from datasets import Dataset, load_dataset, load_from_disk
    except ImportError as error:
        raise DataError(
            f"{source} needs datasets, which is not installed: `pip install 'kdaudit[datasets]'`"
        ) from error
    name = source.removeprefix(PREFIX)
    local = (base / name).is_dir()
    try:
        found: Any = load_from_disk(str(base / name)) if local else load_dataset(name)
    except Exception as error:  # no network, no such name, a damaged folder: in many classes
        said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise DataError(
            f"{source}: the folder cannot be read: {said}; data_set.save_to_disk(...) writes one"
            if local
            else f"{source}: there is no folder {name} (looked in {base.resolve()}), and it could "
            f"not be fetched from the hub: {said}"
        ) from error
    return {"": found} if isinstance(found, Dataset) else dict(found)


def _named(rows: Any) -> pd.DataFrame:
    """One split as a table, class labels by name."""
    from datasets import ClassLabel

    found = from_arrow(rows.with_format("arrow")[:])
    for column, feature in rows.features.items():
        if isinstance(feature, ClassLabel):
            names = dict(enumerate(feature.names))
            found[column] = found[column].map(names).astype(object)
    return found
