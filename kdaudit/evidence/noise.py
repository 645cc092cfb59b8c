"""Whether a timing can be trusted: who else had the processor, and whether values were steady.

A run is **noisy** where the processor was over 75 % busy and other work had over 5 % of it, or the
hypervisor took over 1 %: a request that waits for the processor is not the model's. A series is
**unsteady** where, over blocks of requests,

* its median moved by over 10 % from the first half to the second, and by over three standard
  errors: the machine was throttled, or warm-up was not over; or
* its medians spread by over 10 %, the limit at which pyperf calls a benchmark unstable, and by over
  twice what requests of unlike size explain.

What slows both models alike leaves their ratio steady: then the speed-up can be trusted though the
latencies cannot.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kdaudit.evidence.kinds import Floats, Ints

BUSY, OTHERS, STOLEN = 0.75, 0.05, 0.01
DRIFT, SPREAD = 0.10, 0.10


class Contention(NamedTuple):
    """Shares of all processor time while timing, in [0, 1].

    Attributes:
        busy: in use by anyone; where that is not counted, the load per core of the last minute.
        own: in use by this process.
        stolen: taken by the hypervisor.
    """

    busy: float
    own: float
    stolen: float

    def noise(self) -> tuple[str, ...]:
        """What makes the run noisy."""
        others = self.busy - self.own
        found = []
        if self.busy > BUSY and others > OTHERS:
            found.append(
                f"the processor was {self.busy:.0%} busy while timing, {others:.0%} with other work"
            )
        if self.stolen > STOLEN:
            found.append(f"the hypervisor took {self.stolen:.1%} of the processor while timing")
        return tuple(found)

    def facts(self) -> tuple[tuple[str, str], ...]:
        """The shares as text."""
        return tuple(
            (f"processor {name}", f"{share:.3f}") for name, share in self._asdict().items()
        )


def unsteady(what: str, values: Floats, block: Ints) -> tuple[str, ...]:
    """Say whether a series drifts or spreads between blocks by more than its requests explain.

    The median of b requests has a standard error of about 1.2533 σ / √b; σ is that of the logs
    within blocks, estimated by the median absolute deviation, which outliers do not move.

    Args:
        what: for the sentences.
        values: (R,) latencies or their ratios, above 0.
        block: (R,) codes from 0.

    Returns:
        Sentences; none for a steady model, or fewer than four blocks.
    """
    logs = np.log(values)
    medians = np.array([np.median(logs[block == code]) for code in np.unique(block)])
    if len(medians) < 4:
        return ()
    within = 1.4826 * float(np.median(np.abs(logs - medians[block])))
    error = 1.2533 * within / np.sqrt(len(logs) / len(medians))
    early, late = np.array_split(medians, 2)
    drift = float(late.mean() - early.mean())
    drift_error = error * np.sqrt(1 / len(early) + 1 / len(late))
    spread = float(medians.std(ddof=1))
    found = []
    if abs(np.expm1(drift)) > DRIFT and abs(drift) > 3 * drift_error:
        found.append(
            f"{what} moved by {np.expm1(drift):+.0%} from the first half of the run to the second"
        )
    if spread > SPREAD and spread > 2 * error:
        found.append(f"{what} spread by {spread:.0%} between blocks")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the processor did since it was started."""

    wall: float
    own: float
    ticks: Ints

    @classmethod
    def start(cls) -> "Watch":
        """Begin."""
        return cls(time.perf_counter(), time.process_time(), _ticks())

    def stop(self) -> Contention:
        """How the time since was shared."""
        now = Watch.start()
        cores = os.cpu_count() or 1
        own = (now.own - self.own) / ((now.wall - self.wall) * cores)
        spent = now.ticks - self.ticks
        if not spent.sum() > 0:
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
            return Contention(busy=load / cores, own=own, stolen=0.0)
        _, _, _, idle, waiting, _, _, stolen = spent / spent.sum()
        return Contention(busy=float(1 - idle - waiting), own=own, stolen=float(stolen))


def _ticks() -> Ints:
    """(8,) user, nice, system, idle, iowait, irq, softirq, steal; zeros where there is no count."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return np.zeros(8, dtype=np.int64)
    return np.array(stat.read_text("utf-8").split("\n", 1)[0].split()[1:9], dtype=np.int64)
