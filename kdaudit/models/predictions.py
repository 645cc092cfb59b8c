"""Saved predictions: a csv, Parquet or jsonl file of one subject's answers, made anywhere.

``id`` plus ``p_<class>`` for every class, or one ``score`` (two classes: the probability of the
favourable one), or ``prediction`` (the label only), or logits, counts over samples or the
likeliest few, as `kdaudit.models.partial_answers` says. Columns ``score_<name>`` hold what someone
computed per row, such as an error or a ranking's quality; alone or beside the answers.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kdaudit.data.columns import as_numbers, as_text, distinct
from kdaudit.errors import DataError, examples
from kdaudit.models.adapter import Answers
from kdaudit.models.partial_answers import partial_answers
from kdaudit.models.recorded_file import RecordedFile

PERCENT = 100
SCORE = "score_"


class PredictionsFile(RecordedFile):
    """Answers that were recorded elsewhere, in a file."""

    __slots__ = ()

    def answers(self, id_column: str, classes: Sequence[str]) -> Answers:
        """The answers, in file order.

        Args:
            id_column: the data file's id column; ``id`` is accepted as well.
            classes: (favourable, other) for a file with one ``score``; else unused.

        Raises:
            DataError: naming the column that is missing, repeated or no number.
        """
        table, name = self.source.table, self.source.name
        column, ids = self.ids(id_column)
        distinct(ids, name, column)
        scores = {
            str(c).removeprefix(SCORE): as_numbers(table[c], name)
            for c in table.columns
            if str(c).startswith(SCORE)
        }
        columns = [str(c) for c in table.columns if str(c).startswith("p_")]
        if columns:
            values = np.column_stack([as_numbers(table[c], name) for c in columns])
            named = tuple(c.removeprefix("p_") for c in columns)
            return Answers(ids=ids, classes=named, probabilities=values, labels=None, scores=scores)
        if "score" in table.columns:
            return Answers(
                ids=ids,
                classes=self._two(classes),
                probabilities=self._score(table),
                labels=None,
                scores=scores,
            )
        if "prediction" in table.columns:
            labels = as_text(table["prediction"])
            seen = tuple(sorted({label for label in labels if label is not None}))
            return Answers(ids=ids, classes=seen, probabilities=None, labels=labels, scores=scores)
        partial = partial_answers(table, ids, name)
        if partial is not None:
            return replace(partial, scores=scores)
        if scores:
            return Answers(ids=ids, classes=(), probabilities=None, labels=None, scores=scores)
        raise DataError(
            f"{name} has no answers: it needs a column p_<class> per class, or score, or "
            "prediction, or logit_<class>, count_<class> or top_logprobs. "
            f"{self._found_instead(column)}"
        )

    def _found_instead(self, id_column: str) -> str:
        table = self.source.table
        others = [str(name) for name in table.columns if name != id_column]
        numeric = [name for name in others if _is_numeric(table[name])]
        if len(numeric) > 1:
            called = ", ".join(f"p_{name}" for name in numeric[:3])
            more = f" and {len(numeric) - 3} more alike" if len(numeric) > 3 else ""
            return (
                f"If {examples(numeric)} hold the probabilities of the classes, call them "
                f"{called}{more}"
            )
        return f"Besides the id it has {examples(others) or 'nothing'}"

    def _score(self, table: pd.DataFrame) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        score = as_numbers(table["score"], self.source.name)
        given = score[np.isfinite(score)]
        outside = given[(given < 0) | (given > 1)]
        if 2 * len(outside) > len(given):
            percent = given.min() >= 0 and given.max() <= PERCENT
            remedy = (
                "Are these percentages? Divide them by 100"
                if percent
                else "Are these logits? Put them through a sigmoid"
            )
            raise DataError(
                f"{self.source.name}: column 'score' must hold probabilities, between 0 and 1; "
                f"{len(outside)} of {len(given)} are not, e.g. {outside[0]:.4g}. {remedy} before "
                "saving them"
            )
        return np.column_stack([score, 1 - score])

    def _two(self, classes: Sequence[str]) -> tuple[str, ...]:
        if len(classes) != 2:
            raise DataError(
                f"{self.source.name} has one score, which says how probable the favourable of two "
                "classes is: name that class as `positive` under [data], just as it stands among "
                "the labels, which must be two, or give p_<class> columns"
            )
        return tuple(classes)


def _is_numeric(series: pd.Series) -> bool:
    numbers = pd.to_numeric(series.astype(object), errors="coerce")
    return bool(numbers.notna().any() and (numbers.notna() | series.isna()).all())
