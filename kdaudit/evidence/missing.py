"""Evidence that is not in the store: how much is left to record, and what the nearest lacks."""

from collections.abc import Iterable, Mapping
from typing import Any, Never

from kdaudit.errors import DataError, examples
from kdaudit.evidence.store import Entry, Store

SAID = {
    "inputs": "the rows (their inputs, or which rows)",
    "classes": "the classes",
    "model": "the model",
    "split": "the split",
    "variant": "how the rows are changed",
    "vocabulary": "the size of the vocabulary",
    "top_k": "k",
    "temperatures": "the temperatures",
    "dtype": "the dtype",
}
SHOWN = 40  # letters of a value


def left(entry: Entry, rows: int, part_rows: int) -> int:
    """On how many rows of an unsealed set a model is still to be run."""
    parts = range(max(1, -(-rows // part_rows)))
    there = sum(min(part_rows, rows - n * part_rows) for n in parts if entry.has(n))
    return rows - there


def refuse_missing(key: Mapping[str, Any], entry: Entry, store: Store, kind: str) -> Never:
    """Say why what was asked for cannot be read.

    Raises:
        DataError: naming what differs from the nearest set, or that recording was interrupted.
    """
    if entry.has(0):
        why = "its recording was interrupted"
    else:
        found = nearest(key, (one for one in store.keys(kind) if one.get("split") == key["split"]))
        why = f"the nearest stored differs in {found}" if found else "nothing is stored for it"
    raise DataError(
        f"the {key['split']} rows' answers are not in the store {store.root}: {why}. Record them "
        "with `kdaudit targets RECIPE --record`, where the model is, or name the store that has "
        "them as KDAUDIT_STORE"
    )


def nearest(wanted: Mapping[str, Any], stored: Iterable[Mapping[str, Any]]) -> str:
    """How the stored key that differs least from the wanted one differs; empty where none is.

    >>> key = {"model": {"weights": "aa", "encode": "f 1"}, "split": "transfer"}
    >>> nearest(key, [{"model": {"weights": "ab", "encode": "f 1"}, "split": "transfer"}])
    "the model's weights ('ab' stored, 'aa' asked for)"
    """
    found = [list(_differences(wanted, key)) for key in stored]
    least = min(found, key=len, default=[])
    return "; ".join(least)


def _differences(wanted: Mapping[str, Any], key: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted({*wanted, *key} - {"format", "kind"}):
        one, other = wanted.get(name), key.get(name)
        if one == other:
            continue
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            for inner in sorted({*one, *other}):
                if one.get(inner) != other.get(inner):
                    yield f"{SAID.get(name, name)}'s {inner} {_values(one, other, inner)}"
        elif name == "classes" and isinstance(one, list) and isinstance(other, list):
            only = sorted({*map(str, one)} ^ {*map(str, other)})
            yield f"the classes ({'order' if not only else f'only one has {examples(only)}'})"
        else:
            yield f"{SAID.get(name, name)} {_values(wanted, key, name)}"


def _values(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> str:
    return f"({_short(other.get(name))} stored, {_short(one.get(name))} asked for)"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
