"""The schema of every file format is frozen: a change shows as a diff, or as a new format.

``KDAUDIT_UPDATE_GOLDEN=1 pytest tests/test_schemas.py`` accepts what the code says now.
"""

import json
import os
from pathlib import Path

import pytest

from kdaudit.errors import ConfigError
from kdaudit.schemas import NAMES, schema_of

FROZEN = Path(__file__).parent / "schemas"


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_what_it_was(name: str) -> None:
    text = json.dumps(schema_of(name), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path = FROZEN / f"{name}.json"
    if os.environ.get("KDAUDIT_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.exists(), f"{path} is missing; KDAUDIT_UPDATE_GOLDEN=1 writes it"
    assert text == path.read_text("utf-8"), f"the {name} file changed; read the diff, then accept"


def test_every_frozen_schema_belongs_to_a_format() -> None:
    frozen = {path.stem for path in FROZEN.glob("*.json")}
    assert frozen == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_file_says_its_format_and_refuses_unknown_keys(name: str) -> None:
    schema = schema_of(name)
    text = json.dumps(schema)
    assert '"additionalProperties": false' in text
    if name in ("run", "lineage"):
        assert schema["properties"]["format"]["const"] == 1
    if name == "results":
        assert schema["properties"]["format"]["enum"] == [1, 2]


def test_an_unknown_schema_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown schema 'result'\. Did you mean 'results'"):
        schema_of("result")
