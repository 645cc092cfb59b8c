"""Where output goes when nobody reads it, or nothing can be written."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli import tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.write(tmp_path, "at_least = 0.999")
    return tmp_path


def without_a_reader(*words: str, cwd: Path) -> tuple[int, str]:
    """Exit code and standard error of a command whose standard output is a closed pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "kdaudit", *words],
            cwd=cwd,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def test_a_reader_who_has_gone_changes_no_exit_code(folder: Path) -> None:
    # 3: no interval of 100 rows reaches 99.9 %.
    assert without_a_reader("audit", cwd=folder) == (3, "")
    assert (folder / "kdaudit-out" / "a" / "card.html").exists()
    assert without_a_reader("card", "kdaudit-out/a", cwd=folder) == (0, "")


def test_a_full_disk_names_the_folder_and_leaves_nothing(
    folder: Path, kdaudit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        said = kdaudit("audit", folder / "audit.toml")
    assert said.code == 2
    out = folder / "kdaudit-out"
    assert said.err.startswith(f"kdaudit: {out / 'a'} cannot be written (No space left on device)")
    assert list(out.iterdir()) == []


def test_a_file_that_does_not_fit_names_its_folder(
    folder: Path, kdaudit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert kdaudit("audit", folder / "audit.toml").code == 3
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        said = kdaudit("card", folder / "kdaudit-out" / "a", "-o", folder / "card.html")
    assert (said.code, f"{folder} cannot be written" in said.err) == (2, True)
    assert not (folder / "card.html").exists()
