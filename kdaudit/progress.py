"""How long work shows how far it is; the command line draws it."""

from typing import Protocol


class Advance(Protocol):
    """Progress of one stage."""

    def __call__(self, done: int, /, text: str = "") -> None:
        """Say that ``done`` more units are done; ``text`` replaces what stands beside the bar."""
        ...


class Progress(Protocol):
    """Progress of a whole command."""

    def __call__(self, stage: str, total: int, /) -> Advance:
        """Begin a stage of ``total`` units; the one before it is over."""
        ...


def silent(_stage: str, _total: int, /) -> Advance:
    """Show nothing."""
    return _ignore


def _ignore(_done: int, /, text: str = "") -> None:
    del text
