"""Two halves of the rows, by a hash: one to search, the other to confirm."""

import numpy as np
import numpy.typing as npt

from kdaudit.evidence.kinds import Bools
from kdaudit.evidence.view import Rows

BLOCK = 100_000  # ids at a time: as fixed-width text, all of them may not fit into memory

Hashes = npt.NDArray[np.uint64]


def searched(rows: Rows, key: int) -> Bools:
    """(N,) whether a row is in the half that is searched.

    Whose half a row is in depends on its id alone, or on its cluster's first id: rows that come or
    go move no other row, and no cluster is in both halves.

    Args:
        rows: the rows, sorted by id.
        key: of the hash; must not be that of the splits, or the halves of a hash split would be
            unequal.
    """
    if rows.cluster is None:
        return _even(rows.ids, key)
    _, first, member = np.unique(rows.cluster, return_index=True, return_inverse=True)
    return _even(rows.ids[first], key)[member]


def _even(ids: npt.NDArray[np.object_], key: int) -> Bools:
    return np.asarray(_hash(ids, key) >> np.uint64(63) == 0, np.bool_)


def _hash(ids: npt.NDArray[np.object_], key: int) -> Hashes:
    """(N,) 64 bits of each id: FNV-1a over its code points, then the finaliser of SplitMix64.

    Fowler, Noll and Vo (1991); Steele, Lea and Flood (2014).
    """
    parts = [_of_block(ids[i : i + BLOCK], key) for i in range(0, len(ids), BLOCK)]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def _of_block(ids: npt.NDArray[np.object_], key: int) -> Hashes:
    text = ids.astype(np.str_)
    width = text.dtype.itemsize // 4
    points = np.ascontiguousarray(text).view(np.uint32).reshape(len(ids), width)
    state = np.full(len(ids), np.uint64(0xCBF29CE484222325) ^ np.uint64(key))
    for column in points.T:
        mixed = (state ^ column.astype(np.uint64)) * np.uint64(0x100000001B3)
        # Shorter ids are padded: how long others are must not change their hash.
        state = np.where(column > 0, mixed, state)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(state ^ (state >> np.uint64(31)), np.uint64)
