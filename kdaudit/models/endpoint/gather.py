"""Several questions under way at once, behind a plain iterator."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from queue import SimpleQueue
from typing import TypeVar

from kdaudit.errors import KdauditError

Caller = TypeVar("Caller")
Answer = TypeVar("Answer")


def gathered(
    opened: Callable[[], AbstractAsyncContextManager[Caller]],
    ask: Callable[[Caller, int], Awaitable[Answer]],
    count: int,
    *,
    at_once: int,
) -> Iterator[tuple[int, Answer]]:
    """Ask 0 … count - 1; each answer as soon as it is there, with its number.

    The requests run in a thread of their own, so that it does not matter whether the caller has
    an event loop, as notebooks do. Closing the iterator stops what is under way.

    Args:
        opened: what all questions share; opened in that thread, and closed at the end.
        ask: asks one.
        count: how many.
        at_once: most under way.

    Raises:
        KdauditError: the first that a question ended with; the others are stopped then.
    """
    import anyio
    from anyio.from_thread import start_blocking_portal

    numbers = iter(range(count))
    answers: SimpleQueue[tuple[int, Answer] | None] = SimpleQueue()
    failures: list[KdauditError] = []

    async def everyone() -> None:
        async with opened() as caller, anyio.create_task_group() as group:

            async def work() -> None:
                try:
                    for number in numbers:
                        answers.put((number, await ask(caller, number)))
                except KdauditError as error:
                    failures.append(error)
                    group.cancel_scope.cancel()

            for _ in range(min(at_once, count)):
                group.start_soon(work)

    with start_blocking_portal() as portal:
        running = portal.start_task_soon(everyone)
        running.add_done_callback(lambda _: answers.put(None))
        try:
            while (one := answers.get()) is not None:
                yield one
        finally:
            running.cancel()
        if failures:
            raise failures[0]
        running.result()
