"""An audit of recorded answers, small enough that a command takes no time."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdaudit.registry import GROUPS

ROWS = 400
AUDIT = """
[audit]
name = "demo"
[data]
path = "data.csv"
id = "id"
label = "label"
positive = "yes"
slices = ["channel"]
sensitive = ["channel"]
[teacher]
predictions = "teacher.csv"
[student]
predictions = "good.csv"
[[contract]]
check = "ACC001"
margin = 0.05
[[contract]]
check = "SLC001"
each = ["channel"]
margin = 0.3
[[contract]]
check = "ACC001"
at_least = 0.8
"""


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the audit file, a teacher, and students: good.csv and bad.csv."""
    from kdaudit import registry

    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    # Two suites are enough for commands, and the others resample.
    whole = registry.available
    kept = {"accuracy", "slices"}
    monkeypatch.setattr(
        registry,
        "available",
        lambda group: {
            name: point
            for name, point in whole(group).items()
            if group != GROUPS.suites or name in kept
        },
    )
    rng = np.random.default_rng(5)
    label = rng.choice(["no", "yes"], ROWS)
    ids = [f"r{i:03d}" for i in range(ROWS)]
    channel = rng.choice(["app", "web"], ROWS, p=[0.3, 0.7])
    pd.DataFrame({"id": ids, "label": label, "channel": channel}).to_csv(
        tmp_path / "data.csv", index=False
    )
    right = rng.random(ROWS) < 0.9
    wrong = {"teacher": [], "good": [3], "bad": range(0, ROWS, 4)}
    for name, rows in wrong.items():
        kept_right = right.copy()
        kept_right[list(rows)] = False
        other = np.where(label == "yes", "no", "yes")
        answers = pd.DataFrame({"id": ids, "prediction": np.where(kept_right, label, other)})
        answers.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "audit.toml").write_text(AUDIT, "utf-8")
    return tmp_path


@pytest.fixture
def rewritten(demo: Path) -> Callable[[str, Mapping[str, str]], Path]:
    """Write the audit file anew under another name, with some text changed."""

    def write(name: str, changed: Mapping[str, str]) -> Path:
        text = AUDIT
        for old, new in changed.items():
            assert old in text, old
            text = text.replace(old, new)
        (demo / name).write_text(text, "utf-8")
        return demo / name

    return write
