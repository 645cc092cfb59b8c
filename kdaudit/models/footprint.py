"""What a model weighs: weights, bytes on disk, and memory at the highest, in a process of its own.

The memory of a process only grows, so each model gets a fresh one: ``python -m
kdaudit.models.footprint`` reads a subject from standard input, notes its memory, opens the model,
answers a few rows and prints both numbers. On Linux they are ``VmHWM``, which starts anew with each
program; ``ru_maxrss`` does not: a child inherits its parent's high-water mark.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from kdaudit.data.csv_cells import CsvCells, Kind
from kdaudit.evidence.kinds import Footprint
from kdaudit.models.adapter import Columns, Runnable

ROWS = 8  # answered before memory is read
SECONDS = 600
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def footprint(
    model: Runnable, subject: Mapping[str, object], *, base: Path, columns: Columns
) -> Footprint:
    """Weigh a model.

    Args:
        model: the model, opened.
        subject: the adapter key and options it was opened with.
        base: folder of the audit file.
        columns: (N,) input arrays by name, of which a few rows are shown.

    Returns:
        Its footprint; the memory is None where the process did not end well.
    """
    few = {name: _sent(column[:ROWS]) for name, column in columns.items()}
    request = {"subject": dict(subject), "base": str(base.resolve()), "columns": few}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "kdaudit.models.footprint"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=True,
            timeout=SECONDS,
            env={**os.environ, **ONE_THREAD},
        )
        # The last line, because the model's own code may print.
        memory = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError):
        memory = {"peak": None, "base": None}
    return Footprint(
        parameters=model.parameters(),
        bytes=model.size(),
        peak_memory=memory["peak"],
        base_memory=memory["base"],
    )


def high_water() -> int:
    """Bytes this process had resident at the highest, until now."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource  # not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    """Weigh the subject on standard input; one JSON object on the last line of standard output."""
    from kdaudit.data.audit_file import SubjectTable
    from kdaudit.models.open import open_model

    request = json.load(sys.stdin)
    base = high_water()
    table = SubjectTable.model_validate(request["subject"])
    model = open_model("subject", table, Path(request["base"])).adapter
    assert isinstance(model, Runnable)
    model.predict({name: _column(sent) for name, sent in request["columns"].items()})
    sys.stdout.write(f"\n{json.dumps({'base': base, 'peak': high_water()})}\n")


def _sent(column: npt.NDArray[np.generic]) -> Mapping[str, object]:
    kind = column.kind if isinstance(column, CsvCells) else column.dtype.str
    plain = (int, float, type(None))
    cells = [cell if isinstance(cell, plain) else str(cell) for cell in column.tolist()]
    return {"kind": kind, "cells": cells}


def _column(sent: Mapping[str, Any]) -> npt.NDArray[np.generic]:
    if sent["kind"] in get_args(Kind):
        return CsvCells(sent["cells"], sent["kind"])
    return np.array(sent["cells"], dtype=sent["kind"])


if __name__ == "__main__":
    main()
