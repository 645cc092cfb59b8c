"""A Transformers student whose training is killed ends as one whose was not."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from kdaudit.distill.distill import distill
from kdaudit.evidence.store import Store
from tests.models import tiny_bert

from .killing import killed

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
hf = "bert"
[student]
distill = "student.toml"
"""
STUDENT = """
audit = "audit.toml"
[student.transformer]
{begins}
[objectives.response]
temperature = 2.0
{more}
[train]
learning_rate = 1e-3
schedule = "cosine"
epochs = 4
batch_size = 8
[controls]
hard = false
label_smoothing = 0.0
shuffled = false
"""
DRAWN = """max_length = 12
tokenizer = "teacher"
[student.transformer.config]
model_type = "bert"
hidden_size = 16
num_hidden_layers = 2
num_attention_heads = 2
intermediate_size = 32
max_position_embeddings = 40
hidden_dropout_prob = 0.3
"""
CUT = 'init = { from = "teacher", layers = "every_2" }'
INSIDE = """
[objectives.feature]
layers = { "model.bert.encoder.layer.1" = "model.bert.encoder.layer.3" }
padding = 0
"""
KILLED = killed("kdaudit.distill.distill", "distill")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = []
    for i in range(48):
        label = tiny_bert.NAMES[i % 3]
        words = [*rng.choice(["day", "night", "long", "you"], rng.integers(1, 5)), f"{label}ish"]
        rows.append((f"r{i:03d}", " ".join(rng.permutation(words)), label))
    table = pd.DataFrame(rows, columns=["id", "text", "label"])
    table["split"] = ["train", "train", "val", "test"] * 12
    table.to_csv(tmp_path / "rows.csv", index=False)
    tiny_bert.save(tmp_path / "bert")
    (tmp_path / "audit.toml").write_text(AUDIT, "utf-8")
    return tmp_path


@pytest.mark.parametrize(("begins", "more"), [(DRAWN, ""), (CUT, INSIDE)], ids=["drawn", "cut"])
def test_a_student_that_was_killed_has_the_same_weights(
    project: Path, begins: str, more: str
) -> None:
    recipe = project / "student.toml"
    recipe.write_text(STUDENT.format(begins=begins, more=more), "utf-8")
    whole = distill(recipe, store=Store(project / "other"))
    steps = 4 * 3
    assert whole.trained_steps == steps
    name = "model.safetensors"
    expected = (whole.folder / name).read_bytes()
    shutil.rmtree(whole.folder)
    done = subprocess.run([sys.executable, "-c", KILLED, str(2 * 3 + 1)], cwd=project, check=False)
    assert done.returncode == -9
    assert not whole.folder.exists()
    resumed = distill(recipe, store=Store(project / ".kdaudit"))
    assert resumed.trained_steps == steps - 2 * 3, "it went on after its second epoch"
    assert (resumed.folder / name).read_bytes() == expected
    assert resumed.lineage.arms[0].curve == whole.lineage.arms[0].curve
    assert len(load_file(resumed.folder / name)) > 20
