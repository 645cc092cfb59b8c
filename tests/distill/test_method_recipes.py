"""Recipes of every method, from their text to the model folder."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from kdaudit.distill.distill import distill
from kdaudit.distill.recipe import read_recipe
from kdaudit.distill.task import prepare
from kdaudit.errors import ConfigError, DataError, KdauditError
from kdaudit.evidence.store import Store
from kdaudit.models.folder import ModelFolder
from kdaudit.progress import silent

ALONE = "[controls]\nhard = false\nlabel_smoothing = 0\nshuffled = false\n"

MISTAKES = [
    ("[objectives.feature]\nlayers = { a = 'b' }", "add [objectives.response] or"),
    ("[objectives.response]\n[objectives.feature]", "objectives.feature.layers is missing"),
    ("[objectives.response]\nbeta = 0.5", 'beta belongs to divergence = "jsd"'),
    ("[objectives.response]\ndivergence = 'mse'\ntemperature = 2", "take temperature out"),
    ("[objectives.response]\ndivergence = 'jsd'\nbeta = 1.5", "beta: Input should be less"),
    ("[objectives.fair]\ngroup = ['g']\nweigh = 'none'", "that is [objectives.response]"),
    ("[objectives.fair]\nweigh = 'groups'", 'e.g. group = ["dialect"]'),
    ("[objectives.multi_teacher]", "the audit file's is the only one"),
    ("[objectives.response]\n[teachers.other]\npath = 'x'", "[teachers.other] is asked by nobody"),
    ("[objectives.multi_teacher]\n[teachers.teacher]\npath = 'x'", "other than teacher"),
    (
        "[objectives.multi_teacher]\nweights = { teacher = 1 }\n[teachers.other]\npath = 'x'",
        "give each of other, teacher a weight",
    ),
    ("[objectives.response]\n[objectives.relation]\npadding = 0", "name layers"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_in_an_objective_is_named(project: Path, text: str, words: str) -> None:
    path = project / "wrong.toml"
    path.write_text(f'audit = "audit.toml"\n[student]\nfactory = "nets:build"\n{text}\n')
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_recipe(path)


def edit(project: Path, name: str, *changes: tuple[str, str]) -> None:
    text = (project / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (project / name).write_text(text)


def add(project: Path, text: str) -> None:
    edit(project, "student.toml", ("[train]", f"{text}\n[train]"))


def alone(project: Path) -> None:
    """Without controls, for speed."""
    add(project, ALONE)


def test_a_student_of_hints_and_relations_ships_without_projector_or_teacher(
    project: Path, store: Store
) -> None:
    teacher = distill(project / "teacher.toml", store=store).folder
    before = {path.name: path.read_bytes() for path in teacher.iterdir() if path.is_file()}
    add(
        project,
        "[objectives.feature]\nlayers = { 1 = '1' }\n[objectives.relation]\nlayers = { 1 = '1' }",
    )
    made = distill(project / "student.toml", store=store)
    assert made.lineage.method == "response + feature + relation"
    assert "g = W·h_student + b, layers 1 → 1" in made.lineage.formula
    assert "‖h_i - h_j‖" in made.lineage.formula
    assert set(load_file(made.folder / "model.safetensors")) == {
        "0.weight",
        "0.bias",
        "3.weight",
        "3.bias",
    }
    assert made.lineage.parameters == 2 * 8 + 8 + 8 * 3 + 3
    # Student and teacher encode rows differently: this one alone subtracts means.
    assert ModelFolder.open(".", base=teacher).manifest.encode is None
    assert {path.name: path.read_bytes() for path in teacher.iterdir() if path.is_file()} == before
    again = distill(project / "student.toml", store=store)
    assert again.trained_steps == 0
    assert again.lineage == made.lineage
    (main,) = (arm for arm in made.lineage.arms if arm.kind == "main")
    assert main.curve[-1].train["feature"] < main.curve[0].train["feature"]
    assert {arm.kind for arm in made.lineage.arms} >= {"hard", "shuffled"}
    assert len({arm.digest for arm in made.lineage.arms}) == 4


def test_another_teacher_is_another_run(project: Path, store: Store) -> None:
    alone(project)
    distill(project / "teacher.toml", store=store)
    add(project, "[objectives.feature]\nlayers = { 1 = '1' }")
    edit(project, "student.toml", ("[objectives.response]", "[objectives.hard]"))
    first = distill(project / "student.toml", store=store)
    edit(project, "teacher.toml", ("epochs = 30", "epochs = 3"))
    distill(project / "teacher.toml", store=store)
    second = distill(project / "student.toml", store=store)
    assert second.trained_steps > 0
    assert second.lineage.digest != first.lineage.digest


def test_a_teacher_that_shows_answers_only_cannot_be_looked_into(
    project: Path, store: Store
) -> None:
    alone(project)
    rows = pd.read_csv(project / "rows.csv")
    rng = np.random.default_rng(0)
    saved = pd.DataFrame(
        rng.dirichlet([1, 1, 1], len(rows)), columns=["p_blue", "p_green", "p_red"]
    )
    for name in ("blue", "green", "red"):
        saved[f"p_{name}"] += rows["label"] == name
    saved = saved.div(saved.sum(axis=1), axis=0)
    saved.assign(id=rows.id).to_csv(project / "teacher.csv", index=False)
    edit(project, "audit.toml", ('distill = "teacher.toml"', 'predictions = "teacher.csv"'))
    add(project, "[objectives.feature]\nlayers = { 1 = '1' }")
    with pytest.raises(ConfigError, match=r"teacher\.csv \(predictions\) shows its answers only"):
        distill(project / "student.toml", store=store)
    edit(
        project,
        "student.toml",
        ("[objectives.feature]\nlayers = { 1 = '1' }", "[objectives.relation]"),
    )
    made = distill(project / "student.toml", store=store)  # relations of logits need none
    assert made.lineage.method == "response + relation"


def test_groups_come_from_the_columns_of_the_audit_file(project: Path, store: Store) -> None:
    rows = pd.read_csv(project / "rows.csv")
    rows["dialect"] = np.where(np.arange(len(rows)) % 5 == 0, "x", "y")
    rows.to_csv(project / "rows.csv", index=False)
    edit(
        project,
        "audit.toml",
        ('inputs = ["a", "b"]', 'inputs = ["a", "b"]\nsensitive = ["dialect"]'),
    )
    alone(project)
    distill(project / "teacher.toml", store=store)
    plain = distill(project / "student.toml", store=store)
    fair = '[objectives.fair]\ngroup = "dialect"\nweigh = "reweighing"\ncorrect = "prior"'
    edit(project, "student.toml", ("[objectives.response]", fair))
    made = distill(project / "student.toml", store=store)
    assert made.lineage.method == "fair"
    assert "w = n_g·n_y/(N·n_gy)" in made.lineage.formula
    assert made.lineage.digest != plain.lineage.digest
    edit(project, "student.toml", ('group = "dialect"', 'group = "dialekt"'))
    with pytest.raises(ConfigError, match=r"unknown group 'dialekt'\. Did you mean 'dialect'"):
        distill(project / "student.toml", store=store)


def second_teacher(project: Path, store: Store) -> None:
    distill(project / "teacher.toml", store=store)
    text = (project / "teacher.toml").read_text().replace("width = 32", "width = 16")
    (project / "second.toml").write_text(text)
    distill(project / "second.toml", store=store)
    several = '[teachers.second]\ndistill = "second.toml"\n[objectives.multi_teacher]'
    edit(project, "student.toml", ("[objectives.response]", several))


@pytest.mark.parametrize("combine", ["mixture", "logits"])
def test_a_student_of_two_teachers(project: Path, store: Store, combine: str) -> None:
    second_teacher(project, store)
    add(project, f'weights = {{ teacher = 3, second = 1 }}\ncombine = "{combine}"')
    alone(project)
    made = distill(project / "student.toml", store=store)
    assert made.lineage.method == "multi_teacher"
    each = "softmax(z_{}/T)" if combine == "mixture" else "z_{}"
    said = f"0.75·{each.format('teacher')} + 0.25·{each.format('second')}"
    assert said in made.lineage.formula
    assert made.lineage.teacher is not None
    assert made.lineage.teacher["second: name"] == "runs/second"
    assert len(made.lineage.teacher["second: transfer evidence"]) == 64


def test_teachers_of_other_classes_are_refused(project: Path, store: Store) -> None:
    second_teacher(project, store)
    edit(
        project,
        "student.toml",
        ('distill = "second.toml"', 'distill = "second.toml"\nrename = { red = "rot" }'),
    )
    with pytest.raises(DataError, match=r"only one of them knows 'red', 'rot'"):
        distill(project / "student.toml", store=store)


def test_answers_of_a_further_teacher_are_put_into_the_order_of_the_first(
    project: Path, store: Store
) -> None:
    """Blue and green change names: the first two columns change places."""
    second_teacher(project, store)

    def answers() -> torch.Tensor:
        recipe = read_recipe(project / "student.toml")
        return prepare(recipe, project, store, silent).transfer.further["second"]

    first = answers()
    swap = '\nrename = { blue = "green", green = "blue" }'
    edit(project, "student.toml", ('distill = "second.toml"', f'distill = "second.toml"{swap}'))
    assert torch.equal(answers(), first[:, [1, 0, 2]])
    assert not torch.equal(answers(), first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[objectives.fair]\nweigh = "classes"\nhard_weight = 0', 'weigh by "groups"'),
        ('[objectives.fair]\nweigh = "classes"', r"hard_weight = 0 under [objectives.fair]"),
    ],
)
def test_unlabelled_rows_are_refused_where_labels_are_read(
    project: Path, store: Store, text: str, words: str
) -> None:
    distill(project / "teacher.toml", store=store)
    rows = pd.read_csv(project / "rows.csv").query("split == 'train'")
    rows[["id", "a", "b"]].assign(id="u" + rows.id).to_csv(project / "more.csv", index=False)
    edit(project, "audit.toml", ("[teacher]", '[data.transfer]\npath = "more.csv"\n[teacher]'))
    edit(project, "student.toml", ("[objectives.response]", text))
    with pytest.raises(KdauditError, match=re.escape(words)):
        distill(project / "student.toml", store=store)
