"""The commit is read, and nothing that a repository configures is run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kdaudit.governance.commit import commit_of

WHO = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def git(folder: Path, *words: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    done = subprocess.run(
        ["git", *WHO, *words], cwd=folder, capture_output=True, text=True, check=True, env=clean
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("a")
    git(folder, "add", "a.txt")
    git(folder, "commit", "-qm", "a")
    return folder


def test_a_branch_a_detached_head_packed_references_and_a_further_tree(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    (checkout / "inside").mkdir()
    assert commit_of(checkout / "inside") == head
    git(checkout, "pack-refs", "--all")
    assert commit_of(checkout) == head
    git(checkout, "worktree", "add", "-q", "-b", "other", "../tree")
    assert commit_of(checkout.parent / "tree") == head
    git(checkout, "checkout", "-q", "--detach")
    assert commit_of(checkout) == head


def test_no_checkout_has_no_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None


@pytest.mark.parametrize(
    "head", ["", "ref: ../../etc/passwd", "ref: refs/heads/../../x", "x" * 40, "\xff"]
)
def test_a_strange_head_is_none(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head, "latin-1")
    assert commit_of(tmp_path) is None


def test_nothing_that_is_configured_runs(checkout: Path) -> None:
    """A file monitor, a filter, and a bare repository that came along as plain files."""
    ran = checkout / "RAN"
    git(checkout, "config", "core.fsmonitor", f"touch {ran}; false")
    git(checkout, "config", "filter.x.clean", f"touch {ran}; cat")
    (checkout / ".gitattributes").write_text("* filter=x\n")
    assert commit_of(checkout) is not None
    bare = checkout / "audited"
    (bare / "objects").mkdir(parents=True)
    (bare / "refs").mkdir()
    (bare / "HEAD").write_text("ref: refs/heads/main\n")
    (bare / "config").write_text(
        f'[core]\nrepositoryformatversion = 0\nworktree = .\nfsmonitor = "touch {ran}; false"\n'
    )
    assert commit_of(bare) == git(checkout, "rev-parse", "HEAD")
    assert not ran.exists()
