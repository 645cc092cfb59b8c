import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from scipy.special import softmax

from kdaudit import audit
from kdaudit.data.audit_file import read_audit_file
from kdaudit.data.dataset import load, withheld
from kdaudit.distill.distill import distill
from kdaudit.distill.search.best import best_recipe, refuse_foreign, toml
from kdaudit.distill.search.kind import Score, UnscoredError
from kdaudit.distill.search.plot import front, plot
from kdaudit.distill.search.rows import ROWS
from kdaudit.distill.search.search import Found, Trial, search
from kdaudit.distill.search.space import grid, space_of
from kdaudit.errors import ConfigError, DataError
from kdaudit.estimate import Estimate
from kdaudit.evidence.store import Store
from kdaudit.models.folder import ModelFolder
from kdaudit.models.torch import TorchModel
from kdaudit.searching import SLACK, search_recipe

from .killing import killed

CONTRACT = """
[[contract]]
check = "ACC001"
margin = 0.3
min_n = 20
[[contract]]
check = "CAL001"
margin = 0.5
min_n = 20
[[contract]]
check = "LAT001"
at_least = 1.0
"""
SMALL = '"train.learning_rate" = [0.003, 0.01]\n"student.args.width" = [4, 8]'


def ask_for(project: Path, space: str = "", **options: object) -> Path:
    """Add a [search] to the student's recipe."""
    told = "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())
    path = project / "student.toml"
    text = path.read_text().partition("[search]")[0].replace("epochs = 6", "epochs = 3")
    path.write_text(f"{text}\n[search]\n{told}" + (f"[search.space]\n{space}\n" if space else ""))
    return path


@pytest.fixture
def ready(project: Path, store: Store) -> Path:
    """The project, with its teacher made."""
    distill(project / "teacher.toml", store=store)
    return project


def told(found: Found) -> list[tuple[int, dict[str, Any], str, float | None]]:
    return [(t.draw, dict(t.point), t.ending, t.value) for t in found.trials]


def test_a_grid_tries_every_combination_once_and_the_best_is_the_highest(
    ready: Path, store: Store
) -> None:
    recipe = ask_for(ready, SMALL, sampler="grid", pruner="none", trials=50)
    found = search(recipe, store=store)
    points = [json.dumps(t.point, sort_keys=True) for t in found.trials]
    assert len(points) == len(set(points)) == 4
    assert found.trained == 4
    assert all(t.ending == "complete" for t in found.trials)
    assert found.best.value == max(t.value or 0 for t in found.trials)
    assert found.best.measured == found.best.value
    by_width = {t.point["student.args.width"]: t.parameters for t in found.trials}
    assert by_width == {4: 2 * 4 + 4 + 4 * 3 + 3, 8: 2 * 8 + 8 + 8 * 3 + 3}


def test_a_search_that_was_stopped_goes_on_as_one_that_was_not(ready: Path, store: Store) -> None:
    """TPE draws ten points at random; the others follow from what it has seen."""
    shutil.copytree(store.root, ready / "other")
    whole = search(ask_for(ready, trials=12), store=Store(ready / "other"))
    first = search(ask_for(ready, trials=5), store=store)
    rest = search(ask_for(ready, trials=12), store=store)
    assert (first.trained, rest.trained) == (5, 7)
    assert told(rest) == told(whole)
    assert len({json.dumps(t.point, sort_keys=True) for t in whole.trials}) == 12
    again = search(ask_for(ready, trials=12), store=store)
    assert again.trained == 0
    assert best_recipe(again) == best_recipe(whole)


def test_random_points_come_from_seed_and_draw_alone(ready: Path, store: Store) -> None:
    two = search(ask_for(ready, sampler="random", trials=2, pruner="none"), store=store)
    points = [t.point["train.learning_rate"] for t in two.trials]
    assert len(set(points)) == 2
    other = search(ask_for(ready, sampler="random", trials=1, seed=1), store=store)
    assert other.trials[0].point["train.learning_rate"] not in points


KILLED = killed("kdaudit.distill.search.search", "search")


def test_a_search_that_was_killed_repeats_no_finished_trial(ready: Path, store: Store) -> None:
    shutil.copytree(store.root, ready / "other")
    recipe = ask_for(ready, trials=4, pruner="none")
    whole = search(recipe, store=Store(ready / "other"))
    steps = 3 * 3  # of one trial
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(2 * steps + 5)], cwd=ready, check=False
    )
    assert done.returncode == -9
    trained: list[int] = []

    def progress(stage: str, _total: int, /) -> Callable[..., None]:
        if stage.startswith("main"):
            trained.append(0)

        def advance(done: int, /, text: str = "") -> None:
            del text
            if stage.startswith("main"):
                trained[-1] += done

        return advance

    rest = search(recipe, store=store, progress=progress)
    assert rest.trained == 2
    # The one that was being trained goes on at its checkpoint: `advance` begins with what is done.
    assert trained == [steps] * 2
    assert told(rest) == told(whole)


def test_what_the_audit_split_holds_changes_nothing(ready: Path, store: Store) -> None:
    recipe = ask_for(ready, trials=2)
    recipe.write_text(recipe.read_text().replace("epochs = 3", "epochs = 6"))
    (ready / "audit.toml").write_text((ready / "audit.toml").read_text() + CONTRACT)
    for contract in (False, True):
        before = search_recipe(recipe, contract=contract)
        rows = pd.read_csv(ready / "rows.csv")
        audited = rows.split == "test"
        poisoned = rows.assign(
            label=rows.label.where(~audited, "none of these" if contract else "red"),
            a=rows.a.where(~audited, 1e6),
        )
        poisoned.to_csv(ready / "rows.csv", index=False)
        after = search_recipe(recipe, contract=contract)
        assert after.found.trained == 0, "another study was begun: something of it was read"
        shutil.rmtree(ready / ".kdaudit" / "searches")
        anew = search_recipe(recipe, contract=contract)
        assert anew.found.trained == 2
        assert told(anew.found) == told(before.found)
        rows.to_csv(ready / "rows.csv", index=False)


@pytest.mark.parametrize(
    "split",
    [
        '{ column = "split", audit = "test", validation = "val", transfer = "train" }',
        '{ by = "hash", audit = 0.3, validation = 0.2 }',
    ],
)
@pytest.mark.parametrize("id_column", ["", 'id = "id"'])
def test_withheld_data_are_the_data_without_the_audit_split(
    project: Path, split: str, id_column: str
) -> None:
    text = re.sub(
        "split = .*", f"split = {split}\n{id_column}", (project / "audit.toml").read_text()
    )
    (project / "audit.toml").write_text(text)
    if not id_column:
        rows = pd.read_csv(project / "rows.csv").drop(columns="id")
        rows.to_csv(project / "rows.csv", index=False)
    file = read_audit_file(project / "audit.toml")
    whole, rest = load(file, project), withheld(file, project)
    assert set(rest.frames) == {"validation", "transfer"}
    for name, frame in rest.frames.items():
        assert frame.ids.tolist() == whole.frames[name].ids.tolist()
        assert frame.rows().tolist() == whole.frames[name].rows().tolist()
        assert frame.labels is not None
        assert frame.labels.tolist() == whole.frames[name].labels.tolist()  # type: ignore[union-attr]
    assert rest.all_ids.tolist() == whole.all_ids.tolist()


def test_no_trial_but_the_first_asks_the_teacher(
    ready: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(store.root / "evidence", ignore_errors=True)
    asked: list[int] = []
    real = TorchModel.predict

    def counted(model: TorchModel, columns: Any) -> Any:
        asked.append(1)
        return real(model, columns)

    monkeypatch.setattr(TorchModel, "predict", counted)
    search(ask_for(ready, trials=1), store=Store(ready / "new"))
    first = len(asked)
    search(ask_for(ready, trials=4), store=Store(ready / "new"))
    assert len(asked) == first > 0


def test_the_best_recipe_distils_and_its_lineage_counts_the_trials(
    ready: Path, store: Store
) -> None:
    done = search_recipe(ask_for(ready, trials=3))
    assert done.recipe == ready / "best.toml"
    trial = next(
        json.loads(p.read_text())
        for p in store.root.rglob("arms/*/*/key.json")
        if json.loads(p.read_text())["train"]["learning_rate"]
        == done.found.best.point["train.learning_rate"]
    )
    made = distill(done.recipe, store=store)
    assert made.folder == ready / "runs" / "best"
    assert trial["kind"] == "main"
    assert made.trained_steps == 3 * 3 * 3  # the controls; the student was trained by its trial
    said = made.lineage.search
    assert said is not None
    assert (said.trials, said.objective) == (3, "validation accuracy")
    assert said.value == done.found.best.value
    assert said.space["train.learning_rate"] == "0.001 to 0.01 (log)"
    response = tomllib.loads(done.recipe.read_text())["objectives"]["response"]
    assert response["soft_weight"] + response["hard_weight"] == pytest.approx(1)


def test_the_contract_is_held_on_the_validation_split(ready: Path, store: Store) -> None:
    (ready / "audit.toml").write_text((ready / "audit.toml").read_text() + CONTRACT)
    recipe = ask_for(ready, SMALL, sampler="grid", pruner="none")
    done = search_recipe(recipe, contract=True)
    assert done.found.score == SLACK
    assert [line.partition(":")[0] for line in done.left_out] == ["LAT001"]
    assert len(done.found.trials) == 4
    assert done.found.best.value == max(t.value or -1 for t in done.found.trials)
    # The same, by an audit of the validation rows in which nothing knows of a search.
    folder = distill(done.recipe, store=store).folder
    rows = pd.read_csv(ready / "rows.csv").query("split == 'val' and label != 'none of these'")
    columns: Any = {"a": rows.a.to_numpy(), "b": rows.b.to_numpy()}

    def answers(model: Path) -> pd.DataFrame:
        opened = ModelFolder.open(".", base=model)
        logits = opened.predict(columns).values.astype(float)
        table = pd.DataFrame(softmax(logits, axis=1), columns=[f"p_{c}" for c in opened.classes])
        return table.assign(id=rows.id.to_numpy())

    results = audit(
        data=rows.drop(columns="split"),
        teacher=answers(ready / "runs/teacher"),
        student=answers(folder),
        contract=[
            {"check": "ACC001", "margin": 0.3, "min_n": 20},
            {"check": "CAL001", "margin": 0.5, "min_n": 20},
        ],
        id="id",
    )
    slacks = [
        v.limit - v.measured.high
        for v in results.verdicts
        if isinstance(v.measured, Estimate) and v.address != "ACC003"
    ]
    assert len(slacks) == 2
    assert done.found.best.value == pytest.approx(min(slacks), abs=1e-6)
    assert search(recipe, store=store).study != done.found.study


def test_a_contract_that_validation_cannot_measure_is_refused(ready: Path) -> None:
    text = (ready / "audit.toml").read_text() + '[[contract]]\ncheck = "LAT001"\nat_least = 1.0\n'
    (ready / "audit.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"no blocking check .* 49 validation rows|50 validation"):
        search_recipe(ask_for(ready, trials=1), contract=True)


def test_a_diverged_trial_counts_and_is_never_the_best(ready: Path, store: Store) -> None:
    recipe = ask_for(ready, '"train.weight_decay" = [0.0, 1e38]', sampler="grid", pruner="none")
    text = recipe.read_text().replace("learning_rate = 0.01", "learning_rate = 10.0")
    recipe.write_text(text)
    found = search(recipe, store=store)
    endings = {t.point["train.weight_decay"]: t.ending for t in found.trials}
    assert endings[0.0] == "complete"
    assert re.search(r"loss of main, seed 0 is (nan|inf)", endings[1e38])
    assert found.searched.trials == 2
    assert found.best.point == {"train.weight_decay": 0.0}


def test_a_model_without_a_score_counts_and_no_score_at_all_is_an_error(
    ready: Path, store: Store
) -> None:
    def none(task: Any, run: Any) -> float:
        raise UnscoredError("no reason")

    score = Score(name="nothing", rests_on={}, of=none)
    with pytest.raises(DataError, match="none of 2 trials has a score; the last: no reason"):
        search(ask_for(ready, trials=2), store=store, score=score)


def test_the_median_pruner_stops_what_lags_behind(ready: Path, store: Store) -> None:
    space = '"train.learning_rate" = [1e-7, 0.01]'
    recipe = ask_for(ready, space, sampler="random", trials=16)
    found = search(recipe, store=store)
    slow = [t for t in found.trials if t.point["train.learning_rate"] == 1e-7]
    assert any(t.ending.startswith("pruned in epoch") for t in slow)
    assert found.best.point["train.learning_rate"] == 0.01
    assert all(t.value is None for t in found.trials if t.ending != "complete")


def test_several_processes_share_a_study_by_its_storage(ready: Path, store: Store) -> None:
    url = f"sqlite:///{ready / 'shared.db'}"
    one = search(ask_for(ready, trials=2, storage=url), store=store)
    other = search(ask_for(ready, trials=5, storage=url), store=Store(ready / "elsewhere"))
    assert (one.study, one.trained, other.trained) == (other.study, 2, 3)
    assert told(other)[:2] == told(one)
    with pytest.raises(ConfigError, match=r"storage of the search \(nosuch\)"):
        search(ask_for(ready, trials=2, storage="nosuch://user:secret@host"), store=store)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ('"train.learning_rat" = [0.1]', "unknown key in train 'learning_rat'"),
        ('"train.learning_rate" = { low = 0.1, high = 99.0 }', "less than or equal to 10"),
        ('"train.learning_rate" = { low = 0.0, high = 1.0, log = true }', "log = true needs low"),
        ('"train.learning_rate" = { low = 0.2, high = 0.1 }', "low must be below high"),
        ('"seeds" = [1, 2]', r"name a field of \[student\]"),
        ('"objectives.hard.hard_weight" = [1.0]', r"has no \[objectives.hard\]"),
    ],
)
def test_a_space_that_does_not_exist_is_refused_before_anything_runs(
    ready: Path, store: Store, space: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        search(ask_for(ready, space), store=store)
    assert not (store.root / "searches").exists()


def test_a_recipe_without_a_table_is_searched_over_the_usual_ranges(
    ready: Path, store: Store
) -> None:
    found = search(ask_for(ready, trials=1), store=store)
    assert set(found.space) == {
        "train.learning_rate",
        "objectives.response.temperature",
        "objectives.response.soft_weight",
    }


def test_a_best_recipe_takes_no_other_files_place(ready: Path) -> None:
    recipe = ready / "student.toml"
    for name, message in (
        ("teacher.toml", "was not written by a search"),
        ("student.toml", "other than student.toml"),
        ("best.txt", "must be a .toml file"),
        ("runs/best.toml", "not in the folder"),
    ):
        with pytest.raises(ConfigError, match=message):
            refuse_foreign(ready / name, recipe)
    refuse_foreign(ready / "best.toml", recipe)


def test_toml_reads_back_as_it_was() -> None:
    table = {
        "a": 'quote " back \\ line \n tab \t del \x7f é',
        "b": [1, 2.5, 1e-7, True, "x", [1, {"y": 2}]],
        "empty": {},
        "t.u": {"v": {"w": 1e300}, "s": "t"},
    }
    assert tomllib.loads(toml(table)) == table


def trial(draw: int, accuracy: float | None, parameters: int | None) -> Trial:
    return Trial(
        draw=draw,
        point={"student.args.<b>": "<script>"},
        ending="complete" if accuracy is not None else "pruned in epoch 2",
        value=accuracy,
        measured=accuracy,
        parameters=parameters,
        unconverged="",
    )


def test_the_front_is_what_no_other_trial_beats() -> None:
    trials = [
        trial(0, 0.9, 100),
        trial(1, 0.8, 50),
        trial(2, 0.8, 60),
        trial(3, 0.95, 400),
        trial(4, 0.7, 90),
        trial(5, 0.9, 100),
        trial(6, None, 10),
    ]
    assert [t.draw for t in front(trials)] == [1, 0, 3]


def test_the_plot_is_one_file_without_script_and_escapes_what_it_shows(
    ready: Path, store: Store
) -> None:
    found = search(ask_for(ready, SMALL, sampler="grid"), store=store)
    from dataclasses import replace

    page = plot(replace(found, trials=(trial(0, 0.5, 10), trial(1, None, 5)), space={"<b>": ""}))
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    drawn = re.search(r"<svg.*?</svg>", plot(found), re.DOTALL)
    assert drawn is not None
    circles = [e for e in ET.fromstring(drawn.group()).iter() if e.tag == "circle"]  # noqa: S314
    assert len(circles) == len([t for t in found.trials if t.value is not None])
    assert sum(c.get("class") == "best" for c in circles) == 1


def test_a_grid_of_ranges_is_finite(ready: Path) -> None:
    raw = tomllib.loads((ready / "student.toml").read_text())
    from kdaudit.distill.recipe import Recipe

    recipe = Recipe.model_validate({**raw, "search": {"sampler": "grid"}})
    whole = grid(space_of(ROWS, raw, recipe, "student.toml"))
    assert len(whole) == 4**3
    assert ROWS.own.name == "validation accuracy"


def test_the_command_says_what_it_found(ready: Path, kdaudit: Callable[..., Any]) -> None:
    recipe = ask_for(ready, SMALL, sampler="grid", pruner="none")
    said = kdaudit("search", str(recipe))
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("4 trials, 4 of them just now, 0 stopped early")
    assert lines[1].endswith("(the best of many, so too good)")
    assert lines[-1] == f"best recipe: {ready / 'best.toml'}"
    assert (ready / "best.html").exists()
    told = json.loads(kdaudit("search", str(recipe), "--json").out)
    assert told["trained"] == 0
    assert len(told["trials"]) == 4
    wrong = kdaudit("search", str(recipe), "-o", str(ready / "teacher.toml"))
    assert wrong.code == 2
    assert "was not written by a search" in wrong.err
