"""Recipes of methods with more who learn, from their text to the model folder."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from kdaudit.distill.distill import Distilled, distill
from kdaudit.distill.recipe import read_recipe
from kdaudit.errors import ConfigError, KdauditError
from kdaudit.evidence.store import Store
from kdaudit.execute import train

ALONE = "[controls]\nhard = false\nlabel_smoothing = 0\nshuffled = false\n"
ENCODING = 'encode = "nets:encode"\nfit = "nets:fit"\n'
WEIGHTS = {"0.weight", "0.bias", "3.weight", "3.bias"}
METHODS = {
    "self": "[objectives.self]\nfrom = 'ema'",
    "online": "[objectives.online]\nfactory = 'nets:build'\nargs = { width = 16 }",
    "teacher learns": "[objectives.online]\nteacher_learns = true",
    "adversarial": "[objectives.response]\n[objectives.adversarial]\nlayers = { 1 = '1' }",
    "data_free": "[objectives.data_free]\ninputs = 'learned'\nhidden = 16",
}
MISTAKES = [
    ("[objectives.self]\ndecay = 0.5", 'decay belongs to from = "ema", not "born_again"'),
    ("[objectives.self]\nhard_weight = 0", "from nothing but an untrained model"),
    ("[objectives.self]\nsoft_weight = 0", "use [objectives.hard]"),
    ("[objectives.online]\nhard_weight = 0", "must both be above 0"),
    ("[objectives.online]\nteacher_learns = true\npeers = 2", "peers is of peers"),
    ("[objectives.adversarial]", "add [objectives.response] or [objectives.hard]"),
    ("[objectives.hard]\n[objectives.adversarial]\npadding = 0", "name layers"),
    ("[objectives.data_free]\nhard_weight = 0.3", "set hard_weight = 0"),
    ("[objectives.data_free]\n[objectives.hard]", "[objectives.hard] needs labels or answers"),
    ("[objectives.data_free]\nlatent = 3", 'latent belongs to inputs = "learned"'),
    ("[objectives.data_free]\nmean = 0", "mean and std belong together"),
    ("[objectives.data_free]\nmean = 0\nstd = 1\nmoments = 'transfer'", "both are given"),
    ("[objectives.reversed_roles]\n[objectives.response]", "the only one that answers"),
    ("[objectives.reversed_roles]\n[objectives.online]", "use one of them"),
    ("[objectives.hard]\n[controls]\nhard = true", "this recipe learns no more"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_what_does_not_go_together_is_refused_with_a_reason(
    project: Path, text: str, words: str
) -> None:
    path = project / "wrong.toml"
    path.write_text(f'audit = "audit.toml"\n[student]\nfactory = "nets:build"\n{text}\n')
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_recipe(path)


def student(project: Path, text: str, *, like_teacher: bool = False) -> Path:
    """The student's recipe with another method."""
    path = project / "student.toml"
    given = path.read_text().replace("[objectives.response]", text)
    path.write_text(given.replace(ENCODING, "") if like_teacher else given)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", METHODS)
def test_what_ships_loads_in_a_process_that_knows_nothing_of_how_it_was_taught(
    name: str, project: Path, store: Store
) -> None:
    teacher = distill(project / "teacher.toml", store=store).folder
    before = files(teacher)
    path = student(project, f"{METHODS[name]}\n{ALONE}", like_teacher=name == "data_free")
    made = distill(path, store=store)
    assert set(load_file(made.folder / "model.safetensors")) == WEIGHTS
    assert made.lineage.parameters == 2 * 8 + 8 + 8 * 3 + 3
    assert files(teacher) == before
    script = (
        "import json, numpy as np; from kdaudit.models.folder import ModelFolder\n"
        "model = ModelFolder.open('.', base=__import__('pathlib').Path('.'))\n"
        "print(model.predict({'a': np.array([0.5]), 'b': np.array([1.0])}).values.shape)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script], cwd=made.folder, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "(1, 3)"
    again = distill(path, store=store)
    assert again.trained_steps == 0
    assert again.lineage == made.lineage


CONTROLS = {
    "self": {"hard", "label_smoothing"},
    "online": {"hard", "label_smoothing"},
    "teacher learns": {"hard", "label_smoothing"},
    "adversarial": {"hard", "label_smoothing", "shuffled"},
    "data_free": {"shuffled"},
}


@pytest.mark.parametrize("name", METHODS)
def test_only_controls_that_make_sense_are_run(name: str, project: Path) -> None:
    assert set(read_recipe(student(project, METHODS[name])).kinds) == {"main"} | CONTROLS[name]


def test_drawn_rows_teach_what_shuffled_answers_do_not(project: Path, store: Store) -> None:
    distill(project / "teacher.toml", store=store)
    path = student(project, "[objectives.data_free]\nrows = 400", like_teacher=True)
    made = distill(path, store=store)
    best = {a.kind: min(e.validation["loss"] for e in a.curve) for a in made.lineage.arms}
    assert best["main"] < best["shuffled"] / 2
    assert "rows: drawn, normal" in made.lineage.formula
    assert made.lineage.arms[0].steps == 6 * 7
    assert made.lineage.transfer["shown"] is False


def test_a_student_that_encodes_otherwise_cannot_be_shown_drawn_rows(
    project: Path, store: Store
) -> None:
    distill(project / "teacher.toml", store=store)
    with pytest.raises(ConfigError, match="encode rows differently"):
        distill(student(project, "[objectives.data_free]"), store=store)


def chain(project: Path, store: Store, generations: int = 2) -> Distilled:
    text = f"[objectives.self]\ngenerations = {generations}"
    path = project / "student.toml"
    if "[objectives.self]" not in path.read_text():
        student(project, text)
    return distill(path, store=store)


def test_a_chain_of_generations_is_named_in_the_lineage(project: Path, store: Store) -> None:
    made = chain(project, store)
    main, hard, _ = made.lineage.arms
    assert len(main.generations) == 2
    assert len({*main.generations, main.digest}) == 3
    assert hard.generations == ()
    assert "past: the generation before, of 2 after generation 0" in made.lineage.formula
    assert made.lineage.formula.endswith("generation 0: 0.3·mean_rows(-log q_1(y))")
    assert made.lineage.teacher is None
    # As many steps at most as all generations together: early stopping has not stopped it here.
    assert (main.steps, hard.steps) == (6 * 3, 3 * 6 * 3)
    keys = [json.loads(path.read_text()) for path in store.root.rglob("arms/*/*/key.json")]
    mains = [key for key in keys if key["kind"] == "main" and key["args"] == {"dropout": 0.1}]
    born = [key for key in mains if len(key["loss"]) == 2 and "z_past" in key["loss"][0]]
    assert len({key["first weights"] for key in born}) == 2


def test_a_longer_chain_goes_on_where_a_shorter_one_ended(project: Path, store: Store) -> None:
    path, longer = student(project, f"[objectives.self]\ngenerations = 1\n{ALONE}"), 2
    first = distill(path, store=store)
    path.write_text(path.read_text().replace("generations = 1", f"generations = {longer}"))
    second = distill(path, store=store)
    assert second.trained_steps == 6 * 3
    chosen = second.lineage.arms[0].generations
    assert chosen[:1] == first.lineage.arms[0].generations
    assert chosen[1] == first.lineage.arms[0].digest


def test_a_chain_killed_in_a_later_generation_ends_in_the_same_bytes(project: Path) -> None:
    path = student(project, f"[objectives.self]\ngenerations = 2\n{ALONE}")
    path.write_text(path.read_text().replace("epochs = 6", "epochs = 25\npatience = 25"))
    store = Store(project / "new")
    script = (
        "from pathlib import Path; from kdaudit.distill.distill import distill\n"
        "from kdaudit.evidence.store import Store\n"
        f"distill(Path({str(path)!r}), store=Store(Path({str(store.root)!r})))"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 120
    while len(list(store.root.rglob("checkpoint.safetensors"))) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = distill(path, store=store)
    assert 0 < resumed.trained_steps < 3 * 25 * 3
    whole = distill(path, store=Store(project / "other"))
    assert resumed.lineage.arms == whole.lineage.arms
    assert resumed.lineage.digest == whole.lineage.digest


SMALL = """
audit = "audit.toml"
[student]
factory = "nets:build"
args = { width = 4 }
[objectives.hard]
[train]
epochs = 20
learning_rate = 0.01
"""
BIG = SMALL.replace("width = 4", "width = 32").replace("hard", "reversed_roles")


def reversed_project(project: Path) -> Path:
    """The audit's teacher is made by a recipe that learns from the audit's student."""
    (project / "small.toml").write_text(SMALL)
    (project / "big.toml").write_text(BIG + ALONE)
    text = (project / "audit.toml").read_text()
    text = text.replace("student.toml", "small.toml").replace("teacher.toml", "big.toml")
    (project / "audit.toml").write_text(text)
    return project / "big.toml"


def test_with_reversed_roles_the_small_model_is_trained_first_and_teaches(project: Path) -> None:
    path = reversed_project(project)
    made = train(path)
    assert made.lineage.method == "reversed_roles"
    assert made.lineage.teacher is not None
    assert made.lineage.teacher["name"] == "runs/small"
    assert made.lineage.parameters > 100
    curve = made.lineage.arms[0].curve
    assert curve[-1].validation["agreement"] > 0.9  # with the small one


def test_a_model_cannot_teach_itself_by_reversed_roles(project: Path) -> None:
    path = reversed_project(project)
    audit = project / "audit.toml"
    audit.write_text(audit.read_text().replace("small.toml", "big.toml"))
    with pytest.raises(ConfigError, match=r"which big\.toml itself makes"):
        train(path)
    audit.write_text(re.sub(r"\[student\]\n.*\n", "", audit.read_text()))
    with pytest.raises(ConfigError, match="names none: name the small model there"):
        train(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[objectives.online]", "take [objectives.online] out"),
        ("[objectives.self]", "set hard_weight = 0 under [objectives.self]"),
        ("[objectives.reversed_roles]", "set hard_weight = 0 under [objectives.reversed_roles]"),
    ],
)
def test_unlabelled_rows_are_refused_where_labels_are_learnt(
    project: Path, store: Store, text: str, words: str
) -> None:
    rows = pd.read_csv(project / "rows.csv").query("split == 'train'")
    rows[["id", "a", "b"]].assign(id="u" + rows.id).to_csv(project / "more.csv", index=False)
    audit = project / "audit.toml"
    added = '[data.transfer]\npath = "more.csv"\n[teacher]'
    audit.write_text(audit.read_text().replace("[teacher]", added))
    with pytest.raises(KdauditError, match=re.escape(words)):
        distill(student(project, text), store=store)
