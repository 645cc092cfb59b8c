"""``results.json`` and ``run.json``: the file edge of an audit, checked by a published schema."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from kdaudit.errors import DamagedError
from kdaudit.lineage import Lineage
from kdaudit.results import Results
from kdaudit.run import Run

# 1: first layout.
FORMAT = 1

T = TypeVar("T", Results, Run, Lineage)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def dump(value: Results | Run | Lineage) -> str:
    """JSON, sorted and newline-terminated, so that equal audits are equal bytes."""
    plain = _adapter(type(value)).dump_python(value, mode="json")
    return json.dumps(plain, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def canonical(value: T) -> T:
    """The value as a reader of its file sees it: mappings in the order of their keys.

    What is rendered now and what is rendered from the file later are then the same bytes.
    """
    kind = type(value)
    same: T = _adapter(kind).validate_python(_tuples(json.loads(dump(value))))
    return same


def load(kind: type[T], path: Path) -> T:
    """Read a file that `dump` wrote.

    Raises:
        DamagedError: if it is missing, no JSON, or not of this format.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
        value: T = _adapter(kind).validate_python(_tuples(raw))
    except (OSError, ValueError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise DamagedError(f"{path.name} is not a {kind.__name__.lower()} file: {first}") from error
    return value


def schema(kind: type) -> dict[str, Any]:
    """The JSON Schema of a file."""
    return _adapter(kind).json_schema()


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
