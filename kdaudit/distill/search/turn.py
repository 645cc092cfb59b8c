"""One process at a time asks a teacher: those that search beside it find what it said."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from kdaudit.evidence.store import Store
from kdaudit.progress import Progress


@contextmanager
def in_turn(store: Store, progress: Progress) -> Iterator[None]:
    """Keep other searches with the same store waiting; the lock goes with the process.

    Args:
        store: whose recordings are asked for.
        progress: says that it waits.
    """
    folder = store.root / "searches"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "asking.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("waiting for another search, which asks the teacher", 1)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
