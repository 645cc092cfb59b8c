"""What one language model wrote, and how likely it held declared choices: a file of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd

from kdaudit.governance.digest import json_digest
from kdaudit.models.adapter import Answers
from kdaudit.models.generations import GenerationsFile
from kdaudit.models.likelihoods import LikelihoodsFile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedLanguage:
    """The two files. Rows may be in one of them alone: not all have choices."""

    generations: GenerationsFile
    likelihoods: LikelihoodsFile

    keys: ClassVar[frozenset[str]] = frozenset(("generations", "likelihoods"))

    def identity(self) -> Mapping[str, str]:
        """The files' digests, and that of both."""
        each = {
            "generations": self.generations.identity()["sha256"],
            "likelihoods": self.likelihoods.identity()["sha256"],
        }
        return {"sha256": json_digest(each), **each}

    def answers(self, id_column: str, classes: Sequence[str]) -> Answers:
        """Both files' entries by id.

        Args:
            id_column: the data file's id column; ``id`` is accepted as well.
            classes: unused.

        Raises:
            DataError: naming the file and what cannot be read.
        """
        written = self.generations.answers(id_column, classes)
        scored = self.likelihoods.answers(id_column, classes)
        assert written.written is not None
        assert scored.likelihoods is not None
        ids = pd.Index(written.ids).union(pd.Index(scored.ids), sort=False)
        at, place = (pd.Index(one.ids).get_indexer(ids) for one in (written, scored))
        return replace(
            written,
            ids=np.asarray(ids, dtype=object),
            written=written.written.take(at.clip(0)).without(at < 0),
            likelihoods=scored.likelihoods.take(place.clip(0), place >= 0),
        )
