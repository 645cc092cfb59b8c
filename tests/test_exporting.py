"""A model folder as ONNX: the same answers through the adapter, or nothing is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import torch
from torch import nn

from kdaudit.errors import ConfigError, ModelError
from kdaudit.exporting import export_onnx
from kdaudit.models import to_onnx
from kdaudit.models.code import resolve
from kdaudit.models.folder import ModelFolder, torch_files, write_folder
from kdaudit.models.onnx import OnnxModel
from kdaudit.models.torch import Encoder, build, logits
from kdaudit.models.transformer import ENCODE, FACTORY, learnt_tokenizer, state
from tests.models.test_transformer import BERT
from tests.models.tiny_bert import SENTENCES, texts

CODE = """
import numpy as np
from torch import nn

def build(inputs, classes):
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, classes))

class Turning(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x):
        return self.linear(x) if x.sum().item() > 0 else self.linear(-x)

def turning(inputs, classes):
    return Turning(inputs, classes)

def encode(columns, state):
    return np.stack([np.exp(column) for column in columns.values()], axis=1)
"""
CLASSES = ("no", "maybe", "yes")


def folder(
    path: Path, factory: str = "code:build", encode: str | None = None, **further: Any
) -> ModelFolder:
    (path / "code.py").write_text(CODE)
    code = resolve(factory, path)
    given = {"columns": ("a", "b"), "width": 2, **further.pop("encoder", {})}
    args = further.pop("args", {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build(code, width=given["width"], classes=3, args=args)
    function = None if encode is None else resolve(encode, path)
    files = torch_files(
        module.state_dict(),
        factory=code,
        args=args,
        encoder=Encoder(function=function, **given),
        classes=CLASSES,
    )
    write_folder(path / "model", files)
    return ModelFolder.open("model", base=path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_answers_as_the_folder_does_for_any_number_of_rows(
    here: Path, kdaudit: Callable[..., Any]
) -> None:
    own = folder(here)
    said = kdaudit("export-model", "model", "--onnx", "m.onnx")
    assert said.code == 0, said.err
    assert "opset 18" in said.out
    assert "256 made-up rows" in said.out
    graph = onnx.load("m.onnx")
    assert ("", 18) in [(o.domain, o.version) for o in graph.opset_import]
    adapter = OnnxModel.open("m.onnx", base=here)  # classes and columns are in the file
    assert adapter.classes == CLASSES
    assert adapter.columns == ("a", "b")
    assert adapter.identity()["space"] == "logits (the file says so)"
    rng = np.random.default_rng(0)
    for rows in (1, 2, 77):
        columns = {"b": rng.normal(size=rows), "a": rng.normal(size=rows)}
        expected, found = own.predict(columns), adapter.predict(columns)
        assert found.space == expected.space
        np.testing.assert_allclose(found.values, expected.values, atol=1e-5)


def test_token_ids_go_in_and_the_tokenizer_stays_outside(here: Path) -> None:
    given = state(learnt_tokenizer(SENTENCES, 50), max_length=12, padding=0)
    own = folder(
        here,
        FACTORY,
        ENCODE,
        args={"config": BERT, "pooling": "mean"},
        encoder={"columns": ("m",), "width": 12, "state": given},
    )
    pd.DataFrame({"m": ["good day", "a long night", "bad"]}).to_csv("rows.csv", index=False)
    done = export_onnx(Path("model"), Path("m.onnx"), rows=Path("rows.csv"))
    assert done.rows == 3
    assert 0 < done.difference < 1e-5
    assert f'encode = "{ENCODE}"' in str(done)
    with pytest.raises(ModelError, match=r"reads what .*:tokens makes"):
        OnnxModel.open("m.onnx", base=here)
    adapter = OnnxModel.open("m.onnx", base=here, encode=ENCODE, state="model/state.json")
    expected = own.predict({"m": texts()}).values
    np.testing.assert_allclose(adapter.predict({"m": texts()}).values, expected, atol=1e-5)
    drawn = to_onnx.drawn(own)
    assert drawn is not None
    assert drawn.dtype == torch.int64
    assert to_onnx.difference(own, Path("m.onnx").read_bytes(), drawn) < 1e-5


def test_other_answers_are_refused_and_nothing_is_written(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(here)
    monkeypatch.setattr("kdaudit.models.to_onnx.logits", lambda *given: logits(*given) * 1.001)
    with pytest.raises(ModelError, match=r"a probability differs by .*; nothing was written"):
        export_onnx(Path("model"), Path("m.onnx"))
    assert not Path("m.onnx").exists()


def test_a_module_whose_way_depends_on_values_is_refused(here: Path) -> None:
    folder(here, "code:turning")
    with pytest.raises(ModelError, match="may not depend on the values"):
        export_onnx(Path("model"), Path("m.onnx"))


def test_an_encoder_of_the_users_needs_rows_to_compare_on(here: Path) -> None:
    folder(here, encode="code:encode")
    with pytest.raises(ConfigError, match=r"only code:encode knows .* columns a, b, as --rows"):
        export_onnx(Path("model"), Path("m.onnx"))
    pd.DataFrame({"a": [0.5, -1.0], "b": [0.0, 2.0]}).to_csv("rows.csv", index=False)
    assert export_onnx(Path("model"), Path("m.onnx"), rows=Path("rows.csv")).rows == 2


def test_another_ending_is_refused(here: Path) -> None:
    folder(here)
    with pytest.raises(ConfigError, match=r"ends in \.onnx"):
        export_onnx(Path("model"), Path("m.bin"))


def test_without_the_library_the_message_says_how_to_install_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'kdaudit\[onnx\]'"):
        export_onnx(Path("model"), Path("m.onnx"))


def test_dropout_of_the_folder_is_off(here: Path) -> None:
    module = folder(here).model.module()
    assert not any(part.training for part in module.modules())
    assert any(isinstance(part, nn.Dropout) for part in module.modules())
