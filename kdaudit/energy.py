"""Energy, where the machine counts it: processors by RAPL (Linux), NVIDIA's GPUs by NVML.

Both count for the whole machine, whoever uses it. Nothing is estimated: a machine that does not
count, or does not let this user read, has not measured.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
MOST_WATTS = 1000  # of one package: it sets how long a counter surely turns over but once


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one time.

    Attributes:
        at: seconds of a clock.
        micro: microjoules by counter, and the number at which each starts again; 0 for never.
    """

    at: float
    micro: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def until(self, later: "Reading") -> Mapping[str, float]:
        """Joules since, by counter; without those that may have turned over more than once."""
        used = {}
        for name, (before, turn) in self.micro.items():
            if name not in later.micro:
                continue
            if turn and (later.at - self.at) * MOST_WATTS * 1e6 > turn:
                continue
            more = later.micro[name][0] - before
            used[name] = (more + turn if more < 0 else more) / 1e6
        return used


def reading(powercap: Path = POWERCAP) -> Reading:
    """What every counter of this machine says now."""
    return Reading(time.monotonic(), {**_processors(powercap), **_gpus()})


def _processors(powercap: Path) -> dict[str, tuple[int, int]]:
    """Whole packages only: their parts are counted in them."""
    found = {}
    for folder in sorted(powercap.glob("intel-rapl:*")):
        if folder.name.count(":") > 1:
            continue
        try:
            name = (folder / "name").read_text().strip()
            now, turn = (
                int((folder / file).read_text()) for file in ("energy_uj", "max_energy_range_uj")
            )
        except (OSError, ValueError):  # readable by root alone, as a rule
            continue
        found[f"RAPL {name}"] = now, turn
    return found


def _gpus() -> dict[str, tuple[int, int]]:
    library = _nvml()
    if library is None:
        return {}
    found = {}
    try:
        for index in range(library.nvmlDeviceGetCount()):
            handle = library.nvmlDeviceGetHandleByIndex(index)
            used = library.nvmlDeviceGetTotalEnergyConsumption(handle)
            found[f"NVML GPU {index}"] = int(used) * 1000, 0
    except library.NVMLError:  # an old card
        pass
    return found


@cache
def _nvml() -> Any:  # a module without types, perhaps not there
    if find_spec("pynvml") is None:
        return None
    library = import_module("pynvml")
    try:
        library.nvmlInit()
    except library.NVMLError:  # no driver
        return None
    return library
