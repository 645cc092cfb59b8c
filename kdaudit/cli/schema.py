"""``kdaudit schema``: the JSON Schema of every file format."""

import json
from typing import Annotated, Literal

import typer

from kdaudit.cli.say import say

Name = Literal["audit", "recipe", "language", "results", "run", "lineage", "model", "lock", "drill"]


def schema(
    name: Annotated[Name, typer.Argument(help="Which file.")],
) -> None:
    """Print the JSON Schema of a file format (format 1)."""
    from kdaudit.schemas import schema_of

    say(json.dumps(schema_of(name), indent=1, sort_keys=True))
