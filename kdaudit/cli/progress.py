"""Progress on a terminal: what, how far, how fast, how long yet; silent elsewhere."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kdaudit.progress import Advance, Progress, silent

REDRAWN = 0.05  # seconds


@contextmanager
def stages() -> Iterator[Progress]:
    """A function that opens a progress bar and returns how to advance it."""
    if not sys.stderr.isatty() or not main_process():
        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:

        def stage(name: str, total: int, /) -> Advance:
            task = bars.add_task(name, total=total, rate="", text="")
            left, waiting, shown = total, 0, 0.0

            def advance(done: int, /, text: str = "") -> None:
                nonlocal left, waiting, shown
                left, waiting, now = left - done, waiting + done, time.monotonic()
                # Drawing takes longer than a small step.
                if done and left > 0 and now - shown < REDRAWN:
                    return
                speed = bars.tasks[bars.task_ids.index(task)].speed
                rate = f"{speed:,.0f}/s" if speed else ""
                bars.update(task, advance=waiting, rate=rate, text=text)
                waiting, shown = 0, now

            return advance

        yield stage


def main_process() -> bool:
    """Whether this process speaks: the first of those that a launcher started together."""
    return os.environ.get("RANK", "0") == "0"
