"""The small student of `minilm_clinc150.py`: a perceptron on hashed pieces of words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import HashingVectorizer
from torch import nn


def encode(
    columns: Mapping[str, npt.NDArray[Any]], state: Mapping[str, Any]
) -> npt.NDArray[np.float32]:
    """(N, 2048) weights of hashed pieces of 2 to 4 letters within words, each row of length 1."""
    del state
    pieces = HashingVectorizer(
        n_features=2048, analyzer="char_wb", ngram_range=(2, 4), alternate_sign=False
    )
    hashed: npt.NDArray[np.float32] = pieces.transform(columns["text"]).toarray().astype(np.float32)
    return hashed


def perceptron(inputs: int, classes: int, hidden: int) -> nn.Module:
    """One hidden layer."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes))
