"""Students that are Transformers encoders: from scratch, from a folder, cut from the teacher."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from kdaudit.distill.distill import Distilled, distill
from kdaudit.distill.objectives.activations import tokens
from kdaudit.distill.training.sources import Batch
from kdaudit.errors import ConfigError, KdauditError, ModelError
from kdaudit.evidence.store import Store
from kdaudit.models.folder import ModelFolder
from tests.models import tiny_bert

SCRATCH = """
[student.transformer]
max_length = 12
config = { model_type = "bert", hidden_size = 16, num_hidden_layers = 4, num_attention_heads = 2, intermediate_size = 32, max_position_embeddings = 40, vocab_size = 60, initializer_range = 0.5 }
"""  # noqa: E501
HARD = """
[objectives.hard]
"""
TRIPLE = """
[objectives.response]
temperature = 2.0
[objectives.feature]
layers = { "model.bert.encoder.layer.1" = "model.bert.encoder.layer.3" }
distance = "cosine"
projector = "none"
padding = 0
"""
TRAIN = """
[train]
learning_rate = 1e-3
epochs = 2
batch_size = 16
"""
NO_CONTROLS = """
[controls]
hard = false
label_smoothing = 0.0
shuffled = false
"""
AUDIT = """
[audit]
name = "small"
[data]
path = "rows.csv"
id = "id"
label = "label"
inputs = ["text"]
split = { column = "split", audit = "test", validation = "val", transfer = "train" }
[teacher]
TEACHER
[student]
distill = "student.toml"
"""


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows, a teacher trained from scratch, and a pretrained folder."""
    folder = tmp_path_factory.mktemp("taught")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(72):
        label = tiny_bert.NAMES[i % 3]
        words = [*rng.choice(["day", "night", "long", "you"], rng.integers(1, 5)), f"{label}ish"]
        rows.append((f"r{i:03d}", " ".join(rng.permutation(words)), label))
    table = pd.DataFrame(rows, columns=["id", "text", "label"])
    table["split"] = ["train", "train", "val", "test"] * 18
    table.to_csv(folder / "rows.csv", index=False)
    tiny_bert.save(folder / "bert")
    audit(folder, 'distill = "teacher.toml"')
    recipe(folder, SCRATCH + HARD, name="teacher")
    return folder


@pytest.fixture
def project(taught: Path, tmp_path: Path) -> Path:
    return shutil.copytree(taught, tmp_path / "project")


def audit(folder: Path, teacher: str) -> None:
    (folder / "audit.toml").write_text(AUDIT.replace("TEACHER", teacher), "utf-8")


def recipe(folder: Path, text: str, name: str = "student", controls: str = "") -> Distilled:
    path = folder / f"{name}.toml"
    path.write_text(f'audit = "audit.toml"\n{text}{TRAIN}{controls}', "utf-8")
    return distill(path, store=Store(folder / "store"))


def weights(folder: Path, name: str = "student") -> dict[str, torch.Tensor]:
    return load_file(folder / "runs" / name / "model.safetensors")


def begun(folder: Path, text: str) -> tuple[dict[str, torch.Tensor], Any]:
    """Weights before any training: one step of a rate that moves nothing."""
    path = folder / "student.toml"
    train = '[train]\nlearning_rate = 1e-30\nepochs = 1\noptimiser = "adam"\n'
    path.write_text(f'audit = "audit.toml"\n{text}{train}{NO_CONTROLS}', "utf-8")
    done = distill(path, store=Store(folder / "store"))
    return weights(folder), done.lineage.init


def from_(source: str, layers: str = "[1, 3]", more: str = "") -> str:
    init = f'init = {{ from = "{source}", layers = {layers} }}'
    return f"[student.transformer]\n{init}\n{more}\n"


RESPONSE = "[objectives.response]\n"


def test_a_teacher_from_scratch_learns_its_words_and_reads_them_in_any_process(
    project: Path,
) -> None:
    folder = ModelFolder.open("runs/teacher", base=project)
    table = pd.read_csv(project / "rows.csv")
    expected = folder.predict({"text": table.text.to_numpy(dtype=object)}).values
    assert folder.manifest.args["config"]["vocab_size"] <= 60
    shutil.copytree(project / "runs" / "teacher", project / "alone" / "it")
    script = (
        "import socket, sys, torch; socket.socket.connect = None\n"
        "import numpy as np, pandas as pd; from pathlib import Path\n"
        "from kdaudit.models.folder import ModelFolder\n"
        "rows = pd.read_csv('../rows.csv').text.to_numpy(dtype=object)\n"
        "values = ModelFolder.open('it', base=Path()).predict({'text': rows}).values\n"
        "np.save('found.npy', values)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=project / "alone", check=True)
    np.testing.assert_allclose(np.load(project / "alone" / "found.npy"), expected, atol=1e-5)


def test_a_cut_student_begins_as_the_chosen_layers_with_all_that_is_around_them(
    project: Path,
) -> None:
    found, init = begun(project, from_("teacher") + RESPONSE)
    teacher = weights(project, "teacher")
    layer = "model.bert.encoder.layer."
    around = {name for name in teacher if layer not in name}
    assert around == {name for name in found if layer not in name}
    assert {"model.classifier.weight", "model.bert.pooler.dense.weight"} <= around
    for name in around:
        torch.testing.assert_close(found[name], teacher[name], msg=name)
    inside = [name for name in found if layer in name]
    assert {int(name.removeprefix(layer).partition(".")[0]) for name in inside} == {0, 1}
    for name in inside:
        number, _, rest = name.removeprefix(layer).partition(".")
        own = f"{layer}{(1, 3)[int(number)]}.{rest}"
        torch.testing.assert_close(found[name], teacher[own], msg=name)
    assert init["shared_init"] is True
    assert init["layers"] == [1, 3]
    assert init["drawn"] == []


def test_the_triple_loss_trains_and_its_parts_are_in_the_lineage(project: Path) -> None:
    done = recipe(project, from_("teacher", '"every_2"') + TRIPLE, controls=NO_CONTROLS)
    (arm,) = done.lineage.arms
    assert {"response.soft", "feature"} <= arm.curve[0].train.keys() or len(arm.curve[0].train) >= 4
    assert "1 - cos(g, h_teacher)" in done.lineage.formula
    teacher, student = (
        ModelFolder.open(f"runs/{name}", base=project).parameters()
        for name in ("teacher", "student")
    )
    assert student < teacher
    again = recipe(project, from_("teacher", '"every_2"') + TRIPLE, controls=NO_CONTROLS)
    assert again.trained_steps == 0


def test_all_layers_with_the_same_words_answer_as_the_teacher_does(project: Path) -> None:
    begun(project, from_("teacher", '"every_1"') + RESPONSE)
    rows = {"text": pd.read_csv(project / "rows.csv").text.to_numpy(dtype=object)}
    found, expected = (
        ModelFolder.open(f"runs/{name}", base=project).predict(rows).values
        for name in ("student", "teacher")
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_pretrained_folder_gives_its_head_to_the_same_classes_only(project: Path) -> None:
    pretrained = load_file(project / "bert" / "model.safetensors")
    audit(project, 'path = "runs/teacher"')
    found, init = begun(project, from_("bert", "[0]") + RESPONSE)
    embedding = "bert.embeddings.word_embeddings.weight"
    torch.testing.assert_close(found[f"model.{embedding}"], pretrained[embedding])
    # Classes of the teacher are sorted; the folder's are not.
    assert init["drawn"] == ["model.classifier.bias", "model.classifier.weight"]
    assert init["shared_init"] is False
    audit(project, 'hf = "bert"')
    found, init = begun(project, from_("bert", "[0]") + RESPONSE)
    head = "classifier.weight"
    torch.testing.assert_close(found[f"model.{head}"], pretrained[head])
    assert init["drawn"] == []
    assert init["shared_init"] is True


def test_a_student_begun_from_what_its_teacher_was_trained_from_shares_its_beginning(
    project: Path,
) -> None:
    recipe(project, from_("bert", '"every_2"') + HARD, name="teacher")
    _, init = begun(project, from_("bert", "[0]") + RESPONSE)
    assert init["shared_init"] is True


def test_a_base_model_with_mean_pooling_begins_without_a_head(project: Path) -> None:
    tiny_bert.save(project / "base", kind="base")
    found, init = begun(project, from_("base", "[2]", 'pooling = "mean"') + RESPONSE)
    pretrained = load_file(project / "base" / "model.safetensors")
    for part in ("embeddings.position_embeddings.weight", "pooler.dense.weight"):
        torch.testing.assert_close(found[f"model.{part}"], pretrained[part])
    name = "attention.self.query.weight"
    torch.testing.assert_close(
        found[f"model.encoder.layer.0.{name}"], pretrained[f"encoder.layer.2.{name}"]
    )
    assert init["drawn"] == ["head.bias", "head.weight"]


def test_a_transformers_teacher_is_looked_into(project: Path) -> None:
    audit(project, 'hf = "bert"')
    done = recipe(project, from_("teacher", '"last_2"') + TRIPLE, controls=NO_CONTROLS)
    assert done.lineage.init is not None
    assert done.lineage.init["layers"] == [2, 3]
    assert done.lineage.teacher is not None
    assert done.lineage.teacher["adapter"] == "hf"


def test_a_student_reads_as_many_tokens_as_its_teacher(project: Path) -> None:
    """Where no recipe says a length; else hints would fail, or the student see less unsaid."""
    audit(project, 'hf = "bert"\nmax_length = 9')
    text = from_("teacher", '"last_2"') + TRIPLE
    recipe(project, text, controls=NO_CONTROLS)
    state = json.loads((project / "runs/student/state.json").read_text("utf-8"))
    assert state["max_length"] == 9


def test_controls_begin_alike(project: Path) -> None:
    controls = "[controls]\nlabel_smoothing = 0.0\nshuffled = false\n"
    done = recipe(project, from_("teacher") + RESPONSE, controls=controls)
    assert [arm.kind for arm in done.lineage.arms] == ["main", "hard"]
    control = ModelFolder.open("runs/student/controls/hard", base=project)
    assert control.parameters() == done.lineage.parameters


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (from_("teacher", "[0, 4]"), "the encoder has the layers 0 to 3"),
        (from_("teacher", '"odd"'), 'or "every_2"'),
        (from_("none"), "there is no folder none"),
        (from_("teacher", more='pooling = "mean"'), "pooling"),
        (from_("teacher", more="config = { hidden_size = 8 }"), "may not change the size"),
        (from_("teacher", more='config = { model_type = "bert" }'), "take model_type out"),
        (from_("teacher", more='tokenizer = "none"'), "there is no file"),
        ("[student.transformer]\n", "say where it begins"),
        ("[student]\n", "say what builds it"),
        ('[student]\nfactory = "a:b"\n' + from_("teacher"), "take factory out"),
    ],
)
def test_a_beginning_that_cannot_be_says_why(project: Path, text: str, words: str) -> None:
    with pytest.raises(KdauditError) as caught:
        recipe(project, text + RESPONSE)
    assert words in str(caught.value)


def test_a_teacher_that_is_no_transformer_cannot_be_cut(project: Path) -> None:
    rows = pd.read_csv(project / "rows.csv")
    answers = pd.DataFrame({f"p_{name}": 1 / 3 for name in tiny_bert.NAMES}, index=rows.index)
    answers.assign(id=rows.id).to_csv(project / "t.csv", index=False)
    audit(project, 'predictions = "t.csv"')
    with pytest.raises(ConfigError, match="needs a teacher that is a Transformers encoder"):
        recipe(project, from_("teacher") + RESPONSE)
    with pytest.raises(
        ConfigError, match=r'tokenizer = "teacher": t\.csv \(predictions\) has none'
    ):
        recipe(project, SCRATCH + 'tokenizer = "teacher"\n' + RESPONSE)


def test_the_recipes_of_the_page_are_trained(project: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
    for name in ("teacher", "student"):
        found = re.search(rf"<!-- test: transformer {name} -->\n```toml\n(.*?)```", page, re.DOTALL)
        assert found is not None
        controls = NO_CONTROLS if name == "student" else ""
        path = project / f"{name}.toml"
        path.write_text(f'audit = "audit.toml"\n{found[1]}{controls}', "utf-8")
        done = distill(path, store=Store(project / "store"))
    assert done.lineage.init is not None
    assert done.lineage.init["layers"] == [0, 2]


def test_positions_that_a_module_cuts_off_must_be_padding() -> None:
    inputs = torch.tensor([[5, 6, 0, 0], [7, 0, 0, 0]])
    found = tokens(Batch(inputs=inputs), padding=0, count=2)
    assert found.tolist() == [[True, True], [True, False]]
    with pytest.raises(ModelError, match="the layer has 1 positions"):
        tokens(Batch(inputs=inputs), padding=0, count=1)
