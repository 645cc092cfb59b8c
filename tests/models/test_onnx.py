"""ONNX files: numbers, texts, several inputs; logits or probabilities, declared or told apart."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kdaudit.errors import ModelError
from kdaudit.models.adapter import Columns, Runnable, UnfitRowError
from kdaudit.models.onnx import OnnxModel

CLASSES = ("no", "maybe", "yes")
WEIGHTS = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, -0.5]], np.float32)
ROWS = np.array([[1.0, 0.5], [2.0, 0.0], [-1.0, 3.0]])
NUMBERS: Columns = {"a": ROWS[:, 0], "b": ROWS[:, 1]}
EXPECTED = ROWS @ WEIGHTS


def softmax(values: Any) -> Any:
    return np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)


def save(path: Path, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
    weights = [numpy_helper.from_array(WEIGHTS, "W")]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def matrix(rows: int | str = "n", name: str = "x", kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, [rows, 2])


def answers(name: str = "y", rows: int | str = "n") -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, 3])


def linear(folder: Path, output: str = "y", rows: int | str = "n") -> None:
    node = helper.make_node("MatMul", ["x", "W"], [output])
    save(folder / "m.onnx", [node], [matrix(rows)], [answers(output, rows)])


def likely(folder: Path, output: str = "y") -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["z"]),
        helper.make_node("Softmax", ["z"], [output]),
    ]
    save(folder / "m.onnx", nodes, [matrix()], [answers(output)])


def opened(folder: Path, **options: Any) -> OnnxModel:
    return OnnxModel.open("m.onnx", base=folder, **{"classes": CLASSES, **options})


def test_numbers_are_stacked_in_the_order_of_inputs(tmp_path: Path) -> None:
    linear(tmp_path)
    model = opened(tmp_path, inputs=["a", "b"])
    assert isinstance(model, Runnable)
    assert model.classes == CLASSES
    shuffled = {"b": NUMBERS["b"], "other": np.zeros(3), "a": NUMBERS["a"]}
    np.testing.assert_allclose(model.predict(shuffled).values, EXPECTED, atol=1e-6)
    assert model.size() == (tmp_path / "m.onnx").stat().st_size
    empty = {name: column[:0] for name, column in NUMBERS.items()}
    assert model.predict(empty).values.shape == (0, 3)


@pytest.mark.parametrize(
    ("make", "output", "declared", "space", "by"),
    [
        (linear, "y", None, "logits", "by the sums of its answers"),
        (likely, "y", None, "probabilities", "by the sums of its answers"),
        (likely, "output_probability", None, "probabilities", "by the name of its output"),
        (linear, "logits", None, "logits", "by the name of its output"),
        (linear, "probable_logits", None, "logits", "by the sums of its answers"),
        (linear, "logits", "probabilities", "probabilities", "declared"),
        (likely, "y", "logits", "logits", "declared"),
    ],
)
def test_logits_and_probabilities_are_told_apart_and_by_what_is_said(
    tmp_path: Path, make: Any, output: str, declared: str | None, space: str, by: str
) -> None:
    make(tmp_path, output)
    model = opened(tmp_path, space=declared)
    assert model.predict(NUMBERS).space == space
    assert model.identity()["space"] == f"{space} ({by})"


def test_a_graph_of_a_fixed_batch_answers_any_number_of_rows(tmp_path: Path) -> None:
    linear(tmp_path, rows=2)
    found = opened(tmp_path).predict(NUMBERS).values
    np.testing.assert_allclose(found, EXPECTED, atol=1e-6)


def test_several_inputs_are_the_columns_of_their_names(tmp_path: Path) -> None:
    column = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in "ba"]
    nodes = [
        helper.make_node("Concat", ["a", "b"], ["x"], axis=1),
        helper.make_node("MatMul", ["x", "W"], ["y"]),
    ]
    save(tmp_path / "m.onnx", nodes, column, [answers()])
    model = opened(tmp_path)
    assert model.columns == ("b", "a")
    np.testing.assert_allclose(model.predict(NUMBERS).values, EXPECTED, atol=1e-6)
    with pytest.raises(ModelError, match="unknown input column 'b'"):
        model.predict({"a": NUMBERS["a"]})


@pytest.mark.parametrize("names", [("no", "maybe", "yes"), None])
def test_texts_and_maps_of_classes_as_scikit_learns_converters_write_them(
    tmp_path: Path, names: tuple[str, ...] | None
) -> None:
    labels: dict[str, Any] = (
        {"classlabels_strings": list(names)} if names else {"classlabels_int64s": [0, 1, 2]}
    )
    nodes = [
        helper.make_node(
            "TfIdfVectorizer",
            ["t"],
            ["x"],
            mode="TF",
            min_gram_length=1,
            max_gram_length=1,
            max_skip_count=0,
            ngram_counts=[0],
            ngram_indexes=[0, 1],
            pool_strings=["hot", "cold"],
        ),
        helper.make_node("MatMul", ["x", "W"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"]),
        helper.make_node("ZipMap", ["p"], ["scores"], domain="ai.onnx.ml", **labels),
    ]
    text = helper.make_tensor_value_info("t", TensorProto.STRING, ["n", 1])
    key = TensorProto.STRING if names else TensorProto.INT64
    value = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    kind = helper.make_sequence_type_proto(helper.make_map_type_proto(key, value))
    save(tmp_path / "m.onnx", nodes, [text], [helper.make_value_info("scores", kind)])
    model = opened(tmp_path)
    outputs = model.predict({"message": np.array(["hot", "cold", "?"], dtype=object)})
    np.testing.assert_allclose(outputs.values, softmax(np.array([*WEIGHTS, [0, 0, 0]])), atol=1e-6)
    assert outputs.space == "probabilities"
    if names:
        with pytest.raises(ModelError, match=r"calls its classes \['maybe', 'no', 'yes'\]"):
            opened(tmp_path, classes=["a", "b", "c"]).predict({"m": np.array(["hot"], object)})


def test_of_several_outputs_the_one_with_a_telling_name_or_the_one_named_is_read(
    tmp_path: Path,
) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["z"]),
        helper.make_node("Softmax", ["z"], ["probabilities"]),
    ]
    save(tmp_path / "m.onnx", nodes, [matrix()], [answers("z"), answers("probabilities")])
    assert opened(tmp_path).identity()["output"] == "probabilities"
    found = opened(tmp_path, output="z").predict(NUMBERS)
    np.testing.assert_allclose(found.values, EXPECTED, atol=1e-6)
    assert found.space == "logits"


def test_the_identity_changes_with_the_file_and_with_every_option(tmp_path: Path) -> None:
    linear(tmp_path)
    options: list[dict[str, Any]] = [
        {},
        {"threads": 2},
        {"space": "logits"},
        {"inputs": ["b", "a"]},
        {"classes": ["x", "y", "z"]},
    ]
    found = {tuple(opened(tmp_path, **one).identity().items()) for one in options}
    likely(tmp_path)
    found.add(tuple(opened(tmp_path).identity().items()))
    assert len(found) == len(options) + 1


def test_an_encoder_may_stand_before_the_graph(tmp_path: Path) -> None:
    linear(tmp_path)
    (tmp_path / "code.py").write_text(
        "import numpy as np\n"
        "def encode(columns, state):\n"
        "    return np.array([[len(t), state['k']] for t in columns['m']], np.float32)\n"
    )
    (tmp_path / "state.json").write_text('{"k": 2}')
    model = opened(tmp_path, inputs=["m"], encode="code:encode", state="state.json")
    found = model.predict({"m": np.array(["abc", ""], dtype=object)}).values
    np.testing.assert_allclose(found, np.array([[3.0, 2.0], [0.0, 2.0]]) @ WEIGHTS, atol=1e-6)


def outside(folder: Path) -> None:
    linear(folder)
    model = onnx.load(folder / "m.onnx")
    onnx.save(
        model, folder / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )


def twins(folder: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "W"], [name]) for name in ("y", "z")]
    save(folder / "m.onnx", nodes, [matrix()], [answers("y"), answers("z")])


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (linear, {"source": "none.onnx"}, "there is no file none.onnx"),
        (linear, {"source": "m.pkl"}, "models are read from an .onnx file, not '.pkl'"),
        (linear, {"classes": ["a", "a"]}, "two or more different names, got ['a', 'a']"),
        (linear, {"classes": []}, 'classes = ["no", "yes"]'),
        (linear, {"classes": ["a", "b"]}, "answers (3, 3) to 3 rows by its output 'y'"),
        (linear, {"space": "odds"}, 'space is "logits" or "probabilities", not \'odds\''),
        (linear, {"threads": 0}, "threads must be a whole number from 1 on"),
        (linear, {"output": "w"}, "unknown output 'w'"),
        (linear, {"inputs": ["a"]}, "failed"),
        (linear, {"inputs": ["a", "text"]}, "input column 'text' holds text"),
        (
            twins,
            {},
            'has the outputs y, z; say which one holds a number per class, e.g. output = "y',
        ),
        (lambda f: (f / "m.onnx").write_bytes(b"no"), {}, "m.onnx cannot be loaded"),
        (outside, {}, "save it as one file"),
    ],
)
def test_a_file_that_cannot_answer_says_why(
    tmp_path: Path, make: Any, options: dict[str, Any], words: str
) -> None:
    make(tmp_path)
    given = {"source": "m.onnx", "base": tmp_path, "classes": CLASSES, **options}
    shown = {**NUMBERS, "text": np.array(["x"] * 3, object)} if "inputs" in options else NUMBERS
    with pytest.raises(ModelError, match=re.escape(words)):
        OnnxModel.open(**given).predict(shown)


def test_weights_in_another_file_are_not_read_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert (tmp_path / "w.bin").exists()
    with pytest.raises(ModelError, match="save it as one file"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("cell", "said"),
    [(np.nan, "an empty cell"), (37.62, "37.62"), (2.0**40, "1099511627776.0")],
)
def test_an_input_of_whole_numbers_is_shown_what_it_can_hold(
    tmp_path: Path, cell: float, said: str
) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["f", "W"], ["y"]),
    ]
    save(tmp_path / "m.onnx", nodes, [matrix(kind=TensorProto.INT32)], [answers()])
    model = opened(tmp_path, space="logits")
    whole = {"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])}
    assert model.predict(whole).values.shape == (2, 3)
    with pytest.raises(
        UnfitRowError, match=rf"tensor\(int32\), and column 'b' holds {said}"
    ) as told:
        model.predict({**whole, "b": np.array([3.0, cell])})
    assert told.value.row == 1
