"""A language model as the teacher of a classifier: it names a class for every row, once."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdaudit.distill.distill import distill
from kdaudit.distill.targets.holdings import holdings
from kdaudit.errors import DataError
from kdaudit.evidence.store import Store
from tests.models.llm_server import Server, chosen, serving

from .conftest import AUDIT, STUDENT, begin

TRANSFER, VALIDATION = 179, 49
PROMPT = """
[prompt]
template = "A point at {a}, {b}. Is it red, green or blue?"
classes = ["red", "green", "blue"]
max_tokens = 4
"""
LEARNT = "temperature = 1.0\n[controls]\nhard = false\nlabel_smoothing = 0.0\nshuffled = false\n"


def named(prompt: str) -> dict[str, Any]:
    """The class whose centre is nearest."""
    a, b = map(float, re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", prompt)[:2])
    return chosen("Red." if a > abs(b) / 2 else "green" if b > 0 else "**Blue**")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(answer=named) as running:
        yield running


@pytest.fixture
def recipe(tmp_path: Path, server: Server) -> Path:
    begin(tmp_path)
    endpoint = f'endpoint = "{server.url}"\nmodel = "large"'
    (tmp_path / "audit.toml").write_text(
        AUDIT.replace('distill = "teacher.toml"', endpoint, 1) + PROMPT
    )
    (tmp_path / "student.toml").write_text(
        STUDENT.replace("[objectives.response]\n", "[objectives.response]\n" + LEARNT)
    )
    return tmp_path / "student.toml"


def asked(server: Server) -> int:
    return len(server.asked)


def test_a_student_learns_the_classes_that_a_language_model_names(
    recipe: Path, server: Server
) -> None:
    store = Store(recipe.parent / ".kdaudit")
    before = holdings(recipe, store=store, record=False)
    assert [(one.kind, one.rows, one.recorded) for one in before] == [
        ("label", TRANSFER, 0),
        ("label", VALIDATION, 0),
    ]
    assert asked(server) == 0
    done = distill(recipe, store=store)
    assert done.trained_steps > 0
    assert asked(server) == TRANSFER + VALIDATION
    assert done.lineage.targets is not None
    assert "label" in done.lineage.targets["kind"]
    after = holdings(recipe, store=store, record=False)
    assert all(one.complete and (one.accuracy or 0) > 0.6 for one in after)
    assert distill(recipe, store=store).trained_steps == 0
    assert asked(server) == TRANSFER + VALIDATION  # nobody was asked twice


def test_targets_that_may_not_be_recorded_are_refused(recipe: Path, server: Server) -> None:
    recipe.write_text(recipe.read_text() + "[targets]\nrecord = false\n")
    with pytest.raises(DataError, match=r"not asked 179 of the transfer rows.*--record"):
        distill(recipe, store=Store(recipe.parent / ".kdaudit"))
    assert asked(server) == 0


def test_without_classes_it_is_no_teacher(recipe: Path) -> None:
    audit = recipe.parent / "audit.toml"
    audit.write_text(audit.read_text().replace('classes = ["red", "green", "blue"]\n', ""))
    with pytest.raises(DataError, match=r"writes text, not classes; \[prompt\] classes"):
        distill(recipe, store=Store(recipe.parent / ".kdaudit"))
