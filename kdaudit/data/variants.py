"""Variants: the same rows, changed in a declared way before a model is shown them."""

import numpy as np

from kdaudit.data.audit_file import DataTable
from kdaudit.data.counterfactual import swap_map, swapped
from kdaudit.data.shown import is_text
from kdaudit.errors import ConfigError, unknown
from kdaudit.evidence.kinds import Bools
from kdaudit.models.adapter import Columns

AS_IS = "as-is"
COUNTERFACTUAL = "counterfactual"


def changed(inputs: Columns, variant: str, data: DataTable) -> Columns:
    """The inputs as a variant shows them.

    Args:
        inputs: (N,) arrays by column.
        variant: ``as-is`` or ``counterfactual``.
        data: the roles; ``[data.counterfactual]`` says what is swapped.

    Raises:
        ConfigError: for a variant nobody declared, or columns that are no text.
    """
    return inputs if variant == AS_IS else _swapped(inputs, variant, data)[0]


def which_changed(inputs: Columns, variant: str, data: DataTable) -> Bools:
    """(N,) rows that the variant shows otherwise."""
    return _swapped(inputs, variant, data)[1]


def declared(data: DataTable) -> tuple[str, ...]:
    """The variants that an audit file asks for."""
    return () if data.counterfactual is None else (COUNTERFACTUAL,)


def _swapped(inputs: Columns, variant: str, data: DataTable) -> tuple[Columns, Bools]:
    if variant not in declared(data) or data.counterfactual is None:
        raise ConfigError(f"the rows have no variant {variant!r}; [data.counterfactual] makes one")
    terms = swap_map(data.counterfactual.swap)
    texts = [name for name, column in inputs.items() if is_text(column)]
    for name in data.counterfactual.columns:
        if name not in texts:
            raise ConfigError(
                f"[data.counterfactual] columns: {unknown('text among the inputs', name, texts)}"
            )
    n = len(next(iter(inputs.values()), ()))
    moved = np.zeros(n, dtype=np.bool_)
    out = dict(inputs)
    for name in data.counterfactual.columns or texts:
        out[name], here = swapped(np.asarray(inputs[name], dtype=object), terms)
        moved |= here
    return out, moved
