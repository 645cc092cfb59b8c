"""Augmented rows: the teacher answers what the student is shown; a resumed run sees the same."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from kdaudit.distill.distill import distill
from kdaudit.distill.recipe import read_recipe
from kdaudit.distill.targets.views import Live, view
from kdaudit.distill.task import Task, prepare
from kdaudit.distill.training.sources import TEACHER, Batch, Stored
from kdaudit.distill.training.train import DivergedError
from kdaudit.errors import ConfigError, DataError, ModelError
from kdaudit.evidence.store import Store
from kdaudit.models.code import Code
from kdaudit.models.torch import Encoder, TorchModel
from kdaudit.progress import Advance, silent

from .conftest import STUDENT
from .test_partial_targets import in_form

AUGMENT = """
def jitter(columns, generator):
    return {name: x + 0.3 * generator.normal(size=x.shape) for name, x in columns.items()}
"""
Columns = Mapping[str, npt.NDArray[np.generic]]


def noise(columns: Columns, generator: np.random.Generator) -> dict[str, Any]:
    drawn = generator.normal(size=20)
    return {name: np.asarray(x, np.float64) + drawn[: len(x)] for name, x in columns.items()}


def code(function: Any = noise) -> Code:
    return Code(name="aug:noise", function=function, digest="", source=None)


def written(project: Path, targets: str, objectives: str = "[objectives.response]") -> Path:
    (project / "aug.py").write_text(AUGMENT)
    text = STUDENT.replace("encode =", 'augment = "aug:jitter"\nencode =')
    text = text.replace("[objectives.response]", f"{targets}\n{objectives}")
    (project / "student.toml").write_text(text)
    return project / "student.toml"


def task(recipe: Path, store: Store) -> Task:
    return prepare(read_recipe(recipe), recipe.parent, store, silent)


def live(seed: int = 0, **changes: Any) -> Live:
    x = np.arange(20.0)
    rows = Batch(inputs=torch.from_numpy(x[:, None]).float(), labels=torch.arange(20))
    order = Stored(rows=rows, batch_size=6, seed=seed)

    def double(columns: Columns) -> torch.Tensor:
        return 2 * torch.from_numpy(np.asarray(columns["x"], np.float64)[:, None])

    found = Live(order=order, columns={"x": x}, augment=code(), encoder=Encoder(), answer=double)
    return replace(found, **changes)


def test_student_and_teacher_see_the_same_view_of_every_row() -> None:
    seen = list(live().batches(1))
    assert sum(map(len, seen)) == 20
    for batch in seen:
        torch.testing.assert_close(batch.answers(TEACHER).float(), 2 * batch.inputs)
        assert batch.labels is not None
        assert (batch.inputs[:, 0] != batch.labels).all()  # changed
        assert (batch.inputs[:, 0] - batch.labels).abs().max() < 5  # each row is still itself


def test_a_view_depends_on_seed_epoch_and_batch_alone() -> None:
    def inputs(seed: int, epoch: int) -> list[torch.Tensor]:
        return [batch.inputs for batch in live(seed).batches(epoch)]

    source = live()
    list(source.batches(1))  # another epoch first changes nothing
    again = [batch.inputs for batch in source.batches(2)]
    assert all(map(torch.equal, inputs(0, 2), again))
    first = next(iter(live().batches(1)))
    assert not torch.equal(first.inputs, inputs(0, 2)[0])
    assert not torch.equal(first.inputs, inputs(1, 1)[0])


def test_the_shuffled_control_is_taught_by_views_of_other_rows() -> None:
    order = np.random.default_rng(0).permutation(20)
    for batch in live(taught=order).batches(1):
        assert batch.labels is not None
        expected = torch.from_numpy(2.0 * order[batch.labels.numpy()])
        assert (batch.answers(TEACHER)[:, 0] - expected).abs().max() < 10
        assert (batch.answers(TEACHER)[:, 0].float() - 2 * batch.inputs[:, 0]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda c, _: list(c), "must return the columns"),
        (lambda c, _: {"y": c["x"]}, "must return the columns"),
        (lambda c, _: {"x": c["x"][:3]}, r"made \(3,\) of 'x'; needed is \(20,\)"),
        (lambda _, __: 1 / 0, "failed"),
    ],
)
def test_an_augmentation_that_is_none_is_refused(function: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        view(code(function), {"x": np.arange(20.0)}, np.random.default_rng(0))


def test_what_was_handed_over_may_be_changed_in_place() -> None:
    def spoil(columns: dict[str, Any], _: object) -> dict[str, Any]:
        columns["x"][:] = 0
        return columns

    own = {"x": np.arange(3.0)}
    assert view(code(spoil), own, np.random.default_rng(0))["x"].tolist() == [0, 0, 0]
    assert own["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ("", "the stored targets are of the rows as they are: say live = true"),
        ("[targets]\nlive = true\nviews = 2", "keep one of them"),
        ("[targets]\nlive = true\nrecord = false", "record = false forbids it"),
        ('[targets]\nlive = true\nkind = "top_k"\nk = 2\ntemperatures = [1.0]', "nothing to trunc"),
        ("[targets]\nk = 2\nviews = 2", 'k belongs to kind = "top_k"'),
        ('[targets]\nkind = "top_k"', "needs k and temperatures"),
        (
            '[targets]\nviews = 2\nkind = "top_k"\nk = 2\ntemperatures = [1.0, 1.0]',
            "temperatures must differ",
        ),
    ],
)
def test_targets_that_fit_no_view_are_refused_by_the_recipe(
    project: Path, targets: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read_recipe(written(project, targets))


def test_views_of_rows_that_nobody_changes_are_refused(project: Path) -> None:
    (project / "student.toml").write_text(STUDENT + "[targets]\nviews = 2\n")
    with pytest.raises(ConfigError, match="say how they are changed"):
        read_recipe(project / "student.toml")


def test_labels_alone_may_be_augmented(project: Path) -> None:
    recipe = written(project, "", "[objectives.hard]")
    store = Store(project / ".kdaudit")
    assert distill(recipe, store=store).trained_steps > 0
    with pytest.raises(ConfigError, match=r"\[targets\] are a teacher's, and this recipe has none"):
        read_recipe(written(project, "[targets]\nlive = true", "[objectives.hard]"))


def test_a_file_of_answers_cannot_be_asked_about_changed_rows(project: Path) -> None:
    in_form("full").to_csv(project / "teacher.csv", index=False)
    audit = project / "audit.toml"
    audit.write_text(
        audit.read_text().replace('distill = "teacher.toml"', 'predictions = "teacher.csv"')
    )
    for targets in ("live = true", "views = 2"):
        recipe = written(project, f"[targets]\n{targets}")
        with pytest.raises((ConfigError, DataError), match="holds answers to the rows as they are"):
            task(recipe, Store(project / ".kdaudit"))


def weights(project: Path) -> bytes:
    return (project / "runs/student/model.safetensors").read_bytes()


class Killed(BaseException):
    """As SIGKILL: nothing catches it."""


@pytest.mark.parametrize("targets", ["live = true", "views = 2"])
def test_a_killed_run_goes_on_with_the_same_views_bit_for_bit(
    project: Path, store: Store, targets: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    distill(project / "teacher.toml", store=store)
    recipe = written(project, f"[targets]\n{targets}")
    distill(recipe, store=Store(tmp_path_factory.mktemp("whole")))
    expected = weights(project)
    resumed, steps = Store(tmp_path_factory.mktemp("resumed")), 0

    def dying(stage: str, _total: int, /) -> Advance:
        def advance(done: int, /, text: str = "") -> None:
            nonlocal steps
            del text
            steps += done if stage.startswith("main") else 0
            if steps == 7:  # three steps an epoch: in the third
                raise Killed

        return advance

    with pytest.raises(Killed):
        distill(recipe, store=resumed, progress=dying)
    done = distill(recipe, store=resumed)
    assert weights(project) == expected
    assert done.lineage.targets is not None
    assert done.lineage.targets["augment"] == "aug:jitter"
    again = distill(recipe, store=resumed)
    assert (again.trained_steps, weights(project)) == (0, expected)


def test_another_augmentation_is_another_run(project: Path, store: Store) -> None:
    distill(project / "teacher.toml", store=store)
    recipe = written(project, "[targets]\nlive = true\n[controls]\nhard = false")
    distill(recipe, store=store)
    first = weights(project)
    (project / "aug.py").write_text(AUGMENT.replace("0.3", "0.4"))
    assert distill(recipe, store=store).trained_steps > 0
    assert weights(project) != first


def test_stored_views_are_asked_about_once_and_live_ones_in_every_batch(
    project: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    distill(project / "teacher.toml", store=store)
    asked, predict = list[int](), TorchModel.predict

    def counted(self: TorchModel, columns: Columns) -> Any:
        asked.append(len(next(iter(columns.values()))))
        return predict(self, columns)

    monkeypatch.setattr(TorchModel, "predict", counted)
    only = "\n[controls]\nhard = false\nlabel_smoothing = 0.0\nshuffled = false\n"
    views = written(project, f"[targets]\nviews = 2{only}")
    steps = distill(views, store=store).trained_steps
    assert sum(asked) == 2 * 179
    assert steps == 6 * 3
    asked.clear()
    distill(written(project, f"[targets]\nlive = true{only}"), store=store)
    assert sum(asked) == 6 * 179
    found = json.loads((project / "runs/student/lineage.json").read_text())
    assert found["targets"]["targets"].startswith("live")


def test_methods_that_look_into_the_teacher_show_it_the_same_view(
    project: Path, store: Store
) -> None:
    distill(project / "teacher.toml", store=store)
    hints = '[objectives.response]\n[objectives.feature]\nlayers = { 1 = "1" }'
    for targets in ("live = true", "views = 2"):
        recipe = written(project, f"[targets]\n{targets}", hints)
        made = task(recipe, store)
        assert made.augmented is not None
        order = Stored(rows=made.transfer, batch_size=64, seed=0)
        for batch in made.augmented.source("main", order).batches(1):
            teacher = made.live[TEACHER](batch.seen_by(TEACHER), learning=False).logits
            torch.testing.assert_close(
                teacher.softmax(1), batch.answers(TEACHER).softmax(1), atol=1e-5, rtol=0
            )


def test_a_row_that_is_encoded_as_nan_is_refused(project: Path, store: Store) -> None:
    distill(project / "teacher.toml", store=store)
    recipe = written(project, "[targets]\nlive = true")
    (project / "aug.py").write_text(AUGMENT.replace("+ 0.3", "* float('nan') + 0.3"))
    with pytest.raises(ModelError, match="jitter makes rows that are encoded as NaN") as caught:
        distill(recipe, store=store)
    assert not isinstance(caught.value, DivergedError)
