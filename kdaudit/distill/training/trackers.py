"""Trackers of experiments, by Accelerate: TensorBoard, MLflow, Weights & Biases."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from kdaudit.distill.recipe import TrackerName
from kdaudit.errors import ConfigError


class Tracker(Protocol):
    """Whoever is told of every epoch."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take numbers by name, after so many steps."""
        ...

    def finish(self) -> None:
        """No more will come."""
        ...


def trackers(
    names: Sequence[TrackerName], run: str, folder: Path, said: Mapping[str, Any]
) -> list[Tracker]:
    """Trackers of one run, begun.

    Args:
        names: which.
        run: the run's name there.
        folder: where those that write files write them, each in a folder of its own.
        said: what the run is made of: numbers, text and truth values.

    Raises:
        ConfigError: if a package is not installed.
    """
    for name in names:
        if find_spec(name) is None:
            raise ConfigError(
                f'trackers = ["{name}"] under [train] needs the package {name}, which is not '
                f"installed: pip install {name}, or take it out"
            )
    found = []
    for name in names:
        from accelerate.tracking import LOGGER_TYPE_TO_CLASS

        kind = LOGGER_TYPE_TO_CLASS[name]
        place = {"dir": str(folder)} if name == "wandb" else {"logging_dir": str(folder / name)}
        tracker = kind(run, **place)
        tracker.start()
        tracker.store_init_configuration(dict(said))
        found.append(tracker)
    return found
