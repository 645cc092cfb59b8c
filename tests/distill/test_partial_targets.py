"""Targets that are less than a whole distribution: learnt as what they are, or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from kdaudit import audit
from kdaudit.distill.distill import distill
from kdaudit.distill.recipe import read_recipe
from kdaudit.distill.task import Task, prepare
from kdaudit.errors import ConfigError, DataError
from kdaudit.evidence.store import Store
from kdaudit.progress import silent

from .conftest import STUDENT, table

CLASSES = ("blue", "green", "red")
ONLY_SOFT = "hard = false\nlabel_smoothing = 0.0"


def answers(seed: int = 1) -> pd.DataFrame:
    """A teacher that knows the label: by id, probabilities of every class, in another order."""
    rng = np.random.default_rng(seed)
    rows = table()
    z = rng.normal(size=(len(rows), 3))
    for column, name in enumerate(CLASSES):
        z[:, column] += 2.5 * (rows["label"] == name)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    found = pd.DataFrame(p, columns=list(CLASSES)).assign(id=rows["id"])
    return found.sample(frac=1, random_state=0).reset_index(drop=True)


def in_form(form: str) -> pd.DataFrame:
    """The same answers as users have them."""
    whole = answers()
    p = whole[list(CLASSES)].to_numpy()
    found = whole[["id"]].copy()
    if form == "full":
        return found.assign(**{f"p_{c}": p[:, i] for i, c in enumerate(CLASSES)})
    if form == "logits":
        return found.assign(**{f"logit_{c}": np.log(p[:, i]) + 4 for i, c in enumerate(CLASSES)})
    if form == "label":
        return found.assign(prediction=[CLASSES[i] for i in p.argmax(axis=1)])
    if form == "counts":
        rng = np.random.default_rng(3)
        drawn = np.stack([rng.multinomial(8, row) for row in p])
        return found.assign(**{f"count_{c}": drawn[:, i] for i, c in enumerate(CLASSES)})
    order = np.argsort(-p, axis=1)
    for place in range(2):
        chosen = order[:, place]
        found[f"top_{place + 1}"] = [CLASSES[i] for i in chosen]
        found[f"logprob_{place + 1}"] = np.log(p[np.arange(len(p)), chosen])
    return found


def learn(project: Path, form: str, objective: str = "temperature = 1.0", more: str = "") -> Path:
    """A recipe whose teacher is a file."""
    in_form(form).to_csv(project / "teacher.csv", index=False)
    audit = (project / "audit.toml").read_text()
    audit = audit.replace('distill = "teacher.toml"', 'predictions = "teacher.csv"')
    (project / "audit.toml").write_text(audit)
    text = STUDENT.replace("[objectives.response]", f"[objectives.response]\n{objective}\n{more}")
    (project / "student.toml").write_text(text)
    return project / "student.toml"


def task(recipe: Path) -> Task:
    store = Store(recipe.parent / ".kdaudit")
    return prepare(read_recipe(recipe), recipe.parent, store, silent)


def lineage(recipe: Path) -> dict[str, Any]:
    distill(recipe, store=Store(recipe.parent / ".kdaudit"))
    found: dict[str, Any] = json.loads((recipe.parent / "runs/student/lineage.json").read_text())
    return found


def test_logits_of_a_file_are_whole_distributions_at_any_temperature(project: Path) -> None:
    logits = task(learn(project, "logits", "temperature = 4.0"))
    whole = task(learn(project, "full", "temperature = 4.0"))
    torch.testing.assert_close(
        logits.transfer.answers("teacher"), whole.transfer.answers("teacher")
    )
    assert logits.transfer.kind == "full"


def test_a_label_is_learnt_by_cross_entropy_and_is_never_called_soft(project: Path) -> None:
    recipe = learn(project, "label", more="[controls]\n" + ONLY_SOFT)
    found = lineage(recipe)
    assert found["formula"].startswith("0.7·mean_rows(-log q_1(ŷ)), ŷ: the teacher's label + 0.3·")
    assert found["targets"]["kind"].startswith("label")
    point = found["arms"][0]["curve"][0]
    assert "response.teacher_label" in point["train"]
    assert not any("soft" in name for name in point["train"])
    assert point["validation"]["agreement"] > 0.2
    one_hot = task(recipe).transfer.answers("teacher").exp()
    assert one_hot.sum(dim=1).tolist() == [1.0] * len(one_hot)
    assert set(one_hot.flatten().tolist()) == {0.0, 1.0}


def test_counts_are_shares_of_k_and_k_stands_in_the_lineage(project: Path) -> None:
    recipe = learn(project, "counts", more="[controls]\n" + ONLY_SOFT)
    assert lineage(recipe)["targets"]["kind"] == "counts over 8 to 8 samples"
    shares = task(recipe).transfer.answers("teacher").exp() * 8
    torch.testing.assert_close(shares, shares.round(), atol=1e-4, rtol=0)


def test_top_k_of_a_server_has_a_bucket_whose_mass_stands_in_the_lineage(project: Path) -> None:
    recipe = learn(project, "top_k", more="[controls]\n" + ONLY_SOFT)
    found = lineage(recipe)
    p = np.sort(answers()[list(CLASSES)].to_numpy(), axis=1)
    mean = float(found["targets"]["mean tail mass at T = 1"])
    assert mean == pytest.approx(p[:, 0].mean(), abs=0.01)
    assert "all others as one" in found["formula"]
    assert {arm["kind"] for arm in found["arms"]} == {"main", "shuffled"}


def test_the_shuffled_control_has_everything_of_another_row(project: Path) -> None:
    from kdaudit.distill.methods.controls import rows

    transfer = task(learn(project, "top_k")).transfer
    shuffled = rows("shuffled", 0, transfer)
    assert shuffled.norms is not None
    assert shuffled.kind == "top_k"
    assert not torch.equal(shuffled.answers("teacher"), transfer.answers("teacher"))
    assert sorted(shuffled.answers("teacher").flatten().tolist()) == sorted(
        transfer.answers("teacher").flatten().tolist()
    )


@pytest.mark.parametrize(
    ("form", "objective", "said"),
    [
        ("top_k", "", "usable at T = 1 only: log-probabilities of the likeliest classes do not"),
        ("label", "", "a label has no temperature; set temperature = 1"),
        ("counts", "temperature = 2.0", "to the power 1/T are biased"),
        ("top_k", 'divergence = "mse"\n', "usable at T = 1|compares all logits"),
        ("label", 'temperature = 1.0\ndivergence = "jsd"', "learnt by cross-entropy"),
        ("counts", 'temperature = 1.0\ndivergence = "reverse_kl"', "probability of exactly 0"),
    ],
)
def test_what_such_targets_cannot_give_is_refused_with_the_reason(
    project: Path, form: str, objective: str, said: str
) -> None:
    recipe = learn(project, form, objective)
    with pytest.raises(DataError, match=said):
        distill(recipe, store=Store(project / ".kdaudit"))


def test_a_correction_of_whole_distributions_is_refused_for_a_list(project: Path) -> None:
    recipe = learn(project, "top_k")
    fair = '[objectives.fair]\ncorrect = "prior"\ngroup = ["group"]\ntemperature = 1.0'
    text = recipe.read_text().replace("[objectives.response]\ntemperature = 1.0", fair)
    recipe.write_text(text)
    audit = project / "audit.toml"
    audit.write_text(audit.read_text().replace("out_of_scope", 'slices = ["group"]\nout_of_scope'))
    rows = table().assign(group=lambda t: np.where(t["a"] > 0, "east", "west"))
    rows.to_csv(project / "rows.csv", index=False)
    with pytest.raises(
        DataError, match=r"\[objectives.fair\] makes targets of whole distributions"
    ):
        distill(recipe, store=Store(project / ".kdaudit"))


@pytest.mark.parametrize("kind", ["full", "top_k"])
def test_more_than_a_file_has_is_refused(project: Path, kind: str) -> None:
    size = "k = 2\ntemperatures = [1.0]\n" if kind == "top_k" else ""
    recipe = learn(project, "label", more=f'[targets]\nkind = "{kind}"\n{size}')
    with pytest.raises(DataError, match="needs whole distributions"):
        task(recipe)


def test_a_whole_distribution_may_be_cut_to_a_list_or_a_label(project: Path) -> None:
    recipe = learn(
        project,
        "full",
        "temperature = 2.0",
        '[targets]\nkind = "top_k"\nk = 2\ntemperatures = [1.0, 2.0]\n',
    )
    cut = task(recipe).transfer
    assert (cut.kind, cut.temperatures) == ("top_k", (1.0, 2.0))
    assert set(torch.isfinite(cut.answers("teacher")).sum(dim=1).tolist()) == {2}
    before, _, _ = recipe.read_text().partition("[targets]")
    recipe.write_text(f'{before}[targets]\nkind = "label"\n')
    assert task(recipe).transfer.kind == "label"


def test_a_class_that_the_teacher_never_named_is_still_a_class(project: Path) -> None:
    recipe = learn(project, "label")
    labels = pd.read_csv(project / "teacher.csv")
    labels["prediction"] = labels["prediction"].replace("red", "blue")
    labels.to_csv(project / "teacher.csv", index=False)
    found = task(recipe)
    assert found.classes == CLASSES
    assert set(found.transfer.answers("teacher").argmax(dim=1).tolist()) == {0, 1}


def test_unlabelled_rows_need_weight_zero_for_labels_in_every_form(project: Path) -> None:
    frame = table()
    transfer = frame[frame["split"] == "train"].drop(columns=["label"])
    transfer.to_csv(project / "more.csv", index=False)
    frame[frame["split"] != "train"].to_csv(project / "rows.csv", index=False)
    for form in ("full", "top_k", "label", "counts"):
        recipe = learn(project, form, more="[controls]\n" + ONLY_SOFT)
        audit = project / "audit.toml"
        if "transfer]" not in audit.read_text():
            text = audit.read_text().replace(', transfer = "train"', "")
            audit.write_text(text + '[data.transfer]\npath = "more.csv"\n')
        with pytest.raises(ConfigError, match="no labels: set hard_weight = 0"):
            task(recipe)
        text = recipe.read_text().replace("temperature = 1.0", "temperature = 1.0\nhard_weight = 0")
        recipe.write_text(text)
        found = task(recipe)
        assert found.transfer.labels is None
        assert found.classes == CLASSES
        done = distill(recipe, store=Store(project / ".kdaudit"))
        assert done.trained_steps > 0


def test_a_row_without_an_answer_is_refused_in_every_form(project: Path) -> None:
    for form in ("top_k", "label", "counts", "logits"):
        recipe = learn(project, form)
        rows = pd.read_csv(project / "teacher.csv")
        rows[rows["id"] != "row-0007"].to_csv(project / "teacher.csv", index=False)
        with pytest.raises(DataError, match=r"no valid answer to 1 of the 179 .* 'row-0007'"):
            task(recipe)


def test_an_audit_reads_a_list_as_its_likeliest_class() -> None:
    data = table()[["id", "label"]].query("label != 'none of these'")
    listed, whole = (
        in_form(form).loc[lambda rows: rows["id"].isin(data["id"])] for form in ("top_k", "full")
    )
    found = audit(data=data, teacher=listed, student=whole, id="id")
    (accuracy,) = (one for suite in found.suites for one in suite.findings if one.code == "ACC001")
    assert accuracy.difference is not None
    assert getattr(accuracy.difference, "value", None) == 0.0
