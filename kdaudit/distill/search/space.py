"""The space a search looks in, and the recipe at one point of it."""

import copy
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from kdaudit.data.audit_file import parse
from kdaudit.distill.recipe import Recipe
from kdaudit.distill.search.table import Dimension, RangeTable
from kdaudit.errors import ConfigError

SOFT, HARD = "objectives.response.soft_weight", "objectives.response.hard_weight"
WIDTHS = ("width", "hidden", "hidden_size")  # arguments of a factory, as they are usually called
DEPTHS = ("depth", "layers", "num_layers")

Space = Mapping[str, Dimension]
Point = Mapping[str, Any]


def space_of(raw: Mapping[str, Any], recipe: Recipe, name: str) -> Space:
    """What a recipe searches: its own ``[search.space]``, or the usual ranges of what it names.

    Args:
        raw: the recipe as written.
        recipe: the recipe as read.
        name: of its file, for messages.

    Raises:
        ConfigError: for a field that does not exist, or a value that it may not have.
    """
    assert recipe.search is not None
    space = dict(recipe.search.space) or usual(recipe)
    if not space:
        raise ConfigError(f"{name}: nothing to search; name a field under [search.space]")
    for path, dimension in space.items():
        _refuse_other_method(path, raw, name)
        for value in _ends(dimension):
            try:
                at(raw, {path: value}, name)
            except ConfigError as error:
                raise ConfigError(f'[search.space] "{path}": {error}') from None
    return space


def usual(recipe: Recipe) -> dict[str, Dimension]:
    """The usual ranges: learning rate, temperature, soft weight, and the student's size.

    Width and depth are tried from half to twice what the recipe says, where it says them.

    >>> student = {"factory": "m:net", "args": {"hidden": [16, 8], "depth": 2}}
    >>> raw = {"audit": "a.toml", "student": student, "objectives": {"response": {}}}
    >>> for path, dimension in usual(Recipe.model_validate(raw)).items():
    ...     print(path, shown(dimension))
    train.learning_rate 0.001 to 0.01 (log)
    objectives.response.temperature 1.0 to 8.0 (log)
    objectives.response.soft_weight 0.5 to 0.9
    student.args.hidden [8, 4], [16, 8], [32, 16]
    student.args.depth 1 to 4
    """
    space: dict[str, Dimension] = {"train.learning_rate": RangeTable(low=1e-3, high=1e-2, log=True)}
    response = recipe.objectives.response
    if response is not None:
        space["objectives.response.temperature"] = RangeTable(low=1.0, high=8.0, log=True)
        if response.soft_weight > 0:
            space[SOFT] = RangeTable(low=0.5, high=0.9)
    for name, value in recipe.student.args.items():
        size = _size(name, value)
        if size is not None:
            space[f"student.args.{name}"] = size
    return space


def at(raw: Mapping[str, Any], point: Point, name: str) -> Recipe:
    """The recipe at one point.

    Raises:
        ConfigError: if it is none there.
    """
    return parse(written_at(raw, point), Recipe, name)


def written_at(raw: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """The recipe as it would be written at one point.

    Where ``soft_weight`` and ``hard_weight`` add up to 1 and only the first is tried, they go on
    adding up to 1: what a search is after is the balance of the two.

    >>> response = {"soft_weight": 0.6, "hard_weight": 0.4}
    >>> found = written_at({"objectives": {"response": response}}, {SOFT: 0.9})
    >>> found["objectives"]["response"]
    {'soft_weight': 0.9, 'hard_weight': 0.1}
    """
    changed: dict[str, Any] = copy.deepcopy(dict(raw))
    response = changed.get("objectives", {}).get("response")
    if SOFT in point and HARD not in point and isinstance(response, dict):
        both = response.get("soft_weight", 0.7) + response.get("hard_weight", 0.3)
        if math.isclose(both, 1):
            response["hard_weight"] = round(1 - point[SOFT], 12)
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


def _size(name: str, value: object) -> Dimension | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if name in WIDTHS and whole:
        assert isinstance(value, int)
        return RangeTable(low=max(1, value // 2), high=2 * value, log=True)
    if name in DEPTHS and whole:
        assert isinstance(value, int)
        return RangeTable(low=max(1, value // 2), high=2 * value)
    if name in WIDTHS and isinstance(value, list) and value:
        if not all(isinstance(one, int) and one > 0 for one in value):
            return None
        widths = [int(one) for one in value if isinstance(one, int)]
        scaled: list[JsonValue] = [
            [max(1, w // 2) for w in widths],
            list(widths),
            [2 * w for w in widths],
        ]
        return tuple(scaled)
    return None


def _ends(dimension: Dimension) -> Sequence[Any]:
    if isinstance(dimension, RangeTable):
        return (dimension.low, dimension.high)
    return dimension


def _refuse_other_method(path: str, raw: Mapping[str, Any], name: str) -> None:
    """A field of a method that the recipe does not use would make it use that method."""
    root, _, rest = path.partition(".")
    method = rest.partition(".")[0]
    if root == "objectives" and method not in raw.get("objectives", {}):
        raise ConfigError(
            f'[search.space] "{path}": {name} has no [objectives.{method}]; add the table, or '
            "leave the field out"
        )
