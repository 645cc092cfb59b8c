"""The space a search looks in, and the recipe at one point of it."""

import copy
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from kdaudit.data.audit_file import parse
from kdaudit.distill.search.kind import Kind, R
from kdaudit.distill.search.table import Dimension, RangeTable
from kdaudit.errors import ConfigError

BALANCED = ("response", "tokens")  # objectives whose two weights are shares of one

Space = Mapping[str, Dimension]
Point = Mapping[str, Any]


def space_of(kind: Kind[R, Any], raw: Mapping[str, Any], recipe: R, name: str) -> Space:
    """What a recipe searches: its own ``[search.space]``, or the usual ranges of what it names.

    Args:
        kind: what kind of recipe it is.
        raw: the recipe as written.
        recipe: the recipe as read.
        name: of its file, for messages.

    Raises:
        ConfigError: for a field that does not exist, or a value that it may not have.
    """
    assert recipe.search is not None
    space = dict(recipe.search.space) or kind.usual(recipe)
    if not space:
        raise ConfigError(f"{name}: nothing to search; name a field under [search.space]")
    for path, dimension in space.items():
        _refuse_other_method(path, raw, name)
        for value in _ends(dimension):
            try:
                at(kind, raw, {path: value}, name)
            except ConfigError as error:
                raise ConfigError(f'[search.space] "{path}": {error}') from None
    return space


def at(kind: Kind[R, Any], raw: Mapping[str, Any], point: Point, name: str) -> R:
    """The recipe at one point.

    Raises:
        ConfigError: if it is none there.
    """
    return parse(written_at(raw, point), kind.table, name)


def written_at(raw: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """The recipe as it would be written at one point.

    Where ``soft_weight`` and ``hard_weight`` add up to 1 and only the first is tried, they go on
    adding up to 1: what a search is after is the balance of the two.

    >>> response = {"soft_weight": 0.6, "hard_weight": 0.4}
    >>> point = {"objectives.response.soft_weight": 0.9}
    >>> found = written_at({"objectives": {"response": response}}, point)
    >>> found["objectives"]["response"]
    {'soft_weight': 0.9, 'hard_weight': 0.1}
    """
    changed: dict[str, Any] = copy.deepcopy(dict(raw))
    for name in BALANCED:
        soft, hard = (f"objectives.{name}.{weight}_weight" for weight in ("soft", "hard"))
        table = changed.get("objectives", {}).get(name)
        if soft in point and hard not in point and isinstance(table, dict):
            both = table.get("soft_weight", 0.7) + table.get("hard_weight", 0.3)
            if math.isclose(both, 1):
                table["hard_weight"] = round(1 - point[soft], 12)
    for path, value in point.items():
        *above, last = path.split(".")
        table = changed
        for part in above:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigError(f"[search.space] {path!r}: {part} is no table of the recipe")
        table[last] = value
    return changed


def grid(space: Space) -> list[dict[str, Any]]:
    """Every combination of the values of a space, the last field changing fastest.

    >>> len(grid({"train.epochs": (5, 10), "train.learning_rate": RangeTable(low=0.1, high=1.0)}))
    8
    """
    values = [points(dimension) for dimension in space.values()]
    return [dict(zip(space, one, strict=True)) for one in itertools.product(*values)]


def points(dimension: Dimension) -> Sequence[Any]:
    """The values that a grid tries.

    >>> points(RangeTable(low=1.0, high=8.0, log=True))
    [1.0, 2.0, 4.0, 8.0]
    >>> points(RangeTable(low=1, high=3))
    [1, 2, 3]
    """
    if not isinstance(dimension, RangeTable):
        return list(dimension)
    low, high = float(dimension.low), float(dimension.high)
    shares = [i / (dimension.points - 1) for i in range(dimension.points)]
    if dimension.log:
        spread = [low * (high / low) ** share for share in shares]
    else:
        spread = [low + (high - low) * share for share in shares]
    if dimension.whole:
        return sorted({round(value) for value in spread})
    # Twelve digits: a grid is read by people, and the last ones are rounding.
    return [min(high, max(low, float(f"{value:.12g}"))) for value in spread]


def shown(dimension: Dimension) -> str:
    """A dimension for people.

    >>> shown(RangeTable(low=0.001, high=0.01, log=True))
    '0.001 to 0.01 (log)'
    """
    if isinstance(dimension, RangeTable):
        return f"{dimension.low} to {dimension.high}" + (" (log)" if dimension.log else "")
    return ", ".join(json.dumps(value) for value in dimension)


def _ends(dimension: Dimension) -> Sequence[Any]:
    if isinstance(dimension, RangeTable):
        return (dimension.low, dimension.high)
    return dimension


def _refuse_other_method(path: str, raw: Mapping[str, Any], name: str) -> None:
    """A field of a method that the recipe does not use would make it use that method."""
    root, _, rest = path.partition(".")
    method = rest.partition(".")[0]
    if root == "objectives":
        root, there = f"objectives.{method}", method in raw.get("objectives", {})
    else:
        there = root in raw or root == "train"
    if not there:
        raise ConfigError(
            f'[search.space] "{path}": {name} has no [{root}]; add the table, or leave the field '
            "out"
        )
