"""What is kept of answers over a large vocabulary: the k largest logits and what they add up to.

Of log-probabilities alone the temperature cannot be changed afterwards: how much the left-out
answers weigh at another one is not in them. So the raw logits of the k likeliest are kept, and for
every temperature that is declared beforehand one log-sum-exp over all of them: each kept
probability, and the mass of the rest as one bucket, are exact at each of those temperatures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Floats, Ints

AT_ONCE = 512  # positions whose logits are held in float64 at once
TAIL = "one bucket"

Width = Literal["float16", "float32"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopK:
    """What is kept of each position.

    Attributes:
        k: how many of the largest logits, at least 1.
        temperatures: T > 0 at which the answers may be used.
        dtype: of the differences to the largest logit on disk. In float16 a probability is off by
            less than 1e-4 of the largest one; the largest itself is exact.
    """

    k: int
    temperatures: tuple[float, ...]
    dtype: Width = "float32"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truncated:
    """The k likeliest answers at P positions.

    Attributes:
        ids: (P, k) of the vocabulary, likeliest first.
        logits: (P, k) float32, less the largest of the position: the first is 0; NaN where the
            model's own were no numbers.
        norms: (P, n_T) float32, log Σ_v exp((z_v - z_max) / T) over the whole vocabulary.
        temperatures: (n_T) what the columns of ``norms`` are of.
        vocabulary: V.
    """

    ids: Ints
    logits: npt.NDArray[np.float32]
    norms: npt.NDArray[np.float32]
    temperatures: tuple[float, ...]
    vocabulary: int

    def __len__(self) -> int:
        return len(self.ids)

    def log_p(self, temperature: float) -> Floats:
        """(P, k) log-probabilities of the kept answers, exact.

        Raises:
            DataError: for a temperature that was not declared.
        """
        norms: Floats = self.norms[:, place(self.temperatures, temperature)].astype(np.float64)
        log_p: Floats = self.logits.astype(np.float64) / temperature - norms[:, None]
        return log_p

    def tail(self, temperature: float) -> Floats:
        """(P,) log of the mass that was left out; -inf where there is none.

        Raises:
            DataError: for a temperature that was not declared.
        """
        if self.ids.shape[1] == self.vocabulary:
            return np.full(len(self), -np.inf)
        kept = np.exp(self.log_p(temperature)).sum(axis=1)
        with np.errstate(divide="ignore"):
            mass: Floats = np.log(np.maximum(1 - kept, 0.0))
        return mass

    def each(self) -> list["Truncated"]:
        """Every position by itself."""
        return [
            replace(self, ids=self.ids[i : i + 1], logits=self.logits[i : i + 1], norms=norms)
            for i, norms in enumerate(np.split(self.norms, len(self)) if len(self) else [])
        ]

    def dense(self) -> npt.NDArray[np.float32]:
        """(P, V) the kept logits, -inf elsewhere; for small vocabularies."""
        full = np.full((len(self), self.vocabulary), -np.inf, dtype=np.float32)
        np.put_along_axis(full, self.ids, self.logits, axis=1)
        return full


def place(temperatures: Sequence[float], temperature: float) -> int:
    """Which of the declared temperatures it is.

    Raises:
        DataError: if it is none of them.

    >>> place((1.0, 4.0), 4.0)
    1
    """
    if temperature in temperatures:
        return temperatures.index(temperature)
    declared = ", ".join(f"{one:g}" for one in temperatures)
    raise DataError(
        f"T = {temperature:g} cannot be had of answers that were truncated for T = {declared}: how "
        "much the left-out answers weigh there was not kept. Declare it, as temperatures = "
        f"[{declared}, {temperature:g}] under [targets], and the rows are recorded anew"
    )


def truncate(logits: npt.NDArray[np.floating], top: TopK) -> Truncated:
    """Keep the k largest logits of each position, and the log-sum-exps.

    Args:
        logits: (P, V); -inf for what cannot be, and a position with NaN or inf is no answer.
        top: what to keep.

    >>> kept = truncate(np.log([[0.1, 0.6, 0.3]]), TopK(k=2, temperatures=(1.0,)))
    >>> kept.ids.tolist(), np.exp(kept.log_p(1.0)).round(6).tolist()
    ([[1, 2]], [[0.6, 0.3]])
    >>> np.exp(kept.tail(1.0)).round(6).tolist()
    [0.1]
    """
    positions, vocabulary = logits.shape
    k = min(top.k, vocabulary)
    ids = np.empty((positions, k), dtype=np.int64)
    kept = np.empty((positions, k), dtype=np.float32)
    norms = np.empty((positions, len(top.temperatures)), dtype=np.float32)
    for start in range(0, positions, AT_ONCE):
        span = slice(start, start + AT_ONCE)
        z = np.asarray(logits[span], dtype=np.float64)
        largest = z.max(axis=1, initial=-np.inf, keepdims=True)
        given = np.isfinite(largest)  # NaN and inf pass through max
        with np.errstate(invalid="ignore"):
            z = np.where(given, z - largest, np.nan)
        ids[span] = _largest(z, k)
        kept[span] = np.take_along_axis(z, ids[span], axis=1)
        for column, temperature in enumerate(top.temperatures):
            norms[span, column] = np.log(np.exp(z / temperature).sum(axis=1))
    return Truncated(
        ids=ids, logits=kept, norms=norms, temperatures=top.temperatures, vocabulary=vocabulary
    )


def _largest(z: Floats, k: int) -> Ints:
    """(P, k) places of the largest, in falling order, without sorting them all."""
    found = np.sort(np.argpartition(-z, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(z, found, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(found, order, axis=1), dtype=np.int64)


def bytes_per_position(top: TopK, vocabulary: int) -> int:
    """What one position takes, in memory and on disk, without its row's key.

    >>> bytes_per_position(TopK(k=64, temperatures=(1.0,), dtype="float16"), 128256)
    268
    """
    k = min(top.k, vocabulary)
    return _id_bytes(k, vocabulary) + k * np.dtype(top.dtype).itemsize + 4 * len(top.temperatures)


def pack(kept: Truncated, top: TopK) -> npt.NDArray[np.uint8]:
    """(P, bytes) one row of bytes per position: ids of ⌈log2 V⌉ bits, logits, norms."""
    width = _bits(kept.vocabulary)
    shifts = np.arange(width)
    bits = ((kept.ids[:, :, None] >> shifts) & 1).astype(np.uint8)
    ids = np.packbits(bits.reshape(len(kept), -1), axis=1)
    with np.errstate(over="ignore"):  # -1e9, as masks write it, is -inf in float16
        logits = np.ascontiguousarray(kept.logits.astype(_stored(top)))
    norms = np.ascontiguousarray(kept.norms.astype("<f4"))
    return np.concatenate([ids, logits.view(np.uint8), norms.view(np.uint8)], axis=1)


def unpack(packed: npt.NDArray[np.uint8], top: TopK, vocabulary: int) -> Truncated:
    """What `pack` packed."""
    k = min(top.k, vocabulary)
    first = _id_bytes(k, vocabulary)
    second = first + k * np.dtype(top.dtype).itemsize
    width = _bits(vocabulary)
    bits = np.unpackbits(packed[:, :first], axis=1, count=k * width)
    ids = bits.reshape(len(packed), k, width).astype(np.int64) @ (1 << np.arange(width))
    logits = np.ascontiguousarray(packed[:, first:second]).view(_stored(top))
    norms = np.ascontiguousarray(packed[:, second:]).view("<f4")
    return Truncated(
        ids=ids,
        logits=logits.astype(np.float32),
        norms=norms.astype(np.float32),
        temperatures=top.temperatures,
        vocabulary=vocabulary,
    )


def _bits(vocabulary: int) -> int:
    return max(1, (vocabulary - 1).bit_length())


def _stored(top: TopK) -> str:
    return {"float16": "<f2", "float32": "<f4"}[top.dtype]


def _id_bytes(k: int, vocabulary: int) -> int:
    return -(-k * _bits(vocabulary) // 8)
