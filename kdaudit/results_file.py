"""``results.json`` and ``run.json``: the file edge of an audit, checked by a published schema."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from kdaudit.drill.drilled import Drill
from kdaudit.errors import DamagedError
from kdaudit.governance.digest import json_digest
from kdaudit.lineage import Lineage
from kdaudit.lock.file import LockFile
from kdaudit.results import Check, Results
from kdaudit.run import Run

# 1: first layout.
FORMAT = 1

NAMES: dict[type, str] = {
    Results: "results",
    Run: "run",
    Lineage: "lineage",
    LockFile: "lock",
    Drill: "drill",
}

T = TypeVar("T", Results, Run, Lineage, LockFile, Drill)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def dump(value: Results | Run | Lineage | LockFile | Drill) -> str:
    """JSON, sorted and newline-terminated, so that equal audits are equal bytes."""
    plain = _adapter(type(value)).dump_python(value, mode="json")
    return json.dumps(plain, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def canonical(value: T) -> T:
    """The value as a reader of its file sees it: mappings in the order of their keys.

    What is rendered now and what is rendered from the file later are then the same bytes.
    """
    kind = type(value)
    plain = _adapter(kind).dump_python(value, mode="json")
    # Without indentation, which would take the encoder written in Python.
    same: T = _adapter(kind).validate_json(json.dumps(plain, sort_keys=True, allow_nan=False))
    return same


def contract_digest(contract: Sequence[Check], alpha: float) -> str:
    """Digest of what was promised: the checks in their order, and the level they are held at."""
    checks = [_adapter(Check).dump_python(check, mode="json") for check in contract]
    return json_digest({"alpha": alpha, "checks": checks})


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
        raise DamagedError(f"{path.name} is not a {NAMES[kind]} file: {first}") from error
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
