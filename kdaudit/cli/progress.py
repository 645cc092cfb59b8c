"""Progress on a terminal: what, how far, how fast, how long yet; silent elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kdaudit.progress import Advance, Progress, silent


@contextmanager
def stages() -> Iterator[Progress]:
    """A function that opens a progress bar and returns how to advance it."""
    if not sys.stderr.isatty():
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

            def advance(done: int, /, text: str = "") -> None:
                speed = bars.tasks[bars.task_ids.index(task)].speed
                rate = f"{speed:,.0f}/s" if speed else ""
                bars.update(task, advance=done, rate=rate, text=text)

            return advance

        yield stage
