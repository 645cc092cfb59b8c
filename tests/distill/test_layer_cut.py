"""Some layers of an encoder: the ones asked for, renumbered, and everything around them."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.distill.transformers.layer_cut import chosen, cut, layer_list
from kdaudit.errors import ConfigError


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (None, (0, 1, 2, 3, 4, 5)),
        ([0, 2, 4], (0, 2, 4)),
        ([5], (5,)),
        ("every_2", (0, 2, 4)),
        ("every_4", (0, 4)),
        ("every_9", (0,)),
        ("first_2", (0, 1)),
        ("last_2", (4, 5)),
        ("last_6", (0, 1, 2, 3, 4, 5)),
    ],
)
def test_layers_are_named_by_number_or_by_rule(layers: Any, expected: tuple[int, ...]) -> None:
    assert chosen(layers, 6) == expected


@pytest.mark.parametrize(
    "layers", [[0, 6], [-1], [2, 0], [1, 1], [], "first_7", "last_7", "every_0", "odd", "every_"]
)
def test_layers_that_are_not_there_or_out_of_order_are_refused(layers: Any) -> None:
    with pytest.raises(ConfigError, match=r"student\.transformer\.init\.layers"):
        chosen(layers, 6)


@given(kept=st.lists(st.booleans(), min_size=1, max_size=12).filter(any))
def test_cutting_keeps_each_chosen_layer_whole_and_all_else(kept: list[bool]) -> None:
    count, layers = len(kept), [i for i, keep in enumerate(kept) if keep]
    weights = {"e.table": "e", "pooler.dense.0.w": "p"}
    weights |= {f"bert.layer.{i}.{part}": f"{i}{part}" for i in range(count) for part in "ab"}
    found = cut(weights, "bert.layer.", layers)
    assert {k: v for k, v in found.items() if "layer" not in k} == {
        "e.table": "e",
        "pooler.dense.0.w": "p",
    }
    assert {k: v for k, v in found.items() if "layer" in k} == {
        f"bert.layer.{place}.{part}": f"{i}{part}"
        for place, i in enumerate(layers)
        for part in "ab"
    }


def test_lists_within_layers_stay_as_they_are() -> None:
    weights = {"h.0.mlp.0.w": 1, "h.0.mlp.1.w": 2, "h.1.mlp.0.w": 3, "h.1.mlp.1.w": 4}
    assert layer_list(weights, 2) == "h."
    assert cut(weights, "h.", [1]) == {"h.0.mlp.0.w": 3, "h.0.mlp.1.w": 4}


@pytest.mark.parametrize("names", [["a.0.w", "b.0.w", "a.1.w", "b.1.w"], ["a.0.w"], ["w"]])
def test_layers_that_cannot_be_told_from_names_are_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError, match=re.escape("cannot be told from its weights")):
        layer_list(names, 2)
