"""Every error kdaudit raises on purpose, and the exit code each one means.

Exit codes, for every command: 0 met · 1 not met · 2 usage or bad input · 3 inconclusive, not
evaluable or no check declared · 4 evidence damaged · 70 a suite crashed or internal error.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a shell or a CI system learns from one command."""

    MET = 0
    NOT_MET = 1
    BAD_INPUT = 2
    UNDECIDED = 3
    DAMAGED = 4
    CRASHED = 70

    @classmethod
    def worst(cls, codes: Iterable["ExitCode"]) -> "ExitCode":
        """The code that wins when several apply: 70 > 2 > 4 > 1 > 3 > 0.

        >>> ExitCode.worst([ExitCode.UNDECIDED, ExitCode.NOT_MET]).value
        1
        """
        order = (cls.MET, cls.UNDECIDED, cls.NOT_MET, cls.DAMAGED, cls.BAD_INPUT, cls.CRASHED)
        return max(codes, key=order.index, default=cls.MET)


class KdauditError(Exception):
    """A problem the user can act on; the command line prints it without a traceback."""

    exit_code = ExitCode.BAD_INPUT


class ConfigError(KdauditError):
    """An audit file or a recipe, or a value in one, is wrong."""


class DataError(KdauditError):
    """A data or predictions file does not say what it must."""


class ModelError(KdauditError):
    """A model cannot be loaded or does not answer as an adapter needs."""


class DamagedError(KdauditError):
    """Stored evidence is not what was written."""

    exit_code = ExitCode.DAMAGED


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Name the folder where a disk is full or may not be written.

    Raises:
        DataError: instead of the OSError of whatever is written inside.
    """
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written ({error.strerror or error}); make room there, or choose "
            "another place, and run again"
        ) from error


def unknown(kind: str, got: str, known: Iterable[str]) -> str:
    """Name an unknown thing, the nearest known one and the whole choice.

    >>> unknown("suite", "calibraton", ["accuracy", "calibration"])
    "unknown suite 'calibraton'. Did you mean 'calibration'? Known: accuracy, calibration"
    """
    choice = sorted(known)
    close = get_close_matches(got, choice, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(choice[:20]) + (f" and {len(choice) - 20} more" if len(choice) > 20 else "")
    return f"unknown {kind} {got!r}.{hint} Known: {shown or 'none'}"


def examples(values: Sequence[str], most: int = 3) -> str:
    """A few values, quoted, and how many more.

    >>> examples(["a", "b", "c", "d"])
    "'a', 'b', 'c' and 1 more"
    """
    shown = ", ".join(repr(str(value)) for value in values[:most])
    return shown + (f" and {len(values) - most} more" if len(values) > most else "")
