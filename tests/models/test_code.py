import hashlib
import importlib
import re
import sys
from pathlib import Path

import pytest

from kdaudit.errors import ModelError
from kdaudit.models import transformer
from kdaudit.models.code import files, resolve


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_beside_the_recipe_wins_over_an_installed_module(
    tmp_path: Path,
) -> None:
    write(tmp_path, "json.py", "def dumps(value): return 'mine'")
    assert resolve("json:dumps", tmp_path)(1) == "mine"


def test_loading_a_file_changes_no_path_and_writes_no_cache(tmp_path: Path) -> None:
    before = list(sys.path)
    write(tmp_path, "student.py", "def build(): return 1")
    assert resolve("student:build", tmp_path)() == 1
    assert sys.path == before
    assert [path.name for path in tmp_path.iterdir()] == ["student.py"]
    assert "student" not in sys.modules


def test_an_edited_file_is_loaded_anew_and_has_another_digest(tmp_path: Path) -> None:
    write(tmp_path, "student.py", "def build(): return 1")
    first = resolve("student:build", tmp_path)
    write(tmp_path, "student.py", "def build(): return 2")
    second = resolve("student:build", tmp_path)
    assert (first(), second()) == (1, 2)
    assert first.digest != second.digest


def test_a_file_may_define_dataclasses(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass A:\n    x: int\n"
    )
    write(tmp_path, "student.py", text)
    assert resolve("student:A", tmp_path)(x=3).x == 3


def test_only_files_beside_the_recipe_are_copied_once(tmp_path: Path) -> None:
    path = write(tmp_path, "student.py", "def build(): return 1\ndef encode(): return 2")
    codes = [resolve(f"student:{name}", tmp_path) for name in ("build", "encode")]
    copied = files(*codes, resolve("json:dumps", tmp_path), None)
    assert copied == {"code/student.py": path.read_bytes()}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("student", "\"module:function\", got 'student'"),
        ("../student:build", '"module:function"'),
        ("nowhere:build", "no file nowhere.py"),
        ("student:biuld", "Did you mean 'build'?"),
        ("broken:build", "importing broken failed: SyntaxError"),
        ("needy:build", "imports neighbour, which is not installed"),
        ("sys:exit", "has no file"),
    ],
)
def test_what_cannot_be_found_is_named_with_the_next_step(
    tmp_path: Path, name: str, words: str
) -> None:
    write(tmp_path, "student.py", "def build(): return 1")
    write(tmp_path, "broken.py", "def build(: return 1")
    write(tmp_path, "needy.py", "import neighbour")
    with pytest.raises(ModelError, match=re.escape(words)):
        resolve(name, tmp_path)


def test_what_the_function_raises_becomes_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, "student.py", "def build(width): raise ValueError('odd\\nand more')")
    code = resolve("student:build", tmp_path)
    with pytest.raises(ModelError, match=r"^student:build failed: ValueError: odd$"):
        code(width=3)
    with pytest.raises(ModelError, match="unexpected keyword argument 'depth'"):
        code(depth=3)


def test_a_digest_covers_the_files_that_a_module_says_it_is_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, "apart.py", "VALUE = 1")
    write(tmp_path, "plain_one.py", "import apart\ndef build(): return apart.VALUE")
    text = 'DIGESTED_WITH = ("apart.py",)\ndef build():\n    import apart\n    return apart.VALUE'
    write(tmp_path, "made_of.py", text)
    elsewhere = tmp_path / "project"  # so that they are installed modules, not files beside it
    names = ("plain_one:build", "made_of:build")
    before = [resolve(name, elsewhere).digest for name in names]
    write(tmp_path, "apart.py", "VALUE = 2")
    after = [resolve(name, elsewhere).digest for name in names]
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_the_digest_of_a_transformers_student_covers_the_module_that_is_built() -> None:
    folder = Path(transformer.__file__).parent
    files = [folder / name for name in ("transformer.py", "transformer_module.py")]
    expected = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert resolve(transformer.FACTORY, Path()).digest == expected


def test_a_change_anywhere_in_a_package_is_other_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative and absolute imports, a package's own file, and what is imported in a function."""
    package = tmp_path / "nets_of_test"
    (package / "inner").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "build.py": "from . import layers\ndef made():\n    from nets_of_test.late import x\n",
        "layers.py": "from .inner.act import act\n",
        "inner/__init__.py": "",
        "inner/act.py": "act = 1\n",
        "late.py": "x = 1\n",
        "unused.py": "y = 1\n",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest() -> str:
        for name in [one for one in sys.modules if one.startswith("nets_of_test")]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        return resolve("nets_of_test.build:made", tmp_path).digest

    first = digest()
    assert digest() == first
    for name, text in files.items():
        (package / name).write_text(f"{text}# changed\n")
        assert (digest() == first) == (name == "unused.py"), name
        (package / name).write_text(text)
    assert digest() == first
