"""A dry run tells what would be trained and run, and trains and runs nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdaudit.distill.distill import distill
from kdaudit.evidence.store import Store
from kdaudit.execute import Request
from kdaudit.preview import Preview, preview, training


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def to_run(shown: Preview) -> dict[str, int | None]:
    return {one.subject: one.to_run for one in shown.rows if one.split == "audit"}


def test_what_is_not_there_is_to_be_trained_and_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    before = files(project)
    shown = preview(project / "audit.toml", Request())
    assert files(project) == before
    assert [(one.recipe, one.made) for one in shown.training] == [
        ("teacher.toml", False),
        ("student.toml", False),
    ]
    assert "shuffled, seed 0" in shown.training[1].arms
    (rows,) = {one.rows for one in shown.rows if one.split == "audit"}
    assert to_run(shown) == {"teacher": rows, "student": rows}
    assert shown.power.reaches


def test_what_is_there_is_found(
    project: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    for recipe in ("teacher.toml", "student.toml"):
        distill(project / recipe, store=store)
    told = training(project / "student.toml", "student.toml")
    assert told.made
    text = (project / "student.toml").read_text("utf-8")
    (project / "student.toml").write_text(text.replace("epochs = 6", "epochs = 7"), "utf-8")
    changed = training(project / "student.toml", "student.toml")
    assert (changed.made, changed.epochs) == (False, 7)


def test_the_command_trains_nothing(project: Path, kdaudit: Callable[..., Any]) -> None:
    before = files(project)
    said = kdaudit("distill", project / "student.toml", "--dry-run")
    assert (said.code, files(project)) == (0, before)
    assert said.out.startswith("Nothing was trained.\nstudent.toml: to be trained; main, seed 0; ")
