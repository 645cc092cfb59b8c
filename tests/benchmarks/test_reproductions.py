"""Small versions of `benchmarks/reproductions/`, on digits; nightly more of them."""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

FOLDER = Path(__file__).parents[2] / "benchmarks" / "reproductions"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def scripts() -> Iterator[dict[str, ModuleType]]:
    names = ("workbench", "omitted_digit", "mlp_mnist", "hidden_trait")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield {name: importlib.import_module(name) for name in names}
    for name in (*names, "nets"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def omitted(scripts: dict[str, ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Any:
    workbench, script = scripts["workbench"], scripts["omitted_digit"]
    size = script.Size(
        wide=100,
        narrow=60,
        epochs=(25, 12),
        learning_rate=0.005,
        seeds=range(2),
        temperatures=(8.0,),
    )
    bench = workbench.Bench(tmp_path_factory.mktemp("omitted"))
    return script.students(bench, workbench.small_images(), size)


def test_hard_labels_miss_every_omitted_digit_and_soft_targets_recover_most(omitted: Any) -> None:
    lines = {line.name: line for line in omitted}
    hard, soft = lines["no 3s, hard labels"], lines["no 3s, soft, T = 8"]
    assert hard.errors[:, hard.omitted].all()
    assert soft.recognised.value > 0.5
    for line in omitted:  # by definition: the dishonest choice is the best one on these rows
        assert line.dishonest.mean() <= min(line.honest.mean(), line.errors.mean())


def test_the_bars_of_the_omitted_digit_can_be_missed(
    omitted: Any, scripts: dict[str, ModuleType]
) -> None:
    script = scripts["omitted_digit"]
    lines = {line.name: line for line in omitted}
    hard, soft = lines["no 3s, hard labels"], lines["no 3s, soft, T = 8"]
    exchanged = [
        replace(soft, name=hard.name),
        replace(hard, name=soft.name, honest=hard.errors),
        replace(hard, name="only 7s and 8s, T = 8", honest=hard.errors),
    ]
    said = [one.partition(":")[0] for one in script.missed(exchanged)]
    assert said[0] == "hard labels"
    assert said[-1] == "only 7s and 8s"
    assert set(said[1:-1]) == {"no 3s, soft, T = 8"}
    assert "no 3s, hard labels" in script.report("digits", omitted)


numbers = st.floats(-5, 5, width=16)


@given(
    arrays(np.float64, (12, 4), elements=numbers), arrays(np.int64, 12, elements=st.integers(0, 3))
)
def test_no_shift_is_better_than_the_one_that_is_chosen(
    scripts: dict[str, ModuleType], logits: Any, wanted: Any
) -> None:
    script = scripts["omitted_digit"]

    def right(by: float) -> int:
        return int((script.shifted(logits, by, [1, 2]).argmax(axis=1) == wanted).sum())

    chosen = right(script.shift(logits, wanted, [1, 2]))
    assert all(right(by) <= chosen for by in np.linspace(-11, 11, 200) + 1e-4)


def test_a_perceptron_is_nearer_to_its_teacher_than_its_controls_are(
    scripts: dict[str, ModuleType], tmp_path: Path
) -> None:
    workbench, script = scripts["workbench"], scripts["mlp_mnist"]
    found = script.distilled(
        workbench.Bench(tmp_path), workbench.small_images(), range(3), epochs=8
    )
    assert {claim.control for claim in found.claims} == {"hard", "label_smoothing", "shuffled"}
    assert script.missed(found) == []
    swapped = {**found.arms, "distilled": found.arms["shuffled"]}
    assert script.missed(replace(found, arms=swapped)) != []
    said = script.report("digits", found)
    assert "BEATS shuffled" in said
    assert "distilled   ACC001" in said


@pytest.mark.slow
@pytest.mark.parametrize("words", ["omitted_digit --quick", "mlp_mnist --quick", "hidden_trait"])
def test_the_script_meets_its_bars(
    scripts: dict[str, ModuleType],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, *_ = words.split()
    monkeypatch.setattr("sys.argv", words.split())
    assert scripts[name].main() == 0, capsys.readouterr().out
