"""A scikit-learn classifier in a ``.skops`` file: no pickle, and only types the user trusts.

A model that was fitted on a table gets a table of those columns; one that was fitted on a single
column of text gets that column; one that was fitted on a matrix gets the numeric columns, in the
order in which the audit file names them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from kdaudit.data.columns import as_text
from kdaudit.data.shown import is_text, texts
from kdaudit.errors import ModelError
from kdaudit.governance.digest import file_digest
from kdaudit.models.adapter import Columns, Outputs
from kdaudit.models.code import said
from kdaudit.models.fitted_categories import fitted_categories, shown_as
from kdaudit.models.inputs import matrix, select
from kdaudit.models.torch import PICKLES

ADAPTER = "sklearn 2"  # raised when the same file would answer differently


@dataclass(frozen=True, kw_only=True, eq=False)
class SklearnModel:
    """One fitted classifier or pipeline.

    Attributes:
        path: the skops file.
        trusted: types beyond skops' own list that it may hold.
    """

    path: Path
    trusted: tuple[str, ...]

    @classmethod
    def open(cls, source: str, *, base: Path, trusted: Sequence[str] = ()) -> Self:
        """Find the file and check what types it holds, before any is made.

        Args:
            source: a ``.skops`` file, relative to ``base``.
            base: folder of the audit file.
            trusted: types that the file may hold beyond those skops knows to be harmless.

        Raises:
            ModelError: for a pickle, a missing file, types that are not trusted, or no
                probabilities.
        """
        path = base / source
        if path.suffix.lower() in PICKLES:
            raise ModelError(
                f"{source} is a pickle, and opening a pickle runs whatever code it holds; save the "
                f"model with skops.io.dump(model, {path.with_suffix('.skops').name!r})"
            )
        if path.suffix.lower() != ".skops":
            raise ModelError(f"{source}: models are read from a .skops file, not {path.suffix!r}")
        if not path.is_file():
            raise ModelError(f"there is no file {source} (looked in {base.resolve()})")
        model = cls(path=path, trusted=(trusted,) if isinstance(trusted, str) else tuple(trusted))
        if not hasattr(model._model, "predict_proba"):
            kind = type(model._model).__name__
            raise ModelError(
                f"{source}: a {kind} gives no probabilities (it has no predict_proba); wrap it in "
                "CalibratedClassifierCV, or save its predictions and name that file"
            )
        return model

    @property
    def classes(self) -> tuple[str, ...]:
        """``classes_`` as strings, as labels are read; the order of ``predict_proba``."""
        return tuple(as_text(pd.Series(self._model.classes_)).tolist())

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table it was fitted on; empty where it was fitted on a matrix."""
        try:
            return tuple(map(str, self._model.feature_names_in_))
        except AttributeError:
            return ()

    def identity(self) -> Mapping[str, str]:
        """Digest of the file, and versions of what reads it."""
        versions = {name: version(name) for name in ("scikit-learn", "skops", "numpy")}
        return {"adapter": ADAPTER, "model": file_digest(self.path), **versions}

    def predict(self, columns: Columns) -> Outputs:
        """Probabilities of N rows.

        Raises:
            ModelError: for a missing column, or what the model itself raised.
        """
        shown = {
            name: shown_as(column, self._categories.get(name))
            for name, column in select(columns, self.columns).items()
        }
        first, *others = shown.values() or (np.empty(0),)
        table: Any
        if self.columns or (others and any(map(is_text, shown.values()))):
            table = pd.DataFrame(dict(shown))
        elif is_text(first):
            table = np.array(texts(first), dtype=object)
        else:
            table = matrix(shown, "")
        try:
            values = self._model.predict_proba(table)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ModelError(f"{self.path.name} failed: {said(error)}") from error
        return Outputs(values=np.asarray(values), space="probabilities")

    def parameters(self) -> None:
        """None: estimators have no common count of weights."""

    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    @cached_property
    def _categories(self) -> Mapping[str, Sequence[Any]]:
        return fitted_categories(self._model)

    @cached_property
    def _model(self) -> Any:
        from skops.io import get_untrusted_types, load

        try:
            foreign = sorted(set(get_untrusted_types(file=self.path)) - set(self.trusted))
            if not foreign:
                return load(self.path, trusted=list(self.trusted))
        except Exception as error:  # skops raises whatever zip, JSON or the estimators do
            raise ModelError(f"{self.path.name} cannot be read by skops: {said(error)}") from error
        names = ", ".join(f'"{name}"' for name in [*self.trusted, *foreign])
        raise ModelError(
            f"{self.path.name} holds types that skops does not know to be harmless: "
            f"{', '.join(foreign)}. If you know where the file comes from, add: trusted = [{names}]"
        )
