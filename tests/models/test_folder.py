import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from kdaudit.errors import ConfigError, DamagedError, KdauditError, ModelError
from kdaudit.governance.digest import file_digest
from kdaudit.lineage import Lineage
from kdaudit.models.adapter import Columns, Runnable
from kdaudit.models.code import resolve
from kdaudit.models.folder import (
    ModelFolder,
    lineage_file,
    read_lineage,
    torch_files,
    write_folder,
)
from kdaudit.models.torch import Encoder, TorchModel

TEXT: Columns = {"message": np.array(["banana", "kiwi"], dtype=object)}


def contents(folder: Path) -> dict[str, bytes]:
    return torch_files(
        load_file(folder / "w.safetensors"),
        factory=resolve("student:build", folder),
        args={"hidden": 4},
        encoder=Encoder(
            columns=("message",),
            function=resolve("student:encode", folder),
            state={"scale": 10},
            width=2,
        ),
        classes=("no", "maybe", "yes"),
    )


@pytest.fixture
def shipped(folder: Path) -> Path:
    """A model folder, and nothing left of what it was made from."""
    path = folder / "runs" / "student"
    write_folder(path, contents(folder))
    return path


def test_a_folder_answers_as_the_model_it_was_made_from(folder: Path, shipped: Path) -> None:
    original = TorchModel.open(
        "w.safetensors",
        base=folder,
        factory="student:build",
        classes=["no", "maybe", "yes"],
        inputs=["message"],
        width=2,
        encode="student:encode",
        state="state.json",
    )
    model = ModelFolder.open("runs/student", base=folder)
    np.testing.assert_array_equal(model.predict(TEXT).values, original.predict(TEXT).values)
    assert isinstance(model, Runnable)
    assert (model.classes, model.columns) == (("no", "maybe", "yes"), ("message",))
    assert model.parameters() == original.parameters()
    assert model.size() == sum(p.stat().st_size for p in shipped.rglob("*") if p.is_file())


def test_a_folder_answers_in_another_process_where_its_recipe_is_gone(
    folder: Path, shipped: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    expected = ModelFolder.open("runs/student", base=folder).predict(TEXT).values
    away = tmp_path_factory.mktemp("away") / "model"
    shutil.move(shipped, away)
    (folder / "student.py").unlink()
    script = (
        "import numpy as np; from pathlib import Path; from kdaudit.models.folder import *\n"
        f"model = ModelFolder.open('model', base=Path({str(away.parent)!r}))\n"
        "text = np.array(['banana', 'kiwi'], dtype=object)\n"
        "print(model.predict({'message': text}).values.tobytes().hex())"
    )
    run = [sys.executable, "-c", script]
    out = subprocess.run(run, cwd=away.parent, check=True, capture_output=True, text=True).stdout
    assert out.strip() == expected.tobytes().hex()
    assert not list(away.rglob("__pycache__"))


def test_the_same_model_gives_the_same_bytes(folder: Path, shipped: Path) -> None:
    before = ModelFolder.open("runs/student", base=folder).identity()
    assert all((shipped / name).read_bytes() == data for name, data in contents(folder).items())
    write_folder(shipped, contents(folder))
    assert ModelFolder.open("runs/student", base=folder).identity() == before


def test_the_digest_of_the_folder_covers_every_file_but_the_lineage(shipped: Path) -> None:
    manifest = json.loads((shipped / "model.json").read_text())
    assert set(manifest["files"]) == {"model.safetensors", "state.json", "code/student.py"}
    model = ModelFolder.open(shipped.name, base=shipped.parent)
    assert model.identity()["folder"] == file_digest(shipped / "model.json")


def edit(shipped: Path, **changes: Any) -> None:
    manifest = json.loads((shipped / "model.json").read_text())
    (shipped / "model.json").write_text(json.dumps(manifest | changes))


DAMAGE: dict[str, tuple[Callable[[Path], object], type[KdauditError], str]] = {
    "weights changed": (
        lambda p: (p / "model.safetensors").write_bytes(b"x"),
        DamagedError,
        "student/model.safetensors is changed",
    ),
    "code changed": (
        lambda p: (p / "code/student.py").write_text("import os"),
        DamagedError,
        "student/code/student.py is changed",
    ),
    "state missing": (
        lambda p: (p / "state.json").unlink(),
        DamagedError,
        "student/state.json is missing",
    ),
    "code added": (
        lambda p: (p / "code/json.py").write_text(""),
        DamagedError,
        "student/code/json.py is not named in model.json",
    ),
    "parent": (lambda p: edit(p, files={"../w": "0" * 64}), ModelError, "'../w'"),
    "absolute": (lambda p: edit(p, files={"/etc/passwd": "0" * 64}), ModelError, "'/etc/passwd'"),
    "inner parent": (
        lambda p: edit(p, files={"code/../../w": "0" * 64}),
        ModelError,
        "without '..'",
    ),
    "backslash": (lambda p: edit(p, files={"..\\w": "0" * 64}), ModelError, "outside the folder"),
    "no digest": (lambda p: edit(p, weights="other"), ModelError, "gives no digest of other"),
    "newer format": (lambda p: edit(p, format=2), ConfigError, "format: Input should be 1, got 2"),
    "unknown key": (
        lambda p: edit(p, wieghts="w"),
        ConfigError,
        "unknown key 'wieghts'. Did you mean 'weights'?",
    ),
    "no JSON": (lambda p: (p / "model.json").write_text("{"), DamagedError, "cannot be read"),
    "a list": (lambda p: (p / "model.json").write_text("[]"), DamagedError, "a JSON object"),
    "key twice": (
        lambda p: (p / "model.json").write_text('{"format": 1, "format": 1}'),
        DamagedError,
        "the key 'format' appears twice",
    ),
    "no folder": (shutil.rmtree, ModelError, "there is no model folder student"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_folder_that_is_not_whole_is_refused(shipped: Path, damage: str) -> None:
    change, error, words = DAMAGE[damage]
    change(shipped)
    with pytest.raises(error, match=re.escape(words)):
        ModelFolder.open("student", base=shipped.parent)


def test_a_symbolic_link_in_the_folder_is_refused(shipped: Path) -> None:
    outside = shipped.parent / "code"
    shutil.move(shipped / "code", outside)
    (shipped / "code").symlink_to(outside)
    with pytest.raises(ModelError, match="symbolic links"):
        ModelFolder.open("student", base=shipped.parent)


def test_the_folder_itself_may_be_reached_through_a_link(shipped: Path) -> None:
    (shipped.parent / "latest").symlink_to(shipped)
    assert ModelFolder.open("latest", base=shipped.parent).classes == ("no", "maybe", "yes")


def test_what_kdaudit_did_not_write_is_not_replaced(folder: Path, shipped: Path) -> None:
    (shipped / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds notes\.txt, which kdaudit did not write"):
        write_folder(shipped, contents(folder))
    with pytest.raises(ConfigError, match="is a file"):
        write_folder(folder / "student.py", {})
    assert (shipped / "notes.txt").read_text() == "mine"


def test_writing_replaces_the_whole_folder_and_leaves_nothing_beside(shipped: Path) -> None:
    write_folder(shipped, {"model.json": b"{}"})
    assert [path.name for path in shipped.rglob("*")] == ["model.json"]
    assert [path.name for path in shipped.parent.iterdir()] == ["student"]


def test_a_lineage_is_read_back_and_must_be_that_of_the_model(shipped: Path) -> None:
    assert read_lineage(shipped) is None
    lineage = Lineage(
        model="student",
        digest=file_digest(shipped / "model.json"),
        parameters=27,
        method="hard",
        formula="mean(-log q(y))",
        factory="student:build",
        args={"hidden": 4},
        training={"epochs": 3},
        teacher=None,
        targets=None,
        transfer={"rows": 10},
        arms=(),
        wall_seconds=1.5,
        cpu_seconds=1.25,
    )
    (shipped / "lineage.json").write_bytes(lineage_file(lineage))
    assert read_lineage(shipped) == lineage
    (shipped / "lineage.json").write_bytes(lineage_file(replace(lineage, digest="0" * 64)))
    with pytest.raises(DamagedError, match="history of another model"):
        read_lineage(shipped)
    (shipped / "lineage.json").write_text("{}")
    with pytest.raises(DamagedError, match="is no lineage"):
        read_lineage(shipped)
