"""The layers that a text needs least are found and left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kdaudit.distill.language.begin import cut
from kdaudit.distill.language.blocks import pack, pieces
from kdaudit.distill.language.causal import Asked, Causal
from kdaudit.distill.language.distill import distill_language
from kdaudit.distill.language.importance import rises, staying
from kdaudit.distill.language.terms import log_probs
from kdaudit.distill.language.texts import Document
from kdaudit.distill.training.sources import Batch
from kdaudit.errors import ConfigError
from kdaudit.evidence.store import Store
from kdaudit.progress import silent

Small = Callable[..., Any]


@pytest.fixture
def text() -> Batch:
    documents = [Document("the king sings"), Document("my lord goes home")]
    return pack(pieces(documents, lambda said: list(said.encode()), 256, 32), 32, together=True)


def loss(model: Any, text: Batch) -> float:
    assert text.labels is not None
    said = log_probs(Asked(Causal(model)), text.inputs, text.labels).double()
    return -float(said.detach().sum()) / int((text.labels >= 0).sum())


def test_a_layer_that_adds_nothing_has_no_importance_and_goes_first(
    small: Small, text: Batch
) -> None:
    model = small(initializer_range=0.4)
    for part in (model.model.layers[1].self_attn.o_proj, model.model.layers[1].mlp.down_proj):
        torch.nn.init.zeros_(part.weight)
    found = rises(model, "small", text, silent("", 0))
    assert found[1] == 0
    assert 0 not in (found[0], found[2])


def test_those_that_matter_least_go() -> None:
    assert staying((0.5, -0.1, 0.2, 0.1), 2, "small") == (0, 2)


def test_the_rise_is_the_loss_of_the_model_without_the_layer(small: Small, text: Batch) -> None:
    model = small(initializer_range=0.4)
    with torch.no_grad():
        whole = loss(model, text)
        without = [loss(cut(model, [j for j in range(3) if j != i], ""), text) for i in range(3)]
    expected = [one - whole for one in without]
    assert rises(model, "small", text, silent("", 0)) == pytest.approx(expected, abs=1e-5)
    assert loss(model, text) == whole  # nothing of the measurement stays in the model


def test_a_recipe_drops_the_least_important_layer_and_says_how_much_each_matters(
    plays: Path, write: Callable[..., Path]
) -> None:
    recipe = write(epochs=1)
    changed = recipe.read_text("utf-8").replace("layers = [0, 2]", "drop = 1")
    recipe.write_text(changed, "utf-8")
    stages: list[str] = []

    def watched(stage: str, total: int, /) -> Any:
        stages.append(stage)
        return silent(stage, total)

    store = Store(plays / "store")
    made = distill_language(recipe, store=store, progress=watched)
    said = made.lineage.init
    assert said is not None
    by_layer = said["loss rises without each layer by"]
    assert isinstance(by_layer, list)
    assert len(by_layer) == 3
    least = min(range(3), key=lambda i: by_layer[i])
    assert said["layers"] == [i for i in range(3) if i != least]
    assert "how much each layer matters" in stages

    again = distill_language(recipe, store=store)
    assert again.trained_steps == 0
    assert again.lineage.init == said


@pytest.mark.parametrize(
    ("line", "said"),
    [("drop = 3", "drop fewer"), ("drop = 1\nlayers = [0]", "take layers and config out")],
)
def test_a_model_keeps_a_layer_and_layers_are_chosen_one_way(
    plays: Path, write: Callable[..., Path], line: str, said: str
) -> None:
    recipe = write(epochs=1)
    recipe.write_text(recipe.read_text("utf-8").replace("layers = [0, 2]", line), "utf-8")
    with pytest.raises(ConfigError, match=said):
        distill_language(recipe, store=Store(plays / "store"))


def test_what_comes_next_is_the_same_with_and_without_what_was_read_before(small: Small) -> None:
    causal = Causal(small(initializer_range=0.4)).eval()
    ids = torch.tensor([[5, 9, 200, 31], [7, 7, 90, 2]])
    _, before = causal.next(ids[:, :3])
    assert before is not None
    logits, _ = causal.next(ids[:, 3:], before)
    whole = causal.model(ids).logits[:, -1]
    torch.testing.assert_close(logits, whole, rtol=1e-4, atol=1e-4)

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = causal.model

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            said: torch.Tensor = self.inner(ids).logits
            return said

    said, nothing = Causal(Plain()).next(ids)
    assert nothing is None
    torch.testing.assert_close(said, whole, rtol=1e-4, atol=1e-4)
