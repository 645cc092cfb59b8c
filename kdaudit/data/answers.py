"""Reference answers of a data file: every way to say the truth, or none."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdaudit.data.columns import as_text
from kdaudit.evidence.kinds import Strings


def as_answers(series: pd.Series) -> Strings:
    """(N,) tuples of aliases: a text is one, a list (in csv: a JSON list) is several.

    An empty cell or list is an empty tuple: nothing true can be said.

    >>> cells = pd.Series(["Paris", ["NYC", "New York"], '["1912", "MCMXII"]', "", None, 7])
    >>> as_answers(cells).tolist()
    [('Paris',), ('NYC', 'New York'), ('1912', 'MCMXII'), (), (), ('7',)]
    """
    lists = series.map(lambda cell: isinstance(cell, list | tuple | np.ndarray)).to_numpy(np.bool_)
    made = np.empty(len(series), dtype=object)
    texts = as_text(series.mask(lists, None))
    made[:] = [
        _aliases(list(cell)) if is_list else _read(text)
        for cell, text, is_list in zip(series, texts, lists, strict=True)
    ]
    return made


def _read(text: str | None) -> tuple[str, ...]:
    if text is not None and text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = text
        if isinstance(found, list):
            return _aliases(found)
    return _aliases([text])


def _aliases(cells: Sequence[object]) -> tuple[str, ...]:
    texts = as_text(pd.Series(list(cells), dtype=object))
    return tuple(text for text in texts if text is not None and text.strip())
