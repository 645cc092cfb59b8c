"""What a run says of every epoch: a line of JSON in its folder, and to trackers.

The file knows which epochs it has, so a run that was killed and taken up again repeats none.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kdaudit.distill.training.course import Course
from kdaudit.distill.training.trackers import Tracker
from kdaudit.errors import writing

PARTS = ("train", "validation")


class Metrics:
    """``metrics.jsonl``: per epoch its number, steps, seconds, loss parts and validation scores.

    Seconds, and the rate that follows from them, are null for an epoch that was trained in an
    earlier sitting and is written down only now.
    """

    def __init__(self, folder: Path, trackers: Sequence[Tracker] = ()) -> None:
        """Look for what an earlier sitting wrote.

        Args:
            folder: of the run.
            trackers: told what the file is told.
        """
        self._path = folder / "metrics.jsonl"
        self._trackers = trackers
        self._written = _repaired(self._path)
        self._before: Course | None = None

    def __call__(self, course: Course) -> None:
        """Write down every epoch that is not written yet.

        Args:
            course: of the run: as it was found first, then after each epoch.
        """
        before, self._before = self._before, course
        for point in course.curve[self._written :]:
            seconds = rate = None
            if before is not None and before.epoch == point.epoch - 1:
                seconds = course.wall_seconds - before.wall_seconds
                rate = (course.steps - before.steps) / seconds
            line: dict[str, Any] = {
                "epoch": point.epoch,
                "steps": course.steps * point.epoch // course.epoch,
                "seconds": seconds,
                "steps_per_second": rate,
                "train": dict(point.train),
                "validation": dict(point.validation),
            }
            with writing(self._path.parent), self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            self._written = point.epoch
            values = {f"{part}/{name}": x for part in PARTS for name, x in line[part].items()}
            for tracker in self._trackers:
                tracker.log(values, step=line["steps"])


@contextmanager
def closing(trackers: Sequence[Tracker]) -> Iterator[Sequence[Tracker]]:
    """Trackers, told at the end that no more will come."""
    try:
        yield trackers
    finally:
        for tracker in trackers:
            tracker.finish()


def _repaired(path: Path) -> int:
    """The last epoch of a file, cut after its last whole line; 0 where there is none."""
    if not path.exists():
        return 0
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):  # killed while it was written
        with writing(path.parent):
            os.truncate(path, len(whole))
    lines = whole.splitlines()
    return int(json.loads(lines[-1])["epoch"]) if lines else 0
