import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from kdaudit.errors import ModelError
from kdaudit.models.adapter import Columns, Runnable
from kdaudit.models.torch import TorchModel, threads

CLASSES = ["no", "maybe", "yes"]
BAD = """
from torch import nn

class Crooked(nn.Sequential):
    def forward(self, x):
        return super().forward(x.T.reshape(1, -1))

class Pair(nn.Sequential):
    def forward(self, x):
        return super().forward(x), None

def layers(inputs, classes):
    return nn.Linear(inputs, 4), nn.ReLU(), nn.Dropout(), nn.Linear(4, classes)

def crooked(inputs, classes):
    return Crooked(*layers(inputs, classes))

def pair(inputs, classes):
    return Pair(*layers(inputs, classes))

def number(inputs, classes):
    return 3

def short(columns, state):
    return [[0.0, 0.0]]

def words(columns, state):
    return [["a", "b"], ["c", "d"]]
"""
NUMBERS: Columns = {"a": np.array([1.0, 2.0]), "b": np.array([0.0, np.nan]), "c": np.zeros(2)}


def opened(folder: Path, **options: Any) -> Any:
    options = {
        "source": "w.safetensors",
        "factory": "student:build",
        "classes": CLASSES,
        "inputs": ["a", "b"],
        **options,
    }
    return TorchModel.open(base=folder, **options)


def test_logits_are_those_of_the_weights_by_hand(folder: Path) -> None:
    w = load_file(folder / "w.safetensors")
    x = torch.tensor([[1.0, 0.0]])
    hidden = torch.relu(x @ w["0.weight"].T + w["0.bias"])
    expected = hidden @ w["3.weight"].T + w["3.bias"]
    outputs = opened(folder).predict(NUMBERS)
    assert outputs.space == "logits"
    np.testing.assert_allclose(outputs.values[:1], expected.numpy(), rtol=1e-6)


def test_a_model_runs_in_eval_mode_so_that_dropout_is_off(folder: Path) -> None:
    model = opened(folder)
    np.testing.assert_array_equal(model.predict(NUMBERS).values, model.predict(NUMBERS).values)


def test_an_answer_of_nan_is_passed_on_and_no_other_row_is_hurt(folder: Path) -> None:
    values = opened(folder).predict(NUMBERS).values
    assert np.isfinite(values[0]).all()
    assert np.isnan(values[1]).all()


def test_columns_are_stacked_in_the_order_of_inputs(folder: Path) -> None:
    one = opened(folder, inputs=["a", "b"]).predict(NUMBERS).values
    other = opened(folder, inputs=["b", "a"]).predict(NUMBERS).values
    assert not np.array_equal(one[0], other[0])


def test_text_is_encoded_with_the_state_of_the_file(folder: Path) -> None:
    options = {"encode": "student:encode", "state": "state.json", "width": 2}
    model = opened(folder, inputs=["message"], **options)
    text = np.array(["banana", "kiwi"], dtype=object)
    encoded = {"a": np.array([0.6, 0.4]), "b": np.array([0.3, 0.0])}
    np.testing.assert_allclose(
        model.predict({"message": text}).values, opened(folder).predict(encoded).values, rtol=1e-6
    )


def test_it_is_a_runnable_model_with_a_size_and_a_count_of_weights(folder: Path) -> None:
    model = opened(folder)
    assert isinstance(model, Runnable)
    assert model.parameters() == 2 * 4 + 4 + 4 * 3 + 3
    files = ("w.safetensors", "student.py")
    assert model.size() == sum((folder / name).stat().st_size for name in files)


@pytest.mark.parametrize("changed", ["w.safetensors", "student.py", "state.json"])
def test_the_identity_changes_with_every_file_the_answers_depend_on(
    folder: Path, changed: str
) -> None:
    def identity() -> dict[str, str]:
        options = {"encode": "student:encode", "state": "state.json", "width": 2}
        return dict(opened(folder, **options).identity())

    before = identity()
    assert identity() == before
    path = folder / changed
    if changed == "w.safetensors":
        save_file({k: 2 * v for k, v in load_file(path).items()}, path)
    else:
        path.write_text(path.read_text() + "\n")
    assert identity() != before


def test_the_identity_changes_with_every_option(folder: Path) -> None:
    options: list[dict[str, Any]] = [
        {},
        {"args": {"hidden": 5}},
        {"inputs": ["b", "a"]},
        {"classes": ["x", "y", "z"]},
    ]
    identities = [tuple(opened(folder, **o).identity().items()) for o in options]
    assert len(set(identities)) == len(options)


def test_identity_and_opening_import_no_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kdaudit.models.torch import TorchModel\n"
        "import kdaudit.models.folder, kdaudit.models.sklearn, kdaudit.models.footprint\n"
        f"m = TorchModel.open('w.safetensors', base=Path({str(folder)!r}), factory='code:f',"
        " classes=['a', 'b'], inputs=['x'])\n"
        "m.identity(); assert 'torch' not in sys.modules"
    )
    (folder / "code.py").write_text("def f(): pass")
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("ending", [".pt", ".pth", ".bin", ".pkl", ".joblib"])
def test_pickles_are_refused_with_the_way_out(folder: Path, ending: str) -> None:
    with pytest.raises(ModelError, match=r"is a pickle.*save_file.*'w\.safetensors'"):
        opened(folder, source=f"w{ending}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "none.safetensors"}, "there is no file none.safetensors"),
        ({"source": "w.onnx"}, "not '.onnx'"),
        ({"classes": ["a", "a"]}, "two or more different names"),
        ({"classes": "ab"}, "two or more different names"),
        ({"inputs": []}, "width = 64"),
        ({"encode": "student:encode"}, "width = 64"),
        ({"state": "student.py"}, "student.py cannot be read as JSON"),
        ({"factory": "student:encode"}, "student:encode failed: TypeError"),
        ({"factory": "builtins:dict"}, "builtins has no file"),
        ({"args": {"inputs": 3}}, "args may not hold 'inputs'"),
        ({"args": {"hidden": 5}}, "w.safetensors does not fit what student:build builds: 0.weight"),
        ({"classes": ["a", "b"]}, "(2, 4)"),
        ({"source": "cut.safetensors"}, "cut.safetensors is not a safetensors file"),
        ({"source": "less.safetensors"}, "it lacks 3.bias (1 missing"),
        ({"source": "more.safetensors"}, "it also holds extra (0 missing, 1 unexpected"),
        ({"inputs": ["a", "d"]}, "unknown input column 'd'"),
        ({"inputs": ["a", "text"]}, "input column 'text' holds text"),
        ({"factory": "bad:crooked"}, "failed on inputs (2, 2): RuntimeError"),
        ({"factory": "bad:pair"}, "must return logits of shape (2, 3), got tuple"),
        ({"factory": "bad:number"}, "must return a torch.nn.Module, got int"),
        ({"encode": "bad:short", "width": 2}, "bad:short gave (1, 2) for 2 rows; needed is (2, 2)"),
        ({"encode": "bad:words", "width": 2}, "bad:words returned list; needed is a float32"),
    ],
)
def test_a_model_that_cannot_answer_says_why(
    folder: Path, options: dict[str, Any], words: str
) -> None:
    tensors = load_file(folder / "w.safetensors")
    (folder / "cut.safetensors").write_bytes((folder / "w.safetensors").read_bytes()[:50])
    less = {k: v for k, v in tensors.items() if k != "3.bias"}
    save_file(less, folder / "less.safetensors")
    save_file(tensors | {"extra": torch.zeros(1)}, folder / "more.safetensors")
    (folder / "bad.py").write_text(BAD)
    text = np.array(["x", "y"], dtype=object)
    columns: Columns = {"a": np.zeros(2), "b": np.zeros(2), "text": text}
    with pytest.raises(ModelError, match=re.escape(words)):
        opened(folder, **options).predict(columns)


def test_threads_are_set_for_a_while() -> None:
    with threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 1
