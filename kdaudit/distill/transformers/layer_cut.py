"""Some layers of an encoder, with everything around them: embeddings, positions, pooler, head.

Sanh et al. 2019 (DistilBERT) begin with every second layer of the teacher.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from kdaudit.errors import ConfigError

T = TypeVar("T")
SAID = re.compile(r"(?P<how>every|first|last)_(?P<number>[1-9]\d*)")
NUMBER = re.compile(r"(?:^|(?<=\.))(\d+)(?=\.)")


def chosen(layers: Sequence[int] | str | None, count: int) -> tuple[int, ...]:
    """Which of ``count`` layers are taken.

    Args:
        layers: their numbers from 0, rising; ``every_2``, ``first_3``, ``last_3``; None for all.
        count: layers there are.

    Raises:
        ConfigError: for layers that are not there, or not in rising order.

    >>> chosen("every_2", 6), chosen("first_2", 6), chosen("last_2", 6), chosen([0, 5], 6)
    ((0, 2, 4), (0, 1), (4, 5), (0, 5))
    """
    if layers is None:
        return tuple(range(count))
    if isinstance(layers, str):
        found = SAID.fullmatch(layers)
        if found is None:
            raise ConfigError(
                'student.transformer.init.layers: give numbers, e.g. [0, 2, 4], or "every_2", '
                f'"first_3" or "last_3", got {layers!r}'
            )
        how, number = found["how"], int(found["number"])
        taken = {
            "every": tuple(range(0, count, number)),
            "first": tuple(range(number)),
            "last": tuple(range(count - number, count)),
        }[how]
    else:
        taken = tuple(layers)
    strange = [layer for layer in taken if not 0 <= layer < count]
    if strange or not taken or list(taken) != sorted(set(taken)):
        raise ConfigError(
            f"student.transformer.init.layers = {layers!r}: the encoder has the layers 0 to "
            f"{count - 1}; name some of them, each once and in rising order"
        )
    return taken


def layer_list(names: Iterable[str], count: int) -> str:
    """What the names of the layers' weights begin with, such as ``bert.encoder.layer.``.

    Args:
        names: of all weights.
        count: layers there are.

    Raises:
        ConfigError: if no list of ``count`` modules is there, or several are.

    >>> layer_list(["embeddings.weight", "layer.0.w", "layer.1.w"], 2)
    'layer.'
    """
    numbers: dict[str, set[int]] = {}
    for name in names:
        for found in NUMBER.finditer(name):
            numbers.setdefault(name[: found.start()], set()).add(int(found[1]))
    full = [prefix for prefix, seen in numbers.items() if seen == set(range(count))]
    # A layer may itself hold a list of so many modules: that one is no list of layers.
    lists = [one for one in full if not any(one != o and one.startswith(o) for o in full)]
    if len(lists) != 1:
        raise ConfigError(
            f"the {count} layers of this encoder cannot be told from its weights: "
            f"{len(lists)} lists of so many modules ({', '.join(lists) or 'none'}); take all "
            "layers, or another encoder"
        )
    return lists[0]


def cut(weights: Mapping[str, T], prefix: str, layers: Sequence[int]) -> dict[str, T]:
    """The weights of the chosen layers, numbered anew, and all others as they are.

    >>> cut({"e": 0, "layer.0.w": 1, "layer.1.w": 2, "layer.2.w": 3}, "layer.", [0, 2])
    {'e': 0, 'layer.0.w': 1, 'layer.1.w': 3}
    """
    place = {layer: i for i, layer in enumerate(layers)}
    kept = {}
    for name, weight in weights.items():
        number, _, rest = name.removeprefix(prefix).partition(".")
        if not name.startswith(prefix) or not number.isdecimal():
            kept[name] = weight
        elif int(number) in place:
            kept[f"{prefix}{place[int(number)]}.{rest}"] = weight
    return kept
