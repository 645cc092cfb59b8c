"""Random streams that are named, not numbered."""

from hashlib import blake2b

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """Give the generator that belongs to a seed and a path of names.

    The same arguments give the same draws on every machine, and no stream depends on which others
    exist: adding a slice changes no other slice's numbers. The key of the counter-based Philox
    (Salmon et al. 2011) is BLAKE2b-128 of the parts, each led by its length, so that
    ``("a|b",)`` and ``("a", "b")`` differ.

    Args:
        seed: the audit's seed; any integer.
        names: whose stream it is, e.g. ``"calibration", "student"``.

    >>> int(stream(7, "slices").integers(1000)) == int(stream(7, "slices").integers(1000))
    True
    """
    digest = blake2b(digest_size=16)
    for part in (str(seed), *names):
        text = part.encode()
        digest.update(len(text).to_bytes(8, "little"))
        digest.update(text)
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest(), "little")))
