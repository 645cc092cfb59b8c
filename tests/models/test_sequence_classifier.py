"""Sequence classifiers of Transformers: padded rows answer as they do alone, in the order asked."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from kdaudit.data.audit_file import SubjectTable
from kdaudit.errors import ConfigError, ModelError
from kdaudit.models.adapter import Runnable
from kdaudit.models.open import open_model
from kdaudit.models.sequence_classifier import SequenceClassifier
from tests.models import tiny_bert
from tests.models.tiny_bert import NAMES, texts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_bert.save(tmp_path / "bert")
    return tmp_path


def opened(folder: Path, source: str = "bert", **options: Any) -> SequenceClassifier:
    return SequenceClassifier.open(source, base=folder, **options)


def test_logits_are_those_of_transformers_itself(folder: Path) -> None:
    model = tiny_bert.save(folder / "bert")
    encoded = AutoTokenizer.from_pretrained(folder / "bert")(
        tiny_bert.SENTENCES[2], return_tensors="pt"
    )
    with torch.inference_mode():
        expected = model(**encoded).logits.numpy()
    outputs = opened(folder).predict({"message": texts()})
    assert outputs.space == "logits"
    np.testing.assert_allclose(outputs.values[2:3], expected, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 32])
def test_rows_of_mixed_lengths_answer_as_they_do_alone_in_the_order_asked(
    folder: Path, batch_size: int
) -> None:
    model, rows = opened(folder, batch_size=batch_size), texts()
    together = model.predict({"message": rows}).values
    alone = [model.predict({"message": rows[i : i + 1]}).values[0] for i in range(len(rows))]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5)
    assert np.ptp(together, axis=0).min() > 0.01  # or the order could not be told
    np.testing.assert_array_equal(together, model.predict({"message": rows}).values)


def test_two_columns_are_a_pair_whose_second_half_is_told_apart(folder: Path) -> None:
    model = tiny_bert.save(folder / "bert")
    tokenizer = AutoTokenizer.from_pretrained(folder / "bert")
    with torch.inference_mode():
        expected = model(**tokenizer("good day", "bad night", return_tensors="pt")).logits.numpy()
    found = opened(folder, text=["a", "b"]).predict(
        {"b": texts("bad night"), "a": texts("good day"), "other": np.zeros(1)}
    )
    np.testing.assert_allclose(found.values, expected, atol=1e-5)


def test_it_is_a_runnable_model_that_names_classes_and_columns(folder: Path) -> None:
    model = opened(folder, text="message")
    assert isinstance(model, Runnable)
    assert model.classes == NAMES
    assert model.columns == ("message",)
    weights = load_file(folder / "bert" / "model.safetensors")
    assert model.parameters() == sum(weight.numel() for weight in weights.values())
    assert model.size() == sum(file.stat().st_size for file in (folder / "bert").iterdir())
    assert model.predict({"message": texts()[:0]}).values.shape == (0, 3)


@pytest.mark.parametrize("changed", ["config.json", "model.safetensors", "tokenizer.json"])
def test_the_identity_changes_with_every_file(folder: Path, changed: str) -> None:
    before = dict(opened(folder).identity())
    assert dict(opened(folder).identity()) == before
    path = folder / "bert" / changed
    if changed == "model.safetensors":
        save_file({name: 2 * weight for name, weight in load_file(path).items()}, path)
    else:
        path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    assert dict(opened(folder).identity()) != before


def test_the_identity_changes_with_every_option(folder: Path) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"max_length": 5},
        {"batch_size": 3},
        {"dtype": "bfloat16"},
        {"text": "message"},
    ]
    found = {tuple(opened(folder, **one).identity().items()) for one in options}
    assert len(found) == len(options)


def test_long_rows_are_cut_to_max_length(folder: Path) -> None:
    model = opened(folder, max_length=4)
    found = model.predict({"m": texts("good day to you", "good day and night")}).values
    np.testing.assert_array_equal(found[0], found[1])  # [CLS] good day [SEP]


def test_half_precision_is_near_and_answers_in_float32(folder: Path) -> None:
    full = opened(folder).predict({"m": texts()}).values
    half = opened(folder, dtype="bfloat16").predict({"m": texts()}).values
    assert half.dtype == np.float32
    assert 0 < np.abs(full - half).max() < 0.2


def test_identity_and_opening_import_neither_torch_nor_transformers(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from kdaudit.models.sequence_classifier import SequenceClassifier\n"
        f"SequenceClassifier.open('bert', base=Path({str(folder)!r})).identity()\n"
        "assert not {'torch', 'transformers', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def without_the_head(folder: Path) -> None:
    path = folder / "bert" / "model.safetensors"
    save_file(
        {k: w for k, w in load_file(path).items() if "classifier" not in k},
        path,
        metadata={"format": "pt"},
    )


def configured(folder: Path, **values: object) -> None:
    path = folder / "bert" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def as_pickle(folder: Path) -> None:
    (folder / "bert" / "model.safetensors").rename(folder / "bert" / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "options", "words"),
    [
        (as_pickle, {}, "pytorch_model.bin, a pickle, and opening a pickle runs"),
        (without_the_head, {}, "holds no classifier.bias (2 such weights)"),
        (lambda f: configured(f, id2label={"0": "a"}), {}, "two or more different ones"),
        (lambda f: configured(f, id2label={"1": "a", "2": "b"}), {}, "must map 0, 1, 2 …"),
        (
            lambda f: configured(f, problem_type="multi_label_classification"),
            {},
            "problem_type = 'multi_label_classification'",
        ),
        (lambda f: configured(f, model_type="nonesuch"), {}, "cannot be read by Transformers"),
        (lambda f: (f / "bert" / "config.json").unlink(), {}, "has no config.json"),
        (lambda f: (f / "bert" / "config.json").write_text("{"), {}, "is not JSON"),
        (
            lambda f: (f / "bert" / "model.safetensors").unlink(),
            {},
            "there is no model.safetensors",
        ),
        (lambda _: None, {"source": "none"}, "there is no folder none"),
        (lambda _: None, {"source": "bert/config.json"}, "is a file; name the folder"),
        (lambda _: None, {"dtype": "int8"}, "dtype is one of float32, bfloat16"),
        (lambda _: None, {"batch_size": 0}, "batch_size must be a whole number"),
        (lambda _: None, {"text": "other"}, "unknown input column 'other'"),
        (lambda _: None, {"text": ["a", "b", "c"]}, "unknown input column 'a'"),
    ],
)
def test_a_folder_that_cannot_answer_says_why(
    folder: Path, damage: Any, options: dict[str, Any], words: str
) -> None:
    damage(folder)
    with pytest.raises(ModelError, match=re.escape(words)):
        opened(folder, **options).predict({"message": texts()})


def test_a_name_of_the_hub_without_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"could not be fetched from the hub.*name the folder"):
        SequenceClassifier.open("nobody/nothing", base=tmp_path)


def test_more_than_two_columns_are_refused(folder: Path) -> None:
    three = {name: texts("x") for name in "abc"}
    with pytest.raises(ModelError, match=r"one column of text, or two as a pair; there are 3"):
        opened(folder).predict(three)


def test_without_the_library_the_message_says_how_to_install_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'kdaudit\[hf\]'"):
        opened(folder)


def test_an_audit_file_names_it_by_its_key(folder: Path) -> None:
    table = SubjectTable.model_validate({"hf": "bert", "text": "message", "max_length": 8})
    found = open_model("student", table, folder)
    assert isinstance(found.adapter, SequenceClassifier)
    assert found.adapter.max_length == 8
