"""What the reproductions share: images in splits, recipes in a folder, means over seeds and rows.

Everything is trained by `kdaudit.execute.train`, which `kdaudit distill` calls, from recipes that
are written as a user writes them. Models are read back from their folders. Rows of the ``test``
split are asked nothing before all models are there.
"""

import gzip
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.datasets import load_digits

from kdaudit.distill.distill import Distilled
from kdaudit.execute import train
from kdaudit.models.folder import ModelFolder
from kdaudit.stats.paired_seeds import crossed_mean

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.str_]

LEVEL = 0.95
METHOD = f"{LEVEL:.0%} intervals: Student's t of a two-way random layout, paired by seed and row"
TEST, VALIDATION = 0.3, 0.1  # shares; the rest is trained on
AUDIT = """
[audit]
name = "{name}"

[data]
path = "{rows}"
id = "id"
label = "label"
inputs = [{inputs}]
split = {{ column = "split", audit = "test", validation = {validation}, transfer = {transfer} }}

[teacher]
{teacher}

[student]
distill = "student.toml"
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Images:
    """Labelled images.

    Attributes:
        pixels: (N, D) in [0, 1].
        labels: (N,) class indices.
        splits: (N,) ``train``, ``validation`` or ``test``, by a hash of the pixels: equal images
            lie on the same side.
    """

    pixels: Floats
    labels: Ints
    splits: Texts

    @classmethod
    def of(cls, pixels: npt.NDArray[np.uint8], labels: Ints, brightest: int) -> "Images":
        """Split (N, D) pixels from 0 to ``brightest``."""
        draws = [int.from_bytes(blake2b(row.tobytes(), digest_size=8).digest()) for row in pixels]
        share = np.array(draws, np.float64) / 2.0**64
        splits = np.where(
            share < TEST, "test", np.where(share < TEST + VALIDATION, "validation", "train")
        )
        return cls(pixels=pixels / brightest, labels=labels.astype(np.int64), splits=splits)

    def of_split(self, *splits: str) -> tuple[Floats, Ints]:
        """Pixels and labels of the rows of some splits."""
        chosen = np.isin(self.splits, splits)
        return self.pixels[chosen], self.labels[chosen]


def small_images() -> Images:
    """The 1,797 digits of 8 × 8 pixels that come with scikit-learn."""
    found = load_digits()
    return Images.of(found.data.astype(np.uint8), found.target, 16)


def mnist(folder: Path) -> Images:
    """The 10,000 test digits of MNIST, 28 × 28 pixels, in ``folder``."""
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    return Images.of(
        np.frombuffer(pixels, np.uint8).reshape(-1, 28 * 28),
        np.frombuffer(labels, np.uint8).astype(np.int64),
        255,
    )


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder with rows, audit files and recipes, in which models are trained."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(__file__).with_name("nets.py"), self.folder)

    def rows(self, name: str, pixels: Floats, labels: Sequence[object], splits: Texts) -> None:
        """Write ``NAME.parquet``: id, label, split and a column per pixel."""
        table = pd.DataFrame(pixels, columns=columns(pixels))
        table.insert(0, "id", [f"r{i:05d}" for i in range(len(table))])
        table.insert(1, "label", np.array(labels, str))
        table.insert(2, "split", splits)
        table.to_parquet(self.folder / f"{name}.parquet")

    def audit(self, name: str, *, rows: str, teacher: str, **splits: Sequence[str]) -> None:
        """Write ``NAME.toml``, the audit file of recipes.

        Args:
            name: of the file.
            rows: as given to `rows`.
            teacher: the line under ``[teacher]``.
            splits: values of the column ``split`` for ``transfer`` and ``validation``.
        """
        pixels = pd.read_parquet(self.folder / f"{rows}.parquet").columns[3:]
        text = AUDIT.format(
            name=name,
            rows=f"{rows}.parquet",
            inputs=", ".join(f'"{column}"' for column in pixels),
            teacher=teacher,
            **{split: list(values) for split, values in splits.items()},
        )
        (self.folder / f"{name}.toml").write_text(text)

    def train(self, name: str, recipe: str, seeds: Sequence[int]) -> Distilled:
        """Train a recipe under several seeds; each one's models are kept.

        The recipe of all seeds says what they show of the method. A recipe of each seed alone finds
        its models in the store, and puts them into a folder of their own.
        """
        for seed in seeds:
            self._write(f"{name}-{seed}", recipe, [seed])
        self._write(name, recipe, seeds)
        done = train(self.folder / f"{name}.toml")
        for seed in seeds:
            again = train(self.folder / f"{name}-{seed}.toml")
            assert again.trained_steps == 0, "the store should have had it"
        return done

    def _write(self, name: str, recipe: str, seeds: Sequence[int]) -> None:
        (self.folder / f"{name}.toml").write_text(f"seeds = {list(seeds)}\n{recipe}")

    def logits(self, model: str, pixels: Floats) -> Floats:
        """(N, C) of the model folder ``runs/MODEL``."""
        opened = ModelFolder.open(f"runs/{model}", base=self.folder)
        return np.asarray(opened.predict(as_columns(pixels)).values, np.float64)


def columns(pixels: Floats) -> list[str]:
    """Names of the pixels."""
    return [f"p{i:03d}" for i in range(pixels.shape[1])]


def as_columns(pixels: Floats) -> Mapping[str, Floats]:
    """(N, D) pixels as a model is shown them."""
    return dict(zip(columns(pixels), pixels.T, strict=True))


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds and rows, with its standard error and interval."""

    value: float
    se: float
    low: float
    high: float

    @classmethod
    def of(cls, scores: npt.ArrayLike) -> "Mean":
        """Mean of (S, N) scores of a row under a seed, both of them samples."""
        found = crossed_mean(scores)
        assert found is not None, "two seeds and two rows are needed"
        low, high = found.interval(LEVEL, reach=math.inf)
        return cls(found.mean, found.se, low, high)

    def text(self, spec: str = ".1f", unit: float = 0.01) -> str:
        """The mean and its interval, in hundredths or another unit."""
        value, low, high = (format(x / unit, spec) for x in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"


def verdict(failed: Sequence[str]) -> int:
    """Print which bars were missed; the exit code."""
    print(
        "\n".join(
            ["", *(f"MISSED {one}" for one in failed)] if failed else ["", "every bar is met"]
        )
    )
    return int(bool(failed))
