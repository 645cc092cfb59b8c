"""What a recipe with ``[language]`` makes is audited from its folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.data.audit_file import SubjectTable
from kdaudit.distill.recipe import made
from kdaudit.errors import ModelError
from kdaudit.models.causal.adapter import CausalModel
from kdaudit.models.folder import ModelFolder
from kdaudit.models.open import open_model
from kdaudit.results import Results
from kdaudit.results_file import load

AUDIT = """
[audit]
name = "plays"
[data]
path = "questions.csv"
inputs = ["line"]
answers = "line"
[prompt]
max_tokens = 4
[teacher]
hf = "teacher"
[student]
distill = "student.toml"
[baseline]
distill = "student.toml"
control = "hard"
"""


def test_a_student_of_a_language_recipe_is_trained_and_audited(
    write: Callable[..., Path], kdaudit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    folder = write(more="[controls]\nhard = true", epochs=1).parent
    lines = "".join(f"{i},my lord {i}\n" for i in range(30))
    (folder / "questions.csv").write_text(f"id,line\n{lines}", "utf-8")
    (folder / "audit.toml").write_text(AUDIT, "utf-8")
    before = kdaudit("run", folder / "audit.toml", "--dry-run")
    assert before.code == 0, before.err
    assert "student (student.toml): 30 requests on the audit rows, 0 in the store" in before.out
    said = kdaudit("run", folder / "audit.toml")
    assert said.code in (0, 1, 3), said.out + said.err
    run = folder / "kdaudit-out" / "plays"
    results = load(Results, run / "results.json")
    assert [s.error for s in results.suites if s.error] == []
    assert [one.name for one in results.subjects if one.role == "student"] == ["runs/student"]
    assert (run / "lineage.json").exists()
    for named, place in (
        (SubjectTable(distill="student.toml"), "runs/student"),
        (SubjectTable(distill="student.toml", control="hard"), "runs/student/controls/hard"),
    ):
        table = made(named, folder)
        assert table.options == {"hf": place}
        assert isinstance(open_model("student", table, folder).adapter, CausalModel)
    with pytest.raises(ModelError, match=r"holds a language model.*name it as `hf`"):
        ModelFolder.open("runs/student", base=folder)
