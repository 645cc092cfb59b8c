"""What an adapter is: one model, of whatever kind, that can be asked. It knows no teacher.

An adapter's class is named by an entry point in ``kdaudit.models`` and has a class method
``open(source, *, base, ...)``: ``source`` is relative to the folder ``base``, its other keywords
are the options of the subject's table in the audit file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from kdaudit.evidence.kinds import Generations

Columns = Mapping[str, npt.NDArray[np.generic]]
Space = Literal["logits", "probabilities"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """What a classifier answered to one batch.

    Attributes:
        values: (N, C) float array in the order of the model's classes.
        space: ``logits`` (unnormalised) or ``probabilities`` (rows sum to one).
    """

    values: npt.NDArray[np.floating]
    space: Space


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Answers that were recorded elsewhere, one per id, as found in a file.

    Attributes:
        ids: (M,) strings, in file order, unchecked.
        classes: what the columns of ``probabilities`` mean; for label-only files the labels seen.
        probabilities: (M, C) as in the file, unchecked, or None for a label-only file.
        labels: (M,) strings or None, for a label-only file.
        scores: by name, (M,) numbers that someone computed per row; NaN where there is none.
        listed: (M, C) probabilities of the likeliest classes, 0 where a class is not listed, for a
            file of top-k log-probabilities, whose ``labels`` are the likeliest; else None.
        draws: (M,) samples per row that ``probabilities`` are shares of, or None.
        written: what a language model wrote, or None.
    """

    ids: npt.NDArray[np.object_]
    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float64] | None
    labels: npt.NDArray[np.object_] | None
    scores: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    listed: npt.NDArray[np.float64] | None = None
    draws: npt.NDArray[np.float64] | None = None
    written: Generations | None = None


@runtime_checkable
class Runnable(Protocol):
    """A model on this machine."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the outputs."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The input columns it reads; empty when it takes those that the audit file declares."""
        ...

    def identity(self) -> Mapping[str, str]:
        """Everything its answers depend on: file digests, code digests, library versions."""
        ...

    def predict(self, columns: Columns) -> Outputs:
        """Answer N rows; a dict of (N,) arrays in, (N, C) out. Deterministic, in eval mode."""
        ...

    def parameters(self) -> int | None:
        """Number of weights, or None where the kind has no such count."""
        ...

    def size(self) -> int:
        """Bytes on disk of everything needed to load it."""
        ...


@runtime_checkable
class Recorded(Protocol):
    """Answers of a model that ran elsewhere."""

    def identity(self) -> Mapping[str, str]:
        """The file's digest."""
        ...

    def answers(self, id_column: str, classes: Sequence[str]) -> Answers:
        """Read the file; ``classes`` names the two classes where it holds one ``score``."""
        ...


Adapter = Runnable | Recorded
