import re
import subprocess
import sys
from pathlib import Path

import pytest

from kdaudit.data.audit_file import SubjectTable
from kdaudit.distill.recipe import made, out_folder, read_recipe
from kdaudit.errors import ConfigError

SHORTEST = 'audit = "audit.toml"\n[student]\nfactory = "nets:build"\n[objectives.response]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "small.toml"
    path.write_text(text)
    return path


def test_defaults_are_those_of_the_field(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, SHORTEST))
    response = recipe.objectives.response
    assert response is not None
    assert (response.temperature, response.soft_weight, response.hard_weight) == (3.0, 0.7, 0.3)
    assert (recipe.train.optimiser, recipe.train.learning_rate) == ("adam", 1e-3)
    assert recipe.train.threads == 1
    assert recipe.seeds == (0,)
    assert recipe.kinds == ("main", "hard", "label_smoothing", "shuffled")


def test_seeds_are_counted_or_listed(tmp_path: Path) -> None:
    assert read_recipe(written(tmp_path, "seeds = 3\n" + SHORTEST)).seeds == (0, 1, 2)
    assert read_recipe(written(tmp_path, "seeds = [7, 5]\n" + SHORTEST)).seeds == (7, 5)


def test_a_recipe_of_labels_alone_needs_no_teacher_and_has_no_controls(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, SHORTEST.replace("response", "hard")))
    assert not recipe.soft
    assert recipe.kinds == ("main",)


def test_controls_can_be_left_out(tmp_path: Path) -> None:
    text = SHORTEST + "[controls]\nhard = false\nlabel_smoothing = 0\n"
    assert read_recipe(written(tmp_path, text)).kinds == ("main", "shuffled")


def test_the_folder_is_named_after_the_recipe_unless_it_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, SHORTEST)
    assert out_folder(path, read_recipe(path)) == tmp_path / "runs" / "small"
    path = written(tmp_path, 'out = "../models/s"\n' + SHORTEST)
    assert out_folder(path, read_recipe(path)) == tmp_path / "../models/s"


def test_a_subject_that_is_distilled_is_the_folder_its_recipe_writes(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    written(tmp_path / "recipes", SHORTEST)
    table = SubjectTable(distill="recipes/small.toml", rename={"a": "b"})
    assert made(table, tmp_path).options == {"path": "recipes/runs/small"}
    assert made(table, tmp_path).rename == {"a": "b"}
    control = SubjectTable(distill="recipes/small.toml", control="hard")
    assert made(control, tmp_path).options == {"path": "recipes/runs/small/controls/hard"}
    other = SubjectTable.model_validate({"predictions": "t.csv"})
    assert made(other, tmp_path) is other


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed = 3\n" + SHORTEST, "unknown key 'seed'. Did you mean 'seeds'?"),
        (SHORTEST + "temprature = 2", "Did you mean 'temperature'?"),
        (SHORTEST + "alpha = 0.5", "'alpha'. Known: beta, divergence, hard_weight"),
        (SHORTEST + "temperature = 0", "objectives.response.temperature: Input should be greater"),
        (SHORTEST + "temperature = inf", "temperature"),
        (SHORTEST + "soft_weight = 0\nhard_weight = 0", "both 0: nothing would be learnt"),
        (SHORTEST + 'divergence = "kl"', "'mse', got 'kl'"),
        (SHORTEST.replace("[objectives.response]", "[objectives]"), "name one: [objectives.respon"),
        (SHORTEST.replace("response", "hard") + "[controls]\nhard = true", "take the table out"),
        (SHORTEST + "[train]\nepochs = 0", "train.epochs: Input should be greater"),
        ("format = 2\n" + SHORTEST, "format: Input should be 1, got 2"),
        ("seeds = 0\n" + SHORTEST, "say how many seeds, at least 1, or which"),
        ("seeds = -3\n" + SHORTEST, "say how many seeds, at least 1, or which"),
        (SHORTEST + "\n[train]\nthreads = 1000000\n", "train.threads"),
        ("seeds = [1, 1]\n" + SHORTEST, "seeds must differ, got [1, 1]"),
        (SHORTEST.replace("[obj", 'fit = "nets:fit"\n[obj'), "there is no encode"),
        (SHORTEST.replace('audit = "audit.toml"', ""), "audit is missing"),
        ("audit = ", "is not TOML"),
    ],
)
def test_a_recipe_with_a_mistake_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_recipe(written(tmp_path, text))


def test_reading_a_recipe_imports_no_torch() -> None:
    code = "import sys, kdaudit.distill.recipe; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
