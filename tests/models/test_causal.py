"""Causal language models that are asked here: text, likelihoods, and what is refused."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from kdaudit.errors import ModelError
from kdaudit.models.adapter import Decoding, Prompt, Scorer, UnfitPromptError, Writer, Written
from kdaudit.models.causal import likelihood, steps
from kdaudit.models.causal.adapter import CausalModel
from kdaudit.models.hugging_face import HuggingFace
from kdaudit.models.pretrained import quiet
from kdaudit.models.sequence_classifier import SequenceClassifier
from tests.models import tiny_bert, tiny_gguf, tiny_llama

TEXTS = ("hello", "a much longer prompt is here", "x", "", "what is it?" * 5, "abc", "hh", "iii")
PROMPTS = [Prompt(text=text) for text in TEXTS]
TWENTY = Decoding(max_tokens=20)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("causal")
    tiny_llama.save(folder / "plain")
    tiny_llama.save(folder / "chat", chat=True)
    return folder


def opened(folder: Path, source: str = "plain", **options: Any) -> CausalModel:
    found = HuggingFace.open(source, base=folder, **options)
    assert isinstance(found, CausalModel)
    return found


def llama(folder: Path) -> Any:
    from transformers import LlamaForCausalLM

    kind: Any = LlamaForCausalLM
    return kind.from_pretrained(folder / "plain").eval()


def by_hand(model: Any, ids: Sequence[int], most: int) -> list[int]:
    """The likeliest token each time, from the whole text each time."""
    found: list[int] = []
    while len(found) < most:
        with torch.no_grad():
            token = int(model(torch.tensor([[*ids, *found]])).logits[0, -1].argmax())
        if token == tiny_llama.END:
            break
        found.append(token)
    return found


def test_it_writes_and_scores(made: Path) -> None:
    model = opened(made)
    assert isinstance(model, Writer)
    assert isinstance(model, Scorer)


def test_the_likeliest_text_is_written_whatever_the_neighbours(made: Path) -> None:
    model, several, one = llama(made), opened(made, batch_size=8), opened(made, batch_size=1)
    together = dict(several.write(PROMPTS, TWENTY))
    assert together == dict(one.write(PROMPTS, TWENTY))
    assert sorted(together) == list(range(len(PROMPTS)))
    encoder = one._encoder
    for i, prompt in enumerate(PROMPTS):
        ids = by_hand(model, encoder.prompt(prompt), 20)
        wanted = encoder.text(ids), len(ids) == 20, len(ids), max(1, len(prompt.text))
        got = together[i]
        assert (got.text, got.truncated, got.tokens, got.prompt_tokens) == wanted


def test_a_text_ends_at_whatever_token_the_files_say_ends_it(made: Path, tmp_path: Path) -> None:
    (_, whole), *_ = opened(made).write(PROMPTS[:1], TWENTY)
    assert (whole.truncated, whole.tokens) == (True, 20)
    ids = by_hand(llama(made), opened(made)._encoder.prompt(PROMPTS[0]), 20)
    at = ids.index(ids[7])  # its first occurrence
    shutil.copytree(made / "plain", tmp_path / "m")
    path = tmp_path / "m" / "generation_config.json"
    said = json.loads(path.read_text()) | {"eos_token_id": [tiny_llama.END, ids[7]]}
    path.write_text(json.dumps(said))
    (_, cut), *_ = opened(tmp_path, "m").write(PROMPTS[:1], TWENTY)
    assert (cut.truncated, cut.tokens) == (False, at)


def test_a_text_ends_before_the_first_stop(made: Path) -> None:
    model = opened(made)
    (_, whole), *_ = model.write(PROMPTS[:1], TWENTY)
    assert whole.text is not None
    stop = whole.text[6:8]
    cut = dict(model.write(PROMPTS, Decoding(max_tokens=20, stop=(stop, "never there"))))[0]
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert not cut.truncated
    assert cut.tokens is not None
    assert whole.tokens is not None
    assert cut.tokens < whole.tokens


def test_samples_depend_on_prompt_and_seed_alone(made: Path) -> None:
    def drawn(prompts: Sequence[Prompt], size: int, seed: int = 3) -> dict[str, Written]:
        decoding = Decoding(max_tokens=12, temperature=1.0, seed=seed)
        written = opened(made, batch_size=size).write(prompts, decoding)
        return {prompts[i].text: one for i, one in written}

    first = drawn(PROMPTS, 8)
    assert first == drawn(PROMPTS[::-1], 3)
    assert first["hello"] == drawn(PROMPTS[:1], 1)["hello"]
    assert first != drawn(PROMPTS, 8, seed=4)
    assert first["hello"] != dict(opened(made).write(PROMPTS[:1], TWENTY))[0]


def test_a_low_temperature_is_the_likeliest_text(made: Path) -> None:
    cold = Decoding(max_tokens=12, temperature=1e-4, seed=1)
    greedy = Decoding(max_tokens=12)
    assert dict(opened(made).write(PROMPTS, cold)) == dict(opened(made).write(PROMPTS, greedy))


EXAMPLES = "Q: one?\nA: 1\n\nQ: two?\nA: 2\n\nQ: "


def test_what_all_prompts_begin_with_is_read_once(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [Prompt(text=EXAMPLES + text) for text in (*TEXTS, "one of these")]
    alone = {i: dict(opened(made).write([one], TWENTY))[0] for i, one in enumerate(prompts)}
    scored = {i: dict(opened(made).score([p], ["yes"]))[0] for i, p in enumerate(prompts)}
    model = opened(made, batch_size=3)
    read = list[tuple[int, int]]()
    inner = model._model.forward

    @wraps(inner)
    def forward(input_ids: Any, **options: Any) -> Any:
        read.append(tuple(input_ids.shape))
        return inner(input_ids=input_ids, **options)

    monkeypatch.setattr(model._model, "forward", forward)
    assert dict(model.write(prompts, TWENTY)) == alone
    # One prompt ends with the examples; its last token is what the first answer comes from.
    assert read[0] == (1, len(EXAMPLES) - 1)
    assert max(tokens for _, tokens in read[1:]) == 1 + max(map(len, TEXTS))
    read.clear()
    for i, found in model.score(prompts, ["yes"] * len(prompts)):
        np.testing.assert_allclose(found.logprob, scored[i].logprob, atol=2e-5)
    assert read[0] == (1, len(EXAMPLES) - 2)  # a blank at the end joins what is scored


@pytest.mark.parametrize("kind", ["mistral", "mpt"])
def test_models_that_look_back_so_many_places_see_no_gaps(
    tmp_path: Path, made: Path, kind: str
) -> None:
    """A window, and MPT's distances, count places in the cache, whatever stands there."""
    shutil.copytree(made / "plain", tmp_path / "m")
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    size |= {
        "num_key_value_heads": 2,
        "d_model": 32,
        "n_layers": 2,
        "n_heads": 2,
        "max_seq_len": 128,
    }
    auto: Any = AutoModelForCausalLM
    config = AutoConfig.for_model(
        kind, vocab_size=257, eos_token_id=tiny_llama.END, sliding_window=16, **size
    )
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(0)
        model: Any = auto.from_config(config)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, std=0.3)
        model.save_pretrained(tmp_path / "m")
    prompts = [Prompt(text=EXAMPLES + text) for text in TEXTS]
    together = dict(opened(tmp_path, "m", batch_size=4).score(prompts, ["yes"] * len(prompts)))
    for i, prompt in enumerate(prompts):
        (_, alone), *_ = opened(tmp_path, "m").score([prompt], ["yes"])
        np.testing.assert_allclose(together[i].logprob, alone.logprob, atol=2e-5)


def test_nothing_asked_is_nothing_answered(made: Path) -> None:
    assert not list(opened(made).write([], TWENTY))
    assert not list(opened(made).score([], []))


PAIRS = (
    ("hello", "yes"),
    ("hello", "no, never"),
    ("a much longer prompt is here", " x"),
    ("", "a text that nothing stands before, and that is somewhat longer"),
    ("hello", "z"),
    ("Answer:\n", "line"),
)


def test_likelihoods_are_those_of_the_whole_text(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = llama(made)
    prompts, continuations = [Prompt(text=p) for p, _ in PAIRS], [text for _, text in PAIRS]
    found = dict(opened(made).score(prompts, continuations))
    # Read and told in small pieces it is the same.
    monkeypatch.setattr(steps, "PIECE", 7)
    monkeypatch.setattr(likelihood, "POSITIONS", 3)
    pieces = dict(opened(made, batch_size=2).score(prompts, continuations))
    assert sorted(found) == sorted(pieces) == list(range(len(PAIRS)))
    # A byte is a token; a blank joins a prompt and a word; a line break counts with what follows.
    spelled = {
        0: ("hello", " yes"),
        1: ("hello", " no, never"),
        2: ("a much longer prompt is here", " x"),
        3: ("", "a text that nothing stands before, and that is somewhat longer"),
        4: ("hello", " z"),
        5: ("Answer:", "\nline"),
    }
    tokenizer = opened(made)._encoder.tokenizer
    for i, (given, scored) in spelled.items():
        before = tokenizer(given)["input_ids"] or [tiny_llama.END]
        after = tokenizer(scored)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
        every = logits.double().log_softmax(dim=1)
        own = every[range(len(after)), after]
        mean = (every.exp() * every).sum(dim=1)
        spread = ((every.exp() * every.square()).sum(dim=1) - mean.square()).sqrt()
        for said in (found[i], pieces[i]):
            assert said.mean is not None
            assert said.deviation is not None
            np.testing.assert_allclose(said.logprob, own.numpy(), atol=2e-5)
            np.testing.assert_allclose(said.mean, mean.numpy(), atol=2e-5)
            np.testing.assert_allclose(said.deviation, spread.numpy(), atol=2e-5)
            assert said.greedy == bool((every.argmax(dim=1) == torch.tensor(after)).all())


def test_what_the_model_writes_is_the_greedy_choice(made: Path) -> None:
    model = opened(made)
    (_, written), *_ = model.write([Prompt(text="x ")], Decoding(max_tokens=3))
    assert written.text is not None
    likely = dict(model.score([Prompt(text="x ")] * 2, [written.text, "zzz"]))
    if "�" not in written.text:  # else its bytes are no text of their own
        assert likely[0].greedy
    assert not likely[1].greedy


def test_a_chat_template_is_used_where_there_is_one(made: Path) -> None:
    prompt = Prompt(text="hello", system="be brief")
    shown = {
        name: opened(made, source, **options)._encoder.shown(prompt)
        for name, source, options in (
            ("template", "chat", {}),
            ("off", "chat", {"chat": False}),
            ("none", "plain", {}),
        )
    }
    assert shown == {
        "template": "<system>be brief<user>hello<assistant>\n",
        "off": "be brief\n\nhello",
        "none": "be brief\n\nhello",
    }
    with pytest.raises(ModelError, match="has no chat template; leave chat"):
        dict(opened(made, chat=True).write(PROMPTS, TWENTY))


def test_a_template_that_writes_the_date_says_the_same_every_day(made: Path) -> None:
    encoder = opened(made, "chat")._encoder
    encoder.tokenizer.chat_template = "{{ strftime_now('%Y') }} {{ messages[0].content }}"
    assert encoder.shown(Prompt(text="hello")) == "01 Jan 2025 hello"
    encoder.tokenizer.chat_template = "{{ raise_exception('no system here') }}"
    with pytest.raises(ModelError, match=r"refuses the prompt .*no system here"):
        encoder.shown(Prompt(text="hello"))


def test_int8_is_near_and_heeds_no_neighbours(made: Path) -> None:
    rough = [opened(made, quantize="int8", batch_size=size) for size in (8, 3)]
    assert dict(rough[0].write(PROMPTS, TWENTY)) == dict(rough[1].write(PROMPTS, TWENTY))
    texts = ["some words to be scored"] * len(PROMPTS)
    exact = dict(opened(made).score(PROMPTS, texts))
    near = dict(rough[0].score(PROMPTS, texts))
    off = np.concatenate([np.abs(exact[i].logprob - near[i].logprob) for i in exact])
    assert 0 < off.mean() < 0.2
    assert rough[0].parameters() == opened(made).parameters()


def test_a_gguf_file_is_the_model_it_was_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KDAUDIT_STORE", str(tmp_path / "store"))
    made = tiny_llama.save(tmp_path / "folder", vocab_size=260)
    for pre in ("smollm", "default"):
        tiny_gguf.write(tmp_path / f"{pre}.gguf", made, pre)
    model = opened(tmp_path, "smollm.gguf")
    assert model.prompt_tokens(PROMPTS, [""] * len(PROMPTS)) is None
    assert not (tmp_path / "store").exists()
    from_file = dict(model.write(PROMPTS, TWENTY))
    assert from_file == dict(opened(tmp_path, "folder").write(PROMPTS, TWENTY))
    assert capsys.readouterr().err == ""
    # The file's own way to cut digits apart is heeded, and nobody else's.
    cut = [opened(tmp_path, f"{p}.gguf")._encoder.tokenizer for p in ("smollm", "default")]
    assert [one.tokenize("12 land") for one in cut] == [
        ["1", "2", "Ġ", "lan", "d"],
        ["12", "Ġ", "lan", "d"],
    ]
    # It is converted once, and known by its content alone.
    again = opened(tmp_path, "smollm.gguf")
    monkeypatch.setattr("kdaudit.models.causal.gguf._convert", None)
    assert dict(again.write(PROMPTS[:1], TWENTY))[0] == from_file[0]
    assert again.identity() == model.identity()
    assert "file smollm.gguf" in model.identity()
    assert model.size() == (tmp_path / "smollm.gguf").stat().st_size


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDAUDIT_STORE", str(tmp_path / "store"))
    (tmp_path / "no.gguf").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"no\.gguf cannot be read by Transformers"):
        dict(opened(tmp_path, "no.gguf").write(PROMPTS, TWENTY))
    assert not list((tmp_path / "store").rglob(".*"))
    with pytest.raises(ModelError, match=r"there is no file nowhere\.gguf"):
        opened(tmp_path, "nowhere.gguf")


def test_a_prompt_that_leaves_no_room_is_refused_with_its_length(made: Path) -> None:
    long = Prompt(text="a" * 120)
    with pytest.raises(
        UnfitPromptError, match=r"120 tokens; with 20 to be written .* the 128"
    ) as e:
        dict(opened(made).write([PROMPTS[0], long], TWENTY))
    assert e.value.prompt is long
    with pytest.raises(UnfitPromptError, match="with 11 to be scored"):
        dict(opened(made).score([long], ["0123456789"]))
    with pytest.raises(UnfitPromptError, match="more than the 24 that"):
        dict(opened(made, max_length=24).write(PROMPTS, TWENTY))


def test_a_continuation_without_tokens_is_refused(made: Path) -> None:
    with pytest.raises(ModelError, match="adds no token"):
        dict(opened(made).score([Prompt(text="")], [""]))


def test_options_make_another_model(made: Path) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"chat": False},
        {"dtype": "bfloat16"},
        {"quantize": "int8"},
        {"max_length": 100},
    ]
    found = {tuple(opened(made, **one).identity().items()) for one in options}
    assert len(found) == len(options)
    half = dict(opened(made, dtype="bfloat16").score(PROMPTS[:1], ["word"]))[0]
    full = dict(opened(made).score(PROMPTS[:1], ["word"]))[0]
    assert 0 < np.abs(half.logprob - full.logprob).max() < 0.5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dtype": "float16"}, "dtype is one of float32, bfloat16"),
        ({"quantize": "int4"}, 'quantize is "int8", not'),
        ({"batch_size": 0}, "batch_size must be a whole number"),
        ({"chat": "yes"}, "chat is true or false"),
        ({"text": "question"}, r"is \[prompt\] template, not text"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    made: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        opened(made, **options)


def test_a_classifier_stays_one(tmp_path: Path) -> None:
    tiny_bert.save(tmp_path / "bert")
    assert isinstance(HuggingFace.open("bert", base=tmp_path, batch_size=4), SequenceClassifier)
    with pytest.raises(ModelError, match="is a classifier, which has no option chat"):
        HuggingFace.open("bert", base=tmp_path, chat=True)


def test_a_folder_that_lacks_something_is_refused(made: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(made / "plain", tmp_path / "m")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "m" / name).unlink()
    with pytest.raises(ModelError, match="m cannot be read by Transformers"):
        dict(opened(tmp_path, "m").write(PROMPTS, TWENTY))
    shutil.copytree(made / "plain", tmp_path / "n")
    weights = load_file(tmp_path / "n" / "model.safetensors")
    kept = {name: one for name, one in weights.items() if "layers.1" not in name}
    save_file(kept, tmp_path / "n" / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"would be\s+drawn at random"):
        dict(opened(tmp_path, "n").write(PROMPTS, TWENTY))


def test_identity_and_opening_import_neither_torch_nor_transformers(made: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from kdaudit.models.hugging_face import HuggingFace\n"
        f"HuggingFace.open('plain', base=Path({str(made)!r})).identity()\n"
        "assert not {'torch', 'transformers', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_prompts_are_counted_with_the_tokenizer(made: Path) -> None:
    model = opened(made)
    prompts = [Prompt(text="hello"), Prompt(text="hello")]
    assert model.prompt_tokens(prompts, ["", "yes"]) == 5 + 5 + len(" yes")
