"""When the next request may be sent: evenly spaced, held where a server asks for it."""

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio

LONGEST = 60.0  # seconds between two attempts, unless the server asks for more


@dataclass(slots=True, kw_only=True, eq=False)
class Pace:
    """Turns of all requests of a run.

    Attributes:
        gap: seconds between two.
        free: when the next may go, by the clock of the event loop.
    """

    gap: float
    free: float = 0.0
    _one: anyio.Lock = field(default_factory=anyio.Lock)

    async def turn(self) -> None:
        """Wait for one's turn."""
        async with self._one:
            # Meanwhile another may have asked to hold, so look again.
            while anyio.current_time() < self.free:  # noqa: ASYNC110  # no event ends it
                await anyio.sleep_until(self.free)
            self.free = anyio.current_time() + self.gap

    def hold(self, seconds: float) -> None:
        """Send nothing for so long: what a server asks of one request it asks of all."""
        self.free = max(self.free, anyio.current_time() + seconds)


def backoff(number: int, attempt: int, first: float) -> float:
    """Seconds until an attempt is repeated: twice as long each time, spread over requests.

    >>> [1 <= backoff(7, attempt, 1.0) / 2**attempt < 2 for attempt in range(4)]
    [True, True, True, True]
    >>> backoff(7, 50, 1.0) <= LONGEST
    True
    """
    spread = random.Random(f"{number} {attempt}").random()  # noqa: S311  # spreads, hides nothing
    return min(first * 2.0**attempt * (1 + spread), LONGEST * (1 + spread) / 2)


def asked_to_wait(header: str | None) -> float:
    """Seconds that ``Retry-After`` asks for, as a number or as a date; 0 where it asks nothing.

    >>> asked_to_wait("2.5"), asked_to_wait("soon"), asked_to_wait(None)
    (2.5, 0.0, 0.0)
    >>> asked_to_wait("Wed, 21 Oct 2015 07:28:00 GMT")
    0.0
    """
    try:
        seconds = float(header or 0)
    except ValueError:
        try:
            at = parsedate_to_datetime(header or "")
        except ValueError:
            return 0.0
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        seconds = (at - datetime.now(UTC)).total_seconds()
    return 0.0 if math.isnan(seconds) else max(seconds, 0.0)
