"""The commit of a git checkout, read without git.

Git obeys the configuration of the repository it stands in: a file monitor, filters, an embedded
bare repository. A stranger's folder could so run commands. Two or three small files say what is
checked out, and reading them runs nothing. Whether files differ from the commit only git could
say, so it is not said.
"""

import re
from pathlib import Path

HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
REF = re.compile(r"refs/[A-Za-z0-9][A-Za-z0-9._/@+-]*")
MOST = 4096  # bytes of HEAD, of a reference and of a file that points to a folder
PACKED = 16 * 2**20  # bytes of packed references


def commit_of(folder: Path) -> str | None:
    """The commit that is checked out where a folder lies, or None.

    Args:
        folder: any folder.
    """
    for place in (folder, *folder.parents):
        if (place / ".git").exists():
            try:
                return _checked_out(_repository(place))
            except (OSError, UnicodeDecodeError, ValueError):
                return None
    return None


def _repository(place: Path) -> Path:
    """The folder of a checkout's repository: ``.git``, or what that file points to."""
    git = place / ".git"
    if git.is_dir():
        return git
    said = _read(git, MOST)
    if not said.startswith("gitdir:"):
        raise ValueError("no repository")
    return place / said.removeprefix("gitdir:").strip()


def _checked_out(repository: Path) -> str | None:
    head = _read(repository / "HEAD", MOST).strip()
    if HASH.fullmatch(head):
        return head
    name = head.removeprefix("ref:").strip()
    if not head.startswith("ref:") or not REF.fullmatch(name) or ".." in name:
        return None
    shared = repository
    if (repository / "commondir").is_file():  # of a further working tree
        shared = repository / _read(repository / "commondir", MOST).strip()
    for root in (repository, shared):
        if (root / name).is_file():
            found = _read(root / name, MOST).strip()
            return found if HASH.fullmatch(found) else None
    return _packed(shared / "packed-refs", name)


def _packed(path: Path, name: str) -> str | None:
    if not path.is_file():
        return None
    for line in _read(path, PACKED).splitlines():
        found, _, ref = line.partition(" ")
        if ref == name and HASH.fullmatch(found):
            return found
    return None


def _read(path: Path, most: int) -> str:
    if not path.is_file():
        raise ValueError(f"{path} is no file")
    with path.open("rb") as file:
        return file.read(most).decode("utf-8")
