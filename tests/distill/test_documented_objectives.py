"""Every objective that the page on recipes shows for its smallest recipe is trained as shown."""

import re
from pathlib import Path

import pytest

from kdaudit.distill.distill import distill
from kdaudit.evidence.store import Store

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "recipes.md").read_text("utf-8")
FILES = ("audit.toml", "model.py", "teacher.toml")
SHOWN = re.findall(r"<!-- test: objective (\w+) -->", PAGE)


def marked(mark: str) -> str:
    (body,) = re.findall(rf"<!-- test: {mark} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    return str(body)


def test_the_page_shows_every_method_that_a_perceptron_can_learn_by() -> None:
    assert SHOWN == [
        "response",
        "feature",
        "relation",
        "multi_teacher",
        "self",
        "online",
        "adversarial",
        "data_free",
    ]


@pytest.mark.parametrize("name", SHOWN)
def test_an_objective_of_the_page_is_trained_as_shown(tmp_path: Path, name: str) -> None:
    for file in FILES:
        (tmp_path / file).write_text(marked(re.escape(file)), "utf-8")
    (tmp_path / "other.toml").write_text(marked(re.escape("teacher.toml")), "utf-8")
    text = marked(re.escape("student.toml"))
    assert "[objectives.response]\n" in text
    text = text.replace("[objectives.response]\n", marked(f"objective {name}"))
    text += "epochs = 2\n[controls]\nhard = false\nlabel_smoothing = 0\nshuffled = false\n"
    (tmp_path / "student.toml").write_text(text, "utf-8")
    store = Store(tmp_path / ".kdaudit")
    for recipe in ("teacher.toml", *(["other.toml"] if name == "multi_teacher" else [])):
        quick = (tmp_path / recipe).read_text("utf-8") + "epochs = 2\n"
        (tmp_path / recipe).write_text(quick, "utf-8")
        distill(tmp_path / recipe, store=store)
    made = distill(tmp_path / "student.toml", store=store)
    assert name in made.lineage.method
    curve = made.lineage.arms[0].curve
    assert any(part.startswith(name) for part in curve[-1].train)
