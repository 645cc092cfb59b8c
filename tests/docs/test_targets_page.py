"""The commands and code of the page on targets are run, in the folder of the smallest recipe."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.distill.distill import distill
from kdaudit.evidence.store import Store

from .test_documents import ROOT, blocks, marked

PAGE = ROOT / "docs" / "targets.md"
RECIPES = ROOT / "docs" / "recipes.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("audit.toml", "model.py", "teacher.toml", "student.toml"):
        (tmp_path / name).write_text(marked(name, RECIPES), "utf-8")
    distill(tmp_path / "teacher.toml", store=Store(tmp_path / ".kdaudit"))
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_commands_of_the_page_run_one_after_the_other(kdaudit: Callable[..., Any]) -> None:
    (block,) = [one["body"] for one in blocks(PAGE) if one["kind"] == "sh"]
    shown, recorded, trained = (kdaudit(*line.split()[1:]) for line in block.splitlines())
    assert "rows are missing" in shown.out
    assert "complete: training runs no teacher" in recorded.out
    assert trained.code == 0, trained.err


def test_the_augmentation_of_the_page_is_trained_with(folder: Path) -> None:
    (function,) = [one["body"] for one in blocks(PAGE) if one["kind"] == "python"]
    model = folder / "model.py"
    model.write_text(f"{model.read_text('utf-8')}\n\n{function}", "utf-8")
    recipe = marked("targets augment", PAGE)
    for targets in ("live = true", "views = 2"):
        text = f'audit = "audit.toml"\n{recipe}'.replace("live = true ", f"{targets} ")
        text = text.replace("augment =", "args = { hidden = 4 }\naugment =")
        (folder / "augmented.toml").write_text(f"{text}\n[train]\nepochs = 3\n", "utf-8")
        done = distill(folder / "augmented.toml", store=Store(folder / ".kdaudit"))
        assert done.lineage.targets is not None
        assert done.lineage.targets["augment"] == "model:jitter"


def test_the_truncation_of_the_page_is_trained_with(folder: Path) -> None:
    (block,) = [one["body"] for one in blocks(PAGE) if 'kind = "top_k"' in one["body"]]
    student = '[student]\nfactory = "model:perceptron"\nargs = { hidden = 4 }\n'
    text = f'audit = "audit.toml"\n{student}{block}[train]\nepochs = 3\n'.replace("k = 64", "k = 2")
    (folder / "cut.toml").write_text(text, "utf-8")
    done = distill(folder / "cut.toml", store=Store(folder / ".kdaudit"))
    assert done.lineage.targets is not None
    assert float(done.lineage.targets["mean tail mass at T = 4"]) > 0
