"""Saved likelihoods: a jsonl, Parquet or csv file of how likely one model holds declared choices.

One row per id and choice: ``id``; ``choice``, the text as the data file has it, or ``number``, its
place among the row's choices from 0; ``logprob``, the natural log-probability of the choice after
its prompt, summed over its tokens; where known ``tokens`` and ``greedy`` (true where every token
was the likeliest), and by token, as lists, ``token_logprob``, ``token_mean`` and
``token_deviation`` (see `kdaudit.evidence.kinds.TokenScores`). A choice that is not there, or whose
``logprob`` is empty or infinite, is missing; one without letters is no choice, and is not numbered.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdaudit.data.columns import as_numbers, as_text, pick
from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Bools, ChoiceScores, Floats, Ints, Strings, TokenScores
from kdaudit.models.adapter import Answers
from kdaudit.models.recorded_file import RecordedFile

ROUNDED = 1e-3  # sums of half precision may end this far above 0
MOST = 2**31  # choices of a row, and more than any has


class LikelihoodsFile(RecordedFile):
    """Likelihoods that were recorded elsewhere, in a file."""

    __slots__ = ()

    def answers(self, id_column: str, classes: Sequence[str]) -> Answers:
        """The scores, one entry per id in the order of first appearance.

        Args:
            id_column: the data file's id column; ``id`` is accepted as well.
            classes: unused.

        Raises:
            DataError: naming the column that is missing, or the cell that cannot be read.
        """
        del classes
        table, name = self.source.table, self.source.name
        column, ids = self.ids(id_column)
        if pd.isna(ids).any():
            row = int(np.flatnonzero(pd.isna(ids))[0]) + 1
            raise DataError(f"{name}: id column {column!r} is empty in data row {row}")
        codes, found = pd.factorize(ids)
        order = np.argsort(codes, kind="stable")
        text, number = _which(table, name)
        scores = ChoiceScores(
            start=np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(found)))]),
            text=text[order],
            number=number[order],
            logprob=_logprobs(table, name)[order],
            tokens=_tokens(table, name)[order],
            greedy=_greedy(table)[order],
            each=None if "token_logprob" not in table.columns else _each(table.iloc[order], name),
        )
        return Answers(
            ids=np.asarray(found, dtype=object),
            classes=(),
            probabilities=None,
            labels=None,
            likelihoods=scores,
        )


def _which(table: pd.DataFrame, name: str) -> tuple[Strings, Ints]:
    """Each row's choice, by its text or by its number."""
    if "number" not in table.columns:
        text = as_text(pick(table, "choice", "choice", name))
        if pd.isna(text).any():
            row = int(np.flatnonzero(pd.isna(text))[0]) + 1
            raise DataError(f"{name}: column 'choice' is empty in data row {row}")
        return text, np.full(len(table), -1, dtype=np.int64)
    number = as_numbers(table["number"], name)
    wrong = np.flatnonzero(~((number >= 0) & (number < MOST)) | (number % 1 != 0))
    if len(wrong):
        raise DataError(
            f"{name}: column 'number' numbers the choices of a row from 0; data row {wrong[0] + 1} "
            f"holds {number[wrong[0]]:g}"
        )
    text = (
        as_text(table["choice"])
        if "choice" in table.columns
        else np.full(len(table), None, dtype=object)
    )
    return text, number.astype(np.int64)


def _tokens(table: pd.DataFrame, name: str) -> Floats:
    if "tokens" not in table.columns:
        return np.full(len(table), np.nan)
    tokens = as_numbers(table["tokens"], name)
    wrong = np.flatnonzero(~np.isnan(tokens) & ~((tokens >= 1) & (tokens % 1 == 0)))
    if len(wrong):
        raise DataError(
            f"{name}: column 'tokens' counts the tokens of a choice, 1 or more; data row "
            f"{wrong[0] + 1} holds {tokens[wrong[0]]:g}"
        )
    return tokens


def _each(table: pd.DataFrame, name: str) -> TokenScores:
    """The lists of every row, laid end to end; of what is not told by token there is NaN."""
    lists = {
        column: [_numbers(cell, column, name) for cell in table[column]]
        for column in ("token_logprob", "token_mean", "token_deviation")
        if column in table.columns
    }
    size = np.array([len(cell) for cell in lists["token_logprob"]], dtype=np.int64)
    made = {}
    for column in ("token_logprob", "token_mean", "token_deviation"):
        cells = lists.get(column, [np.full(n, np.nan) for n in size])
        if [len(cell) for cell in cells] != size.tolist():
            raise DataError(f"{name}: {column} has not as many numbers as token_logprob in a row")
        made[column] = np.concatenate([np.empty(0), *cells])
    wrong = made["token_logprob"][~(made["token_logprob"] <= ROUNDED)]
    if len(wrong):
        raise DataError(
            f"{name}: column 'token_logprob' holds log-probabilities, at most 0, and {wrong[0]:g}"
        )
    return TokenScores(
        start=np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
        logprob=made["token_logprob"],
        mean=made["token_mean"],
        deviation=made["token_deviation"],
    )


def _numbers(cell: object, column: str, name: str) -> Floats:
    """The numbers of one cell; none where it is empty."""
    if cell is None or isinstance(cell, float):  # an empty cell among lists
        return np.empty(0)
    try:
        return np.asarray(cell, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: column {column!r} holds lists of numbers, and {cell!r}"
        ) from error


def _logprobs(table: pd.DataFrame, name: str) -> Floats:
    logprob = as_numbers(pick(table, "logprob", "logprob", name), name)
    wrong = np.flatnonzero(logprob > ROUNDED)
    if len(wrong):
        raise DataError(
            f"{name}: a log-probability is at most 0; data row {wrong[0] + 1} holds "
            f"{logprob[wrong[0]]:g}. Is it a probability, or a loss? Save its logarithm, or change "
            "its sign"
        )
    return np.where(np.isfinite(logprob), np.minimum(logprob, 0.0), np.nan)


def _greedy(table: pd.DataFrame) -> Bools:
    if "greedy" not in table.columns:
        return np.zeros(len(table), dtype=np.bool_)
    return np.array(
        [cell is not None and cell.lower() in ("true", "1") for cell in as_text(table["greedy"])],
        dtype=np.bool_,
    )
