"""A search over recipes of language models."""

import json
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kdaudit.distill.language import begin, samples, task, teacher_text
from kdaudit.distill.language.causal import Asked
from kdaudit.distill.language.distill import distill_language
from kdaudit.distill.language.search import TEXT
from kdaudit.distill.objectives.chunked import Head
from kdaudit.distill.search.search import Found, search
from kdaudit.errors import ConfigError
from kdaudit.evidence.store import Store

Write = Callable[..., Path]
SCORE = "validation log-probability per token"
RATES = '"train.learning_rate" = [0.003, 0.01]'


def asked(space: str, **options: object) -> str:
    """A [search] table."""
    told = "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())
    return f"[search]\n{told}[search.space]\n{space}\n"


def grid(space: str = RATES, trials: int = 9) -> str:
    return asked(space, sampler="grid", pruner="none", trials=trials)


def store(folder: Path) -> Store:
    return Store(folder / ".kdaudit")


def found_in(path: Path, name: str = ".kdaudit") -> Found:
    return search(path, store=Store(path.parent / name), kind=TEXT)


def told(found: Found) -> list[tuple[int, dict[str, Any], str, float | None]]:
    return [(t.draw, dict(t.point), t.ending, t.value) for t in found.trials]


def test_the_best_is_of_the_highest_log_probability_and_distils_what_its_trial_trained(
    write: Write, plays: Path, kdaudit: Callable[..., Any]
) -> None:
    path = write(more=grid())
    said = kdaudit("search", str(path))
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0] == "2 trials, 2 of them just now, 0 stopped early or without a score"
    assert f"{SCORE} -" in lines[1]
    assert lines[1].endswith("blocks (the best of many, so too good)")
    assert f"no other trial has at least their {SCORE} with fewer parameters:" in lines
    assert "accuracy" not in said.out
    page = (plays / "best.html").read_text("utf-8")
    assert f">{SCORE}</text>" in page
    assert "ccuracy" not in page
    best = tomllib.loads((plays / "best.toml").read_text("utf-8"))
    listed = json.loads(kdaudit("search", str(path), "--json").out)
    assert (listed["trained"], listed["score"], listed["measured"]) == (0, SCORE, SCORE)
    values = [trial["value"] for trial in listed["trials"]]
    assert best["searched"]["value"] == max(values) == listed["best"]["value"]
    assert len(set(values)) == 2
    done = distill_language(plays / "best.toml", store=store(plays))
    main, hard = done.lineage.arms
    assert done.trained_steps == hard.steps
    nll = main.curve[main.best_epoch - 1].validation["nll"]
    assert -nll == pytest.approx(best["searched"]["value"], rel=1e-5)
    assert done.lineage.search is not None
    assert (done.lineage.search.trials, done.lineage.search.objective) == (2, SCORE)


def test_a_contract_is_refused(write: Write, plays: Path, kdaudit: Callable[..., Any]) -> None:
    said = kdaudit("search", str(write(more=grid())), "--contract")
    assert said.code == 2
    assert "a language model names no audit file: search student.toml without it" in said.err
    assert not (plays / ".kdaudit").exists()


def test_no_trial_but_the_first_asks_a_teacher_that_is_recorded(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, opened = list[int](), list[int]()
    ask = Asked.teacher

    def counted(self: Asked, inputs: torch.Tensor) -> Head:
        calls.append(len(inputs))
        return ask(self, inputs)

    def reading(folder: Any) -> Any:
        opened.append(1)
        return begin.read(folder)

    monkeypatch.setattr(Asked, "teacher", counted)
    monkeypatch.setattr(task, "read", reading)
    sizes = RATES + '\n"student.layers" = [[0], [0, 2]]\n"objectives.tokens.soft_weight" = [0.5]'
    one = found_in(write("top_k = 8", grid(sizes, trials=1), epochs=1))
    first = len(calls)
    assert (one.trained, len(opened)) == (1, 1)
    assert first > 0
    rest = found_in(write("top_k = 8", grid(sizes), epochs=1))
    assert (rest.trained, len(calls)) == (3, first)
    assert len(opened) == 2, "once for the search, not for each of its trials"
    assert len({t.parameters for t in rest.trials}) == 2
    assert found_in(write("top_k = 4", grid(sizes, trials=1), epochs=1)).study != one.study
    assert len(calls) == 2 * first


def test_what_the_teacher_writes_is_written_once_unless_that_is_what_is_searched(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = list[int]()

    def counted(*args: Any, **options: Any) -> list[list[int]]:
        written.append(options["tokens"])
        return samples.written(*args, **options)

    monkeypatch.setattr(teacher_text, "written", counted)
    tokens = "soft_weight = 0.0\nhard_weight = 1.0"
    table = "[teacher_text]\ntokens = 8\nprompt_tokens = 4\n"
    done = found_in(write(tokens, table + grid(), epochs=1))
    assert (len(done.trials), written) == (2, [8])
    lengths = '"teacher_text.tokens" = [4, 8]\n' + RATES
    done = found_in(write(tokens, table + grid(lengths), epochs=1))
    assert len({t.value for t in done.trials}) == 4
    assert sorted(written) == [4, 8]


def test_layers_that_are_dropped_are_dropped_in_every_trial(write: Write) -> None:
    kept = found_in(write(more=grid(), epochs=1))
    path = write(more=grid(RATES + '\n"student.drop" = [1, 2]'), epochs=1)
    path.write_text(path.read_text("utf-8").replace("layers = [0, 2]", "drop = 1"), "utf-8")
    sizes = {(t.point["student.drop"], t.parameters) for t in found_in(path).trials}
    assert len(sizes) == 2
    assert (1, kept.best.parameters) in sizes


def test_a_search_that_was_stopped_goes_on_as_one_that_was_not(write: Write) -> None:
    rates = '"train.learning_rate" = { low = 1e-4, high = 1e-2, log = true }'
    options = {"sampler": "random", "pruner": "none"}
    whole = found_in(write(more=asked(rates, trials=4, **options), epochs=1), "other")
    first = found_in(write(more=asked(rates, trials=1, **options), epochs=1))
    rest = found_in(write(more=asked(rates, trials=4, **options), epochs=1))
    assert (first.trained, rest.trained) == (1, 3)
    assert told(rest) == told(whole)
    assert all(t.value is not None and t.value < 0 for t in whole.trials)


def test_the_median_pruner_stops_what_lags_behind(write: Write) -> None:
    rates = '"train.learning_rate" = [1e-7, 0.01]'
    found = found_in(write(more=asked(rates, sampler="random", trials=10), epochs=2))
    slow = [t for t in found.trials if t.point["train.learning_rate"] == 1e-7]
    assert any(t.ending == "pruned in epoch 1" for t in slow)
    assert found.best.point == {"train.learning_rate": 0.01}


def test_a_drawn_student_is_searched_in_sizes_that_can_be_made(write: Write) -> None:
    path = write(more="[search]\ntrials = 3", epochs=1)
    drawn = (
        'tokenizer = "bytes"\nconfig = { model_type = "llama", hidden_size = 8, '
        "intermediate_size = 16, num_hidden_layers = 1, num_attention_heads = 2 }"
    )
    text = path.read_text("utf-8").replace('folder = "teacher"\nlayers = [0, 2]', drawn)
    path.write_text(text, "utf-8")
    found = found_in(path)
    assert dict(found.space) == {
        "train.learning_rate": "0.0001 to 0.01 (log)",
        "objectives.tokens.temperature": "1.0 to 8.0 (log)",
        "objectives.tokens.soft_weight": "0.5 to 0.9",
        "student.config.hidden_size": "4, 8, 16",
        "student.config.num_hidden_layers": "1 to 2",
    }
    assert all(math.isfinite(t.value or math.nan) for t in found.trials)
    sizes = {tuple(sorted(k.items()))[1:3] for k in (dict(t.point) for t in found.trials)}
    assert len(sizes) > 1


def test_the_search_of_the_page_is_run(write: Write) -> None:
    page = (Path(__file__).parents[3] / "docs" / "language-models.md").read_text("utf-8")
    (shown,) = re.findall(r"<!-- test: language search -->\n```toml\n(.*?)```", page, re.DOTALL)
    quick = shown.replace("trials = 20", "trials = 1").replace("[teacher]", "block = 32\n[teacher]")
    path = write()
    path.write_text(f"{quick}\n[train]\nepochs = 1\nbatch_size = 4\n", "utf-8")
    found = found_in(path)
    assert found.trained == 1
    assert set(found.best.point) == {
        "train.learning_rate",
        "objectives.tokens.temperature",
        "student.layers",
    }


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ('"language.block" = [16, 32]', r"\[teacher_text\] or \[on_policy\]"),
        ('"teacher_text.tokens" = [4]', r"student.toml has no \[teacher_text\]"),
        ('"objectives.preference.beta" = [0.1]', r"has no \[objectives.preference\]"),
        ('"objectives.tokens.top_k" = [0]', "greater than or equal to 1"),
        ('"student.args.width" = [4]', "unknown key in student 'args'"),
    ],
)
def test_a_space_that_does_not_exist_is_refused_before_anything_runs(
    write: Write, plays: Path, space: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        found_in(write(more=grid(space)))
    assert not (plays / ".kdaudit").exists()
