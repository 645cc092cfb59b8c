"""Groups of rows: the values of some columns together, as one code."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from kdaudit.data.frame import Frame
from kdaudit.data.splits import Split
from kdaudit.errors import ConfigError, unknown


def groups(columns: Sequence[str], frames: Mapping[Split, Frame]) -> dict[Split, torch.Tensor]:
    """(N,) codes by split: one for each combination of values that occurs in any of them.

    An empty cell is a value of its own.

    Args:
        columns: attributes of the frames.
        frames: of the splits.

    Raises:
        ConfigError: for a column that is no attribute.
    """
    for split, frame in frames.items():
        for name in columns:
            if name not in frame.attributes:
                known = unknown("group", name, frame.attributes)
                raise ConfigError(
                    f"[objectives.fair]: {known}. Groups are columns under sensitive or slices in "
                    f"[data], and the {split} rows must have them (a file of its own under "
                    "[data.transfer] has none)"
                )
    codes = {
        split: np.stack([frame.attributes[name].codes for name in columns], axis=1)
        for split, frame in frames.items()
    }
    _, together = np.unique(np.concatenate(list(codes.values())), axis=0, return_inverse=True)
    ends = np.cumsum([len(frame) for frame in frames.values()])[:-1]
    parts = np.split(together.reshape(-1).astype(np.int64), ends)
    return {split: torch.from_numpy(part) for split, part in zip(frames, parts, strict=True)}
