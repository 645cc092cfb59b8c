"""The usual ranges, for a recipe that does not say what to try. No PyTorch here."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from pydantic import JsonValue

from kdaudit.distill.language.recipe import LanguageRecipe
from kdaudit.distill.recipe import Recipe
from kdaudit.distill.search.table import Dimension, RangeTable

WIDTHS = ("width", "hidden", "hidden_size")  # arguments of a factory, as they are usually called
DEPTHS = ("depth", "layers", "num_layers")
# The same of a Transformers configuration of a causal language model.
TEXT_WIDTHS = ("hidden_size", "n_embd", "d_model")
TEXT_DEPTHS = ("num_hidden_layers", "n_layer", "num_layers")
HEADS = ("num_attention_heads", "n_head", "num_heads")
TEMPERATURE = RangeTable(low=1.0, high=8.0, log=True)
SOFT = RangeTable(low=0.5, high=0.9)


def usual(recipe: Recipe) -> dict[str, Dimension]:
    """The usual ranges: learning rate, temperature, soft weight, and the student's size.

    Width and depth are tried from half to twice what the recipe says, where it says them.

    >>> from kdaudit.distill.search.space import shown
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
        space["objectives.response.temperature"] = TEMPERATURE
        if response.soft_weight > 0:
            space["objectives.response.soft_weight"] = SOFT
    for name, value in recipe.student.args.items():
        size = _size(name, value)
        if size is not None:
            space[f"student.args.{name}"] = size
    return space


def usual_of_text(recipe: LanguageRecipe) -> dict[str, Dimension]:
    """The usual ranges of a language model's recipe: the same, of a student that is drawn its size.

    A width has to be shared out among the attention heads, so half, all and twice of it are tried
    where they can be. Targets that are recorded hold for one temperature, so with ``top_k`` none
    other is tried.

    >>> from kdaudit.distill.search.space import shown
    >>> config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 3}
    >>> raw = {
    ...     "language": {"text": ["a.txt"]},
    ...     "teacher": {"folder": "t"},
    ...     "student": {"config": {**config, "num_attention_heads": 8}},
    ...     "objectives": {"tokens": {}},
    ... }
    >>> for path, dimension in usual_of_text(LanguageRecipe.model_validate(raw)).items():
    ...     print(path, shown(dimension))
    train.learning_rate 0.0001 to 0.01 (log)
    objectives.tokens.temperature 1.0 to 8.0 (log)
    objectives.tokens.soft_weight 0.5 to 0.9
    student.config.hidden_size 32, 64, 128
    student.config.num_hidden_layers 1 to 6
    """
    space: dict[str, Dimension] = {"train.learning_rate": RangeTable(low=1e-4, high=1e-2, log=True)}
    tokens = recipe.objectives.tokens
    if tokens.soft_weight > 0:
        if tokens.top_k is None:
            space["objectives.tokens.temperature"] = TEMPERATURE
        space["objectives.tokens.soft_weight"] = SOFT
    for name, size in _sizes(recipe.student.config or {}):
        space[f"student.config.{name}"] = size
    return space


def _sizes(config: Mapping[str, Any]) -> Iterator[tuple[str, Dimension]]:
    heads = next((config[name] for name in HEADS if _whole(config.get(name))), None)
    for name, width in config.items():
        if name in TEXT_WIDTHS and _whole(width) and heads is not None:
            # Positions are turned in pairs, so what each head has must be even.
            sizes = [one for one in (width // 2, width, 2 * width) if one % (2 * heads) == 0]
            if len(sizes) > 1:
                yield name, tuple(sizes)
        if name in TEXT_DEPTHS and _whole(width) and "layer_types" not in config:
            yield name, _depth(width)


def _size(name: str, value: object) -> Dimension | None:
    if name in WIDTHS and _whole(value):
        return RangeTable(low=max(1, value // 2), high=2 * value, log=True)
    if name in DEPTHS and _whole(value):
        return _depth(value)
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


def _depth(value: int) -> RangeTable:
    return RangeTable(low=max(1, value // 2), high=2 * value)


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
