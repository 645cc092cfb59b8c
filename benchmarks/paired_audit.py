"""How long a whole audit takes, and how much memory, for 10,000 to 10,000,000 rows.

Each size runs the real command, ``kdaudit run``, in a process of its own: reading three Parquet
files, joining them by id, every suite that applies, 30 intersectional groups, the card. Making the
data is not counted. Beside it, fairlearn's bootstrap of four rates in the 30 groups and ours, which
resamples counts instead of rows. ``--rows N`` runs one size and prints ``rows seconds peak_MB``
last.

    python benchmarks/paired_audit.py
    python benchmarks/paired_audit.py --rows 1000000
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
CORES = 2
SEED = 20
COMPARED = 100_000  # rows; fairlearn takes seconds per replicate there
THEIR_REPLICATES, OUR_REPLICATES = 4, 2000
# 2 · 5 · 3 = 30 groups where the sensitive columns are crossed.
ATTRIBUTES = {
    "sex": ("female", "male"),
    "race": ("Asian", "Black", "Indigenous", "Other", "White"),
    "age": ("18-34", "35-54", "55+"),
    "channel": ("app", "branch", "phone", "web"),
    "region": tuple(f"region {i:02d}" for i in range(12)),
    "product": tuple(f"product {i}" for i in range(6)),
}
AUDIT = """
[audit]
name = "paired"

[data]
path = "data.parquet"
id = "id"
label = "label"
label_source = "outcome"
positive = "yes"
sensitive = ["sex", "race", "age"]
slices = ["channel", "region", "product"]

[teacher]
predictions = "teacher.parquet"

[student]
predictions = "student.parquet"

[[contract]]
check = "ACC001"
margin = 0.01

[[contract]]
check = "CAL003"
margin = 0.02

[[contract]]
check = "SLC001"
each = ["channel", "product"]
margin = 0.02

[[contract]]
check = "FAI001"
each = ["age", "race", "sex"]
margin = 0.05

[[contract]]
check = "FAI004"
each = ["age", "race", "sex"]
margin = 0.05
"""


def generate(folder: Path, rows: int) -> None:
    """Write an audit of ``rows`` rows: strings as ids, in another order in every file."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(SEED)
    ids = pa.array([f"row-{i:010d}" for i in rng.permutation(rows)])
    truth = rng.random(rows)
    label = rng.random(rows) < truth
    columns: dict[str, object] = {"id": ids, "label": pa.array(np.where(label, "yes", "no"))}
    for name, values in ATTRIBUTES.items():
        codes = rng.choice(len(values), rows, p=rng.dirichlet(np.full(len(values), 20.0)))
        columns[name] = pa.array(np.array(values)[codes])
    pq.write_table(pa.table(columns), folder / "data.parquet")
    for name, noise in (("teacher", 0.5), ("student", 0.7)):
        order = rng.permutation(rows)
        logit = np.log(truth / (1 - truth)) + noise * rng.normal(size=rows)
        score = (1 / (1 + np.exp(-logit))).astype(np.float32)
        table = pa.table({"id": ids.take(pa.array(order)), "score": score[order]})
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "audit.toml").write_text(AUDIT, "utf-8")


def measure(folder: Path) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak megabytes of ``kdaudit run`` on the audit in a folder."""
    command = [sys.executable, "-m", "kdaudit", "run", "audit.toml"]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: S603
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1, 3):  # decided one way or the other
        raise SystemExit(f"kdaudit run ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def apart(function: Callable[..., None], *arguments: object) -> None:
    """Call a function in a fresh process: a child's peak begins with the memory of its parent."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def one_size(rows: int) -> tuple[float, float, float]:
    """Generate and audit ``rows`` rows."""
    with tempfile.TemporaryDirectory(prefix="kdaudit-benchmark-") as name:
        folder = Path(name)
        apart(generate, folder, rows)
        return measure(folder)


def compare() -> None:
    """Print what a replicate costs fairlearn, and what it costs us."""
    import numpy as np
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score

    from kdaudit.stats.cells import cell_sums, encode, multinomial_bootstrap

    rng = np.random.default_rng(SEED)
    sensitive = {name: rng.choice(ATTRIBUTES[name], COMPARED) for name in ("sex", "race", "age")}
    label, answer = rng.random((2, COMPARED)) < 0.5

    started = time.perf_counter()
    frame = MetricFrame(
        metrics={
            "selection": selection_rate,
            "true positive": true_positive_rate,
            "false positive": false_positive_rate,
            "accuracy": accuracy_score,
        },
        y_true=label,
        y_pred=answer,
        sensitive_features=sensitive,
        n_boot=THEIR_REPLICATES,
        ci_quantiles=[0.05, 0.95],
        random_state=SEED,
    )
    theirs = (time.perf_counter() - started) / THEIR_REPLICATES

    started = time.perf_counter()
    cells = encode([*sensitive.values(), label, answer])
    *_, y, a = cells.levels
    group = encode(cells.levels[:3]).codes
    counted = np.stack([a, np.ones_like(a), a & y, y, a & ~y, ~y, a == y, np.ones_like(a)], axis=1)
    one_hot = group[:, None] == np.arange(group.max() + 1)
    per_row = (one_hot[:, :, None] & counted[:, None, :]).reshape(len(group), -1).astype(float)

    def rates(sums: "np.ndarray") -> "np.ndarray":
        pairs = sums.reshape(len(sums), -1, 2)
        return np.asarray(pairs[..., 0] / pairs[..., 1])

    draws = multinomial_bootstrap(
        cell_sums(cells), per_row, rates, replicates=OUR_REPLICATES, rng=rng
    )
    np.quantile(draws, [0.05, 0.95], axis=0)
    ours = (time.perf_counter() - started) / OUR_REPLICATES
    same = rates(cell_sums(cells)[None] @ per_row)[0]
    assert np.allclose(same, frame.by_group.to_numpy().ravel())
    print(
        f"a bootstrap replicate of 4 rates in {len(frame.by_group)} groups of {COMPARED:,} rows: "
        f"fairlearn {theirs:.3g} s, kdaudit {ours:.3g} s, {theirs / ours:,.0f} times as fast",
        flush=True,
    )


def main() -> None:
    """Print one size, or the table of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, help="run this size only")
    asked = parser.parse_args().rows
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    apart(compare)
    if not asked:
        print("rows seconds peak_MB (processor seconds, microseconds per row)")
    for rows in [asked] if asked else SIZES:
        seconds, processor, peak = one_size(rows)
        more = "" if asked else f" ({processor:.1f}, {1e6 * seconds / rows:.1f})"
        print(f"{rows} {seconds:.2f} {peak:.0f}{more}", flush=True)


if __name__ == "__main__":
    main()
