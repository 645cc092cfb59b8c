"""The best recipe of a search, as a file like any other."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kdaudit.data.audit_file import parse, read_toml
from kdaudit.distill.search.search import Found
from kdaudit.distill.search.space import written_at
from kdaudit.errors import ConfigError

BARE = re.compile(r"[A-Za-z0-9_-]+")


def best_recipe(found: Found) -> str:
    """The recipe at the best point, with ``[searched]``, which says how many were tried.

    ``out`` is left away, so that it has a model folder of its own.
    """
    written = written_at(found.raw, found.best.point)
    written.pop("out", None)
    searched = found.searched.model_dump()
    head = (
        f"# The best of {searched['trials']:,} trials of {found.recipe}, written by kdaudit search."
        f"\n# {searched['objective']}: {searched['value']:.4f}, the best of many and so too good;"
        " only an audit tells.\n\n"
    )
    text = head + toml({**written, "searched": searched})
    parse(read_text(text), found.kind.table, "the best recipe")
    return text


def refuse_foreign(best: Path, recipe: Path) -> None:
    """Refuse to write over a recipe that no search wrote, or away from the paths it names.

    Raises:
        ConfigError: saying what to do.
    """
    if best.resolve().parent != recipe.resolve().parent:
        raise ConfigError(
            f"{best} is not in the folder of {recipe.name}, whose paths and code it names; give a "
            "name in that folder"
        )
    if best.suffix != ".toml" or best.resolve() == recipe.resolve():
        raise ConfigError(f"{best.name} must be a .toml file other than {recipe.name}")
    if best.exists() and "searched" not in read_toml(best, "recipe"):
        raise ConfigError(
            f"{best} was not written by a search and would be lost; name another with -o"
        )


def toml(table: Mapping[str, Any]) -> str:
    """A table of plain values, lists and tables as TOML; None is left away.

    >>> print(toml({"a": 1, "b": {"c": [0.5, "x"], "d.e": {"f": True}}}), end="")
    a = 1
    <BLANKLINE>
    [b]
    c = [0.5, "x"]
    <BLANKLINE>
    [b."d.e"]
    f = true
    """
    return "\n".join(_lines(table, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    below = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    plain = {k: v for k, v in table.items() if k not in below and v is not None}
    if path and (plain or not below):
        yield ""
        yield f"[{'.'.join(map(_key, path))}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, value in below.items():
        yield from _lines(value, (*path, key))


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str):
        # TOML's strings are JSON's, but for one control character.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def read_text(text: str) -> dict[str, Any]:
    """A recipe from its text."""
    import tomllib

    return tomllib.loads(text)
