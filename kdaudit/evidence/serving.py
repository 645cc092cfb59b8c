"""How one model served requests: when each was due, sent, begun and finished, and what it cost.

Three scenarios, those of MLPerf Inference (Reddi et al. 2020):

* ``single-stream``: one request after the other; a closed loop, which says nothing of queues.
* ``server``: requests are due at random times that were drawn beforehand, whether or not earlier
  ones are answered. Latency counts from when a request was *due*: a stalled model delays all that
  wait, and counting from when they were sent would leave their waiting out.
* ``offline``: batches of requests, each due at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Footprint, Ints, Strings, Timings
from kdaudit.evidence.noise import unsteady

if TYPE_CHECKING:
    from kdaudit.evidence.view import Role

SINGLE: Final = "single-stream"
SERVER: Final = "server"
OFFLINE: Final = "offline"
SCENARIOS = (SINGLE, SERVER, OFFLINE)
FEWEST, MOST = 10, 30  # requests of a block, and blocks
SAME_TIME = 0.01  # how far the time between two requests may differ for two models, as a share
NUMBERS = (
    "scheduled",
    "sent",
    "first",
    "last",
    "tokens_in",
    "tokens_out",
    "bytes_out",
    "joules",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Serving:
    """How one model served R requests; every array is (R,), NaN where a number is not known.

    Attributes:
        scenario: one of `SCENARIOS`.
        request: what tells requests of a scenario apart; equal ones are the same request.
        scheduled: seconds of the run's clock at which the request was due.
        sent: at which it was sent.
        first: at which the first token was there; NaN where the answer came as a whole.
        last: at which the answer was complete; NaN where there was none.
        tokens_in: tokens of the prompt.
        tokens_out: tokens of the answer, by the model's own tokenizer.
        bytes_out: bytes of the answer in UTF-8.
        joules: of the machine while its batch ran, by request.
        block: what ran together and is resampled together, from 0 in each scenario: a batch of the
            offline scenario, or a run of consecutive requests.
        hardware: the machine, as it was found or declared; None where nobody said.
        origin: where this comes from, in words.
        comparable: whether its requests were due in the order, the batches and, under load, at the
            times of the others'.
        noisy: why its run should not be trusted.
    """

    scenario: Strings
    request: Strings
    scheduled: Floats
    sent: Floats
    first: Floats
    last: Floats
    tokens_in: Floats
    tokens_out: Floats
    bytes_out: Floats
    joules: Floats
    block: Ints
    hardware: str | None
    origin: str
    comparable: bool = True
    noisy: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.request)

    @property
    def answered(self) -> Bools:
        """(R,) whether there is an answer."""
        return ~np.isnan(self.last)

    def of(self, scenario: str) -> "Serving":
        """The requests of one scenario."""
        return self.take(np.flatnonzero(self.scenario == scenario))

    def take(self, picked: Ints) -> "Serving":
        """Some of the requests, in that order; -1 is one that this model was not sent."""
        absent, row = picked < 0, np.maximum(picked, 0)
        numbers: dict[str, Any] = {
            name: np.where(absent, np.nan, getattr(self, name)[row]) for name in NUMBERS
        }
        return replace(
            self,
            scenario=self.scenario[row],
            request=self.request[row],
            block=self.block[row],
            **numbers,
        )


def blocks(scenario: Strings, scheduled: Floats) -> Ints:
    """(R,) the block of each request: batches where they were due at once, else runs of requests.

    >>> due = np.array([0.0, 0.0, 5.0, 5.0])
    >>> blocks(np.array(["offline"] * 4, dtype=object), due).tolist()
    [0, 0, 1, 1]
    >>> np.bincount(blocks(np.array(["server"] * 50, dtype=object), np.arange(50.0))).tolist()
    [10, 10, 10, 10, 10]
    """
    found = np.zeros(len(scheduled), dtype=np.int64)
    for name in SCENARIOS:
        rows = np.flatnonzero(scenario == name)
        if name == OFFLINE:
            found[rows] = np.unique(scheduled[rows], return_inverse=True)[1]
            continue
        count = max(1, min(MOST, len(rows) // FEWEST))
        order = np.argsort(scheduled[rows], kind="stable")
        found[rows[order]] = np.arange(len(rows)) * count // max(len(rows), 1)
    return found


def numbered(names: Sequence[str]) -> list[str]:
    """Names of requests; what was sent before gets a number of its own.

    >>> numbered(["x", "y", "x", "x"])
    ['x', 'y', 'x#2', 'x#3']
    """
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return made


def repeats(request: Strings) -> Ints | None:
    """(R,) equal codes for requests that `numbered` tells apart; None where there are none.

    The same prompt sent again says little of other prompts: its answer is as long as before.

    >>> repeats(np.array(["x", "y", "x#2", "z#2"], dtype=object)).tolist()
    [0, 1, 0, 2]
    """
    known = set(request)
    first = [
        head if cut and number.isdecimal() and head in known else name
        for name in request
        for head, cut, number in [name.rpartition("#")]
    ]
    if len(set(first)) == len(first):
        return None
    return np.unique(np.array(first, dtype=str), return_inverse=True)[1].astype(np.int64)


def aligned(
    found: "Mapping[Role, Serving | NotMeasured]",
) -> "dict[Role, Serving | NotMeasured]":
    """Everyone's requests in one order, each beside the same request of the others.

    A request that one model was not sent is one that it did not answer. Blocks are those of the
    model that was sent most.
    """
    served = {who: one for who, one in found.items() if isinstance(one, Serving)}
    if not served:
        return dict(found)
    where = {
        who: {key: row for row, key in enumerate(zip(one.scenario, one.request, strict=True))}
        for who, one in served.items()
    }
    most = max(served, key=lambda who: len(served[who]))
    keys = dict.fromkeys(key for rows in (where[most], *where.values()) for key in rows)
    scenario, request = (np.array(part, dtype=object) for part in zip(*keys, strict=True))
    block = np.array(
        [served[most].block[where[most][key]] if key in where[most] else 0 for key in keys],
        dtype=np.int64,
    )
    made = dict(found)
    for who, one in served.items():
        picked = np.array([where[who].get(key, -1) for key in keys], dtype=np.int64)
        both = np.array([key in where[most] for key in keys]) & (picked >= 0)
        theirs = np.array([where[most].get(key, -1) for key in keys], dtype=np.int64)
        made[who] = replace(
            one.take(picked),
            scenario=scenario,
            request=request,
            block=block,
            comparable=_in_order(one, picked[both], served[most], theirs[both]),
        )
    return made


def _in_order(one: Serving, rows: Ints, other: Serving, others: Ints) -> bool:
    """Whether shared requests were due alike.

    In the same order; offline in the same batches; and as requests that come less often wait less,
    under load with the same time between most of them: a run may pause.
    """
    for name in SCENARIOS:
        here = one.scenario[rows] == name
        ours, theirs = one.scheduled[rows[here]], other.scheduled[others[here]]
        if not np.array_equal(_ranks(ours), _ranks(theirs)):
            return False
        if name == SERVER and len(ours) > 1:
            between = np.diff(np.sort(theirs))
            apart = np.abs(np.diff(np.sort(ours)) - between)
            if np.median(apart) > SAME_TIME * np.median(between):
                return False
    return True


def _ranks(due: Floats) -> Ints:
    return np.unique(due, return_inverse=True)[1].astype(np.int64)


def other_hardware(one: Serving, other: Serving) -> NotMeasured | None:
    """Why times of two models cannot be compared, or None where they can."""
    told = [
        "hardware that nobody declared" if x.hardware is None else x.hardware for x in (one, other)
    ]
    if one.hardware is None or other.hardware is None or one.hardware != other.hardware:
        return NotMeasured(
            f"the student was timed on {told[0]} and the reference on {told[1]}: times of "
            "different hardware make no comparison of models"
        )
    if not (one.comparable and other.comparable):
        return NotMeasured(
            "they were sent requests in another order, in other batches or at another rate, so a "
            "slow stretch cannot be told from a slow model; send both the same requests in the "
            "same order, at the same times"
        )
    return None


def paired(
    student: Serving, teacher: Serving, footprints: "Mapping[Role, Footprint]"
) -> Timings | NotMeasured:
    """Times of the same requests, one after the other, as a speed-up needs them.

    Args:
        student: its requests, as `aligned` gives them.
        teacher: likewise.
        footprints: what is known of the weights of models on this machine.
    """
    reason = other_hardware(student, teacher)
    if reason is not None:
        return reason
    one, other = student.of(SINGLE), teacher.of(SINGLE)
    lost = int(np.count_nonzero(~one.answered | ~other.answered))
    if not len(one) or lost:
        return NotMeasured(
            f"{lost} of {len(one)} single-stream requests have no answer of one of the pair; "
            "without them a speed-up would flatter who failed"
            if lost
            else f"no requests were served one after the other (scenario {SINGLE})"
        )
    seconds = {"teacher": other.last - other.sent, "student": one.last - one.sent}
    return Timings(
        teacher=seconds["teacher"],
        student=seconds["student"],
        block=one.block,
        noisy=(
            *one.noisy,
            *unsteady("the speed-up", seconds["teacher"] / seconds["student"], one.block),
        ),
        machine=(("processor", str(one.hardware)),),
        footprints={str(role): found for role, found in footprints.items()},
    )
