"""Recipes of language models, from the text to a folder that Transformers loads."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kdaudit.distill.language import teacher_text
from kdaudit.distill.language.begin import read
from kdaudit.distill.language.causal import Asked, Causal
from kdaudit.distill.language.distill import distill_language
from kdaudit.distill.language.recipe import TeacherTextTable, is_language, read_language_recipe
from kdaudit.distill.language.tokenizer import Tokenizer
from kdaudit.distill.objectives.chunked import Head
from kdaudit.errors import ConfigError, DamagedError, DataError, KdauditError, ModelError
from kdaudit.evidence.store import Store
from kdaudit.models.folder import read_lineage
from kdaudit.models.pretrained import Pretrained
from kdaudit.progress import Advance, silent

Write = Callable[..., Path]
ON_POLICY = "[on_policy]\nshare = 0.5\ntokens = 8\nprompt_tokens = 4"
TEACHER_TEXT = "[teacher_text]\ntokens = 12\nprompt_tokens = 4"
PREFERENCE = "[objectives.preference]\ntokens = 8\nprompt_tokens = 4\nprompts = 6"
METHODS = {
    "logits": ("", ""),
    "jsd": ('divergence = "jsd"\nbeta = 0.3\ntemperature = 2.0', ""),
    "bf16": ("", 'precision = "bf16"\naccumulate = 2'),
    "top-k logits": ("top_k = 8\ntemperature = 2.0", ""),
    "logits + on-policy": ("", ON_POLICY),
    "sequence-level": ("soft_weight = 0.0\nhard_weight = 1.0", TEACHER_TEXT),
    "logits + preference": ("", PREFERENCE),
}


OWN_CONFIG = (
    'config = { model_type = "llama", vocab_size = 257, hidden_size = 16, intermediate_size = 32, '
    "num_hidden_layers = 1, num_attention_heads = 2 }"
)


class Killed(Exception):  # noqa: N818  # not an error of the program
    """As if the process had been killed."""


def killed_at(step: int) -> Callable[[str, int], Advance]:
    """Progress that kills an arm at one of its steps."""

    def begun(stage: str, _total: int, /) -> Advance:
        done = 0

        def advance(more: int, /, text: str = "") -> None:
            nonlocal done
            done += more
            if stage.startswith("main") and done >= step:
                raise Killed

        return advance

    return begun


def store(folder: Path) -> Store:
    return Store(folder / ".kdaudit")


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_was_killed_ends_in_the_same_bytes(
    write: Write, plays: Path, method: str
) -> None:
    tokens, more = METHODS[method]
    path = write(tokens, f"{more}\n[controls]\nhard = false")
    whole = distill_language(path, store=Store(plays / "other"))
    expected = weights(whole.folder)
    steps = whole.lineage.arms[0].steps
    assert whole.trained_steps == steps > 0
    with pytest.raises(Killed):
        distill_language(path, store=store(plays), progress=killed_at(steps - 1))
    resumed = distill_language(path, store=store(plays))
    assert resumed.trained_steps == steps // 2
    assert weights(resumed.folder) == expected
    again = distill_language(path, store=store(plays))
    assert (again.trained_steps, weights(again.folder)) == (0, expected)
    if method not in ("jsd", "bf16"):
        assert whole.lineage.method == method


def test_the_folder_loads_in_a_fresh_process_without_teacher_or_network(
    write: Write, plays: Path
) -> None:
    done = distill_language(write(epochs=1), store=store(plays))
    (plays / "teacher").unlink()
    script = (
        "import sys, torch; from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1])\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "ids = torch.tensor([tokenizer.encode('the king')])\n"
        "print(model.config.num_hidden_layers, 'kdaudit' in sys.modules, "
        "float(model(ids, labels=ids).loss))"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, str(done.folder)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert said[:2] == ["2", "False"]
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids = torch.tensor([AutoTokenizer.from_pretrained(done.folder).encode("the king")])
    model = AutoModelForCausalLM.from_pretrained(done.folder)
    assert float(model(ids, labels=ids).loss.detach()) == pytest.approx(float(said[2]))


def test_lineage_and_control_say_what_was_done(write: Write, plays: Path) -> None:
    path = write("top_k = 8", "[controls]", epochs=1)
    path.write_text("seeds = 3\n" + path.read_text("utf-8"), "utf-8")
    done = distill_language(path, store=store(plays))
    lineage = done.lineage
    assert read_lineage(done.folder) == lineage
    assert [(arm.kind, arm.seed) for arm in lineage.arms] == [
        (kind, seed) for kind in ("main", "hard") for seed in range(3)
    ]
    assert len({arm.steps for arm in lineage.arms}) == 1
    assert lineage.formula == (
        "0.7·T²·mean_positions(Σ_c p_T(c)·(log p_T(c) - log q_T(c))), T = 1.0 + "
        "0.3·mean_positions(-log q_1(y))"
    )
    (comparison,) = lineage.comparisons
    assert comparison.seeds == 3
    assert comparison.measure == "log-probability per token of validation blocks"
    assert lineage.targets is not None
    assert lineage.targets["targets"] == "stored: top 8 and one bucket, T = 1"
    assert lineage.init == {"from": "teacher", "layers": [0, 2], "shared with the teacher": True}
    control = read_lineage(done.folder / "controls" / "hard")
    assert control is not None
    assert (control.method, control.teacher, control.targets) == ("control: hard", None, None)
    assert control.formula == "1.0·mean_positions(-log q_1(y))"
    assert weights(done.folder / "controls" / "hard") != weights(done.folder)


def test_a_recorded_teacher_is_not_asked_again(
    write: Write, plays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[int]()
    ask = Asked.teacher

    def counted(self: Asked, inputs: torch.Tensor) -> Head:
        calls.append(len(inputs))
        return ask(self, inputs)

    monkeypatch.setattr(Asked, "teacher", counted)
    distill_language(write("top_k = 8", "[controls]\nhard = false"), store=store(plays))
    first = len(calls)
    assert first > 0
    more = write("top_k = 8", "[controls]\nhard = false", epochs=3)
    assert distill_language(more, store=store(plays)).trained_steps > 0
    assert len(calls) == first


def test_what_the_teacher_writes_is_stored_once_checked_and_counted(
    write: Write, plays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plays / "checks.py").write_text(
        "def even(prompt, text):\n    return len(text) % 2 == 0\n"
        "def nothing(prompt, text):\n    return False\n",
        "utf-8",
    )
    tokens, more = "soft_weight = 0.0\nhard_weight = 1.0", TEACHER_TEXT + "\nper_prompt = 2"
    done = distill_language(write(tokens, more + '\ncheck = "checks:even"'), store=store(plays))
    (path,) = store(plays).root.rglob("text.jsonl")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    kept = sum(len(row["completion"]) % 2 == 0 and row["completion"] != "" for row in rows)
    said = done.lineage.targets
    assert said is not None
    assert 0 < kept < len(rows)
    assert said["teacher texts written"] == str(len(rows))
    assert said["teacher texts kept"] == f"{kept} ({kept / len(rows):.4f})"
    assert len({arm.steps for arm in done.lineage.arms}) == 1, "equal budgets"
    monkeypatch.setattr(teacher_text, "written", None)  # nobody writes anew
    distill_language(write(tokens, more), store=store(plays))
    with pytest.raises(DataError, match="none is left: look at check"):
        distill_language(write(tokens, more + '\ncheck = "checks:nothing"'), store=store(plays))
    path.write_text(path.read_text("utf-8").replace("e", "a"), "utf-8")
    with pytest.raises(DamagedError, match="is not what the teacher wrote"):
        distill_language(write(tokens, more), store=store(plays))


def test_a_teacher_that_was_interrupted_goes_on_writing_and_ends_with_the_same_text(
    plays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher_text, "PART", 4)
    folder = Pretrained.find("teacher", plays)
    causal, tokenizer = Causal(read(folder)), Tokenizer.open(folder)
    table = TeacherTextTable(tokens=5)
    prompts = [[i, i + 1] for i in range(10)]

    def write_to(name: str, advance: Advance) -> teacher_text.Written:
        return teacher_text.write(
            causal,
            tokenizer,
            prompts,
            table,
            who={"folder": "x"},
            store=Store(plays / name),
            advance=advance,
        )

    def killed(_done: int, /, text: str = "") -> None:
        raise Killed

    whole = write_to("one", silent("", 0))
    with pytest.raises(Killed):
        write_to("two", killed)
    resumed = write_to("two", silent("", 0))
    assert (whole.now, resumed.now) == (10, 6)
    assert (resumed.sha256, resumed.rows) == (whole.sha256, whole.rows)
    assert write_to("two", silent("", 0)).now == 0
    assert not list((plays / "two").rglob("part-*"))


def test_a_student_of_its_own_configuration_learns_from_the_text_alone(plays: Path) -> None:
    path = plays / "new.toml"
    path.write_text(
        '[language]\ntext = ["plays.txt"]\nblock = 32\nvalidation = 0.2\n'
        '[student]\ntokenizer = "bytes"\nconfig = { model_type = "llama", hidden_size = 16, '
        "intermediate_size = 32, num_hidden_layers = 1, num_attention_heads = 2, "
        "tie_word_embeddings = true }\n"
        "[objectives.tokens]\nsoft_weight = 0.0\nhard_weight = 1.0\n"
        "[train]\nepochs = 4\nbatch_size = 4\nlearning_rate = 0.01\n",
        "utf-8",
    )
    done = distill_language(path, store=store(plays))
    curve = done.lineage.arms[0].curve
    assert curve[-1].validation["nll"] < curve[0].validation["nll"] - 0.5
    assert (done.lineage.teacher, done.lineage.targets, done.lineage.init) == (None, None, None)
    assert done.lineage.method == "next token"


def test_distilling_brings_the_student_nearer_to_the_teacher_than_its_control(
    write: Write, plays: Path
) -> None:
    done = distill_language(
        write("soft_weight = 1.0\nhard_weight = 0.0", epochs=6), store=store(plays)
    )
    main, hard = done.lineage.arms
    assert main.curve[-1].validation["tokens"] < 0.7 * main.curve[0].validation["tokens"]
    assert hard.curve[-1].validation["nll"] < main.curve[-1].validation["nll"]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (("layers = [0, 2]", "layers = [0, 3]"), ConfigError, "has layers 0 to 2, and layers"),
        (("layers = [0, 2]", "config = {}"), ConfigError, "give one of the two"),
        (('folder = "teacher"\nlayers', "layers"), ConfigError, "give one of the two"),
        (("[objectives.tokens]", '[objectives.tokens]\ndivergence = "mse"'), ConfigError, "never"),
        (('[teacher]\nfolder = "teacher"\n', ""), ConfigError, "a teacher is needed"),
        (('[teacher]\nfolder = "teacher"', '[teacher]\nfolder = "no"'), ModelError, "no folder no"),
        (("block = 32", "block = 128"), ConfigError, "more than the 64 positions that teacher loo"),
        (("[train]", "top_k = 257\n[train]"), ConfigError, "is the whole vocabulary of 257 tokens"),
        (("validation = 0.2", "validation = 0.0001"), DataError, "leaves one side empty"),
        (('"plays.txt"', '"none.txt"'), DataError, "none.txt cannot be read"),
        (("[train]", "[on_policy]\ntokens = 30\n[train]"), ConfigError, "are more than block = 32"),
        (
            ("[objectives.tokens]", "[on_policy]\ntokens = 4\n[objectives.tokens]\ntop_k = 4"),
            ConfigError,
            "nothing of them can be stored",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_remedy(
    write: Write, plays: Path, changes: tuple[str, str], error: type[KdauditError], message: str
) -> None:
    path = write(epochs=1)
    text = path.read_text("utf-8")
    assert changes[0] in text
    path.write_text(text.replace(*changes), "utf-8")
    with pytest.raises(error, match=message):
        distill_language(path, store=store(plays))


def test_a_folder_of_somebody_else_is_not_replaced(write: Write, plays: Path) -> None:
    path = write(epochs=1)
    path.write_text('out = "teacher"\n' + path.read_text("utf-8"), "utf-8")
    with pytest.raises(ConfigError, match="which kdaudit did not write and will not replace"):
        distill_language(path, store=store(plays))


def test_a_recipe_is_told_by_its_table(write: Write, plays: Path) -> None:
    assert is_language(write())
    assert read_language_recipe(write()).kinds == ("main", "hard")
    other = plays / "other.toml"
    other.write_text('audit = "audit.toml"', "utf-8")
    assert not is_language(other)


def test_a_padded_vocabulary_of_the_teacher_is_cut_and_its_mass_recorded(
    write: Write, plays: Path, small: Callable[..., Any]
) -> None:
    teacher = small(0, vocab_size=272)
    teacher.save_pretrained(plays / "padded")
    for file in (plays / "bytes").iterdir():
        (plays / "padded" / file.name).write_bytes(file.read_bytes())
    path = write(epochs=1, more="[controls]\nhard = false")
    text = path.read_text("utf-8").replace('folder = "teacher"\nlayers = [0, 2]', OWN_CONFIG)
    path.write_text(text.replace('folder = "teacher"', 'folder = "padded"'), "utf-8")
    said = distill_language(path, store=store(plays)).lineage.targets
    assert said is not None
    assert (said["vocabulary of the teacher"], said["vocabulary of the student"]) == ("272", "257")
    # 15 of 272 tokens of an untrained teacher.
    assert float(said["teacher's mass on tokens cut off"]) == pytest.approx(15 / 272, rel=0.2)
    path.write_text(
        text.replace(
            "[objectives.tokens]", '[objectives.tokens]\ndivergence = "reverse_kl"'
        ).replace("257", "300"),
        "utf-8",
    )
    with pytest.raises(DataError, match="the student knows 300 tokens and the teacher 257"):
        distill_language(path, store=store(plays))


def test_the_command_line_tells_what_it_would_train_and_trains_it(
    write: Write, kdaudit: Callable[..., Any]
) -> None:
    path = write(epochs=1)
    said = kdaudit("distill", str(path), "--dry-run")
    assert said.code == 0, said.err
    assert "student.toml: to be trained; main, seed 0; hard, seed 0; at most 1 epochs" in said.out
    done = kdaudit("distill", str(path))
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].endswith("runs/student")
    assert "INCONCLUSIVE hard: log-probability per token of validation blocks" in done.out
