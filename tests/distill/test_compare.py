import re
from pathlib import Path

import numpy as np
import pytest
import torch

from kdaudit.distill.compare import compare, said
from kdaudit.distill.distill import distill
from kdaudit.evidence.store import Store


def rows(*seeds: list[int]) -> torch.Tensor:
    return torch.tensor(seeds, dtype=torch.int8)


def test_a_gain_on_many_rows_in_every_seed_beats() -> None:
    found = compare("hard", rows(*[[1] * 20 + [0] * 80] * 4))
    assert found.claim == "BEATS"
    assert found.difference == 0.2
    assert found.low is not None
    assert found.low > 0
    assert said(found).startswith("BEATS hard: validation accuracy +0.2000 [+0.")


def test_a_loss_does_not_beat() -> None:
    assert compare("hard", rows(*[[-1] * 20 + [0] * 80] * 4)).claim == "NO BEATS"


def test_one_row_in_every_seed_is_one_row() -> None:
    """A t test over seeds alone has no spread here, and would be sure."""
    found = compare("hard", rows(*[[1] + [0] * 99] * 5))
    assert found.claim == "INCONCLUSIVE"


def test_seeds_that_differ_among_themselves_are_inconclusive() -> None:
    found = compare("shuffled", rows([1] * 50, [-1] * 50, [1] * 50, [0] * 50))
    assert found.claim == "INCONCLUSIVE"
    assert found.reason == "the interval holds gains and losses"


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_claim_nothing(seeds: int) -> None:
    found = compare("hard", rows(*[[1] * 90 + [0] * 10] * seeds))
    assert found.claim == "INCONCLUSIVE"
    assert found.reason == f"{seeds} of at least 3 seeds"
    assert (found.low is None) == (seeds == 1)


def test_models_that_no_row_tells_apart_are_inconclusive() -> None:
    found = compare("label_smoothing", rows(*[[0] * 100] * 5))
    assert found.claim == "INCONCLUSIVE"
    assert "same validation rows" in found.reason


def test_the_lineage_compares_the_arms_of_every_seed_with_every_control(
    project: Path, store: Store
) -> None:
    distill(project / "teacher.toml", store=store)
    recipe = project / "student.toml"
    recipe.write_text("seeds = 3\n" + recipe.read_text())
    made = distill(recipe, store=store)
    compared = made.lineage.comparisons
    assert [c.control for c in compared] == ["hard", "label_smoothing", "shuffled"]
    best = {
        (a.kind, a.seed): a.curve[a.best_epoch - 1].validation["accuracy"]
        for a in made.lineage.arms
        if a.best_epoch
    }
    for one in compared:
        assert (one.seeds, one.rows, one.level) == (3, 49, 0.9)
        gains = [best["main", s] - best[one.control, s] for s in range(3)]
        assert one.difference == pytest.approx(np.mean(gains))
    assert [line for line in made.notes if re.match("(NO )?BEATS|INCONCLUSIVE", line)] == [
        said(one) for one in compared
    ]
    assert any("not converged" in line for line in made.notes)  # six epochs are few
