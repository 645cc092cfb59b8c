"""Intents of short messages (CLINC150): text inputs, 150 classes, rare ones, out-of-scope rows."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from kdaudit.estimate import Estimate
from kdaudit.execute import execute

DATA = Path(os.environ.get("KDAUDIT_DATA", "/nowhere")) / "clinc150" / "data_imbalanced.json"

MODEL = """
import numpy as np
import torch
from sklearn.feature_extraction.text import HashingVectorizer


def encode(columns, state):
    words = HashingVectorizer(n_features=1024, ngram_range=(1, 2), alternate_sign=False)
    return words.transform(columns["text"]).toarray().astype(np.float32)


def perceptron(inputs, classes, hidden):
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, classes)
    )
"""
AUDIT = """
[audit]
name = "support-intents"
seed = 7
[data]
path = "messages.parquet"
id = "id"
label = "intent"
inputs = ["text"]
slices = ["length"]
out_of_scope = "oos"
split = { column = "split", audit = "test", validation = "val", transfer = "train" }
[teacher]
distill = "teacher.toml"
[student]
distill = "student.toml"
[[contract]]
check = "ACC001"
margin = 0.02
[[contract]]
check = "SLC003"
each = ["frequency"]
margin = 0.04
[[contract]]
check = "HAL003"
margin = 0.05
"""
TEACHER = """
audit = "audit.toml"
[student]
factory = "model:perceptron"
args = { hidden = 256 }
encode = "model:encode"
[objectives.hard]
[train]
epochs = 6
batch_size = 128
learning_rate = 3e-3
"""
STUDENT = """
audit = "audit.toml"
[student]
factory = "model:perceptron"
args = { hidden = 12 }
encode = "model:encode"
[objectives.response]
[train]
epochs = 6
batch_size = 128
learning_rate = 3e-3
[controls]
hard = false
label_smoothing = 0.0
shuffled = false
"""


@pytest.mark.skipif(not DATA.exists(), reason="KDAUDIT_DATA does not name a folder with clinc150")
def test_text_with_150_classes_is_distilled_and_its_rare_intents_and_claims_are_measured(
    tmp_path: Path,
) -> None:
    raw = json.loads(DATA.read_text("utf-8"))
    rows = [
        (f"{part}-{i:05d}", part.removeprefix("oos_"), text, intent)
        for part in ("train", "val", "test", "oos_test")
        for i, (text, intent) in enumerate(raw[part])
    ]
    table = pd.DataFrame(rows, columns=["id", "split", "text", "intent"])
    table["length"] = (table.text.str.len() > 40).map({True: "long", False: "short"})
    table.to_parquet(tmp_path / "messages.parquet")
    for name, text in {
        "audit.toml": AUDIT,
        "teacher.toml": TEACHER,
        "student.toml": STUDENT,
        "model.py": MODEL,
    }.items():
        (tmp_path / name).write_text(text, "utf-8")

    done = execute(tmp_path / "audit.toml")
    results = done.audited.results

    assert results.data.rows == 4500
    assert results.data.out_of_scope == 1000
    assert len(results.data.classes) == 150
    parts = [results.finding(f"SLC003[frequency={part}]") for part in ("head", "torso", "tail")]
    counts = [part.student.n for part in parts if isinstance(part.student, Estimate)]
    assert sum(counts) == 4500
    claims = results.finding("HAL003")
    assert isinstance(claims.teacher, Estimate)
    assert claims.teacher.n == 1000
    teacher = results.finding("ACC001").teacher
    assert isinstance(teacher, Estimate)
    assert teacher.value > 0.7  # the teacher learnt something, so the audit is about something
    assert results.exit_code in (1, 3)  # 12 hidden units cannot carry 150 intents
    assert done.folder.card.exists()

    again = execute(tmp_path / "audit.toml")
    assert again.audited.results == results
    assert again.audited.predicted["teacher"] == again.audited.predicted["student"] == 0
