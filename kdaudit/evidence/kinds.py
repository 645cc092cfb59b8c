"""The kinds of evidence: small frozen types, one per thing that can be recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """One classifier's answers on N aligned rows.

    Attributes:
        classes: (C,) names, the same order for every subject of an audit.
        answer: (N,) class index, or -1 where the answer is missing or invalid.
        probabilities: (N, C) rows that sum to one, NaN where the answer is missing or invalid;
            None for a subject that gave labels only.
    """

    classes: tuple[str, ...]
    answer: Ints
    probabilities: Floats | None

    def __post_init__(self) -> None:
        self.answer.flags.writeable = False
        if self.probabilities is not None:
            self.probabilities.flags.writeable = False

    def __len__(self) -> int:
        return len(self.answer)

    @property
    def valid(self) -> Bools:
        """(N,) whether the row has an answer at all."""
        return self.answer >= 0

    @property
    def confidence(self) -> Floats:
        """(N,) probability of the answer that was given; NaN where there is none.

        Raises:
            ValueError: for a label-only subject; ask ``probabilities is None`` first.
        """
        if self.probabilities is None:
            raise ValueError("a label-only subject has no confidence")
        picked = self.probabilities[np.arange(len(self)), np.maximum(self.answer, 0)]
        return np.where(self.valid, picked, np.nan)

    def take(self, rows: Bools | Ints) -> "Predictions":
        """The same answers on some of the rows."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return Predictions(
            classes=self.classes, answer=self.answer[rows], probabilities=probabilities
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowScores:
    """What someone computed per row for one subject, on N aligned rows.

    Attributes:
        values: by name, (N,) scores; NaN where there is none, or none on its declared scale.
    """

    values: Mapping[str, Floats]

    def valid(self, name: str) -> Bools:
        """(N,) whether the row has this score."""
        return ~np.isnan(self.values[name])

    def take(self, rows: Bools | Ints) -> "RowScores":
        """The same scores on some of the rows."""
        return RowScores(values={name: values[rows] for name, values in self.values.items()})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generations:
    """What one language model wrote, on N aligned rows.

    Attributes:
        text: (N,) strings, None where there is no answer; an empty one is an answer.
        truncated: (N,) whether the text ended at the limit of tokens.
        tokens: (N,) how many were generated; NaN where that is not known.
        samples: (N,) tuples of further answers to the same prompt; empty where there are none.
        judge: (N,) a judge's reply as it came, or None.
        human: (N,) a person's grade as a letter, or None.
        models: what the answers say they were written by.
    """

    text: Strings
    truncated: Bools
    tokens: Floats
    samples: Strings
    judge: Strings
    human: Strings
    models: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.text)

    @property
    def valid(self) -> Bools:
        """(N,) whether there is an answer."""
        return np.array([text is not None for text in self.text], dtype=np.bool_)

    def take(self, rows: Bools | Ints) -> "Generations":
        """The same answers on some of the rows."""
        return replace(
            self,
            text=self.text[rows],
            truncated=self.truncated[rows],
            tokens=self.tokens[rows],
            samples=self.samples[rows],
            judge=self.judge[rows],
            human=self.human[rows],
        )

    def without(self, missing: Bools) -> "Generations":
        """The same, with no answer in some of the rows."""
        return replace(
            self,
            text=_blanked(self.text, missing, None),
            truncated=self.truncated & ~missing,
            tokens=np.where(missing, np.nan, self.tokens),
            samples=_blanked(self.samples, missing, ()),
            judge=_blanked(self.judge, missing, None),
            human=_blanked(self.human, missing, None),
        )


def _blanked(column: Strings, missing: Bools, nothing: tuple[()] | None) -> Strings:
    made = column.copy()
    for row in np.flatnonzero(missing):
        made[row] = nothing
    return made


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grades:
    """How one subject's written answers were graded, on N aligned rows.

    Attributes:
        grade: (N,) a `kdaudit.grading.grade.Grade`, or -1 where there is no answer or no readable
            grade.
        human: (N,) the same by a person; -1 where none looked.
        unread: rows whose judge's reply was no grade.
        by: who graded, in words.
    """

    grade: Ints
    human: Ints
    unread: int
    by: str

    @property
    def valid(self) -> Bools:
        """(N,) whether there is a grade."""
        return self.grade >= 0

    def take(self, rows: Bools | Ints) -> "Grades":
        """The same grades on some of the rows; what could not be read stays counted over all."""
        return replace(self, grade=self.grade[rows], human=self.human[rows])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenScores:
    """What one language model says of every token of K continuations, laid end to end.

    Attributes:
        start: (K + 1,) where each continuation begins; the last is the number M of all tokens.
        logprob: (M,) natural log-probability of the token after all before it.
        mean: (M,) expectation of that log-probability under the model's own distribution there;
            NaN where the model tells only of the token itself.
        deviation: (M,) its standard deviation, likewise.
    """

    start: Ints
    logprob: Floats
    mean: Floats
    deviation: Floats

    def take(self, picked: Ints) -> "TokenScores":
        """The same of some continuations, in that order."""
        size = np.diff(self.start)[picked]
        start = np.concatenate([[0], np.cumsum(size)])
        token = np.arange(start[-1]) + np.repeat(self.start[picked] - start[:-1], size)
        return TokenScores(
            start=start,
            logprob=self.logprob[token],
            mean=self.mean[token],
            deviation=self.deviation[token],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Likelihoods:
    """How likely one language model holds the declared choices of N aligned rows.

    The choices of all rows are laid end to end, in the order of the data.

    Attributes:
        start: (N + 1,) where the choices of each row begin; the last is their number K.
        logprob: (K,) natural log-probability of the choice after the prompt, summed over its
            tokens; NaN where there is none.
        tokens: (K,) how many tokens the choice has; NaN where that is not known.
        greedy: (K,) whether every token of it was the likeliest there.
        each: the same token by token, or None where only sums were recorded.
    """

    start: Ints
    logprob: Floats
    tokens: Floats
    greedy: Bools
    each: TokenScores | None = None

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def valid(self) -> Bools:
        """(N,) whether every choice of the row has a log-probability, and there is one."""
        size = np.diff(self.start)
        known = np.concatenate([[0], np.cumsum(~np.isnan(self.logprob))])
        full = known[self.start[1:]] - known[self.start[:-1]] == size
        return np.asarray((size > 0) & full, dtype=np.bool_)

    def take(self, rows: Bools | Ints) -> "Likelihoods":
        """The same on some of the rows."""
        chosen = np.arange(len(self))[rows]
        size = np.diff(self.start)[chosen]
        start = np.concatenate([[0], np.cumsum(size)])
        picked = np.arange(start[-1]) + np.repeat(self.start[chosen] - start[:-1], size)
        return Likelihoods(
            start=start,
            logprob=self.logprob[picked],
            tokens=self.tokens[picked],
            greedy=self.greedy[picked],
            each=None if self.each is None else self.each.take(picked),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChoiceScores:
    """Likelihoods as a file tells them: K scored choices of M ids, laid end to end.

    Attributes:
        start: (M + 1,) where the choices of each id begin; the last is K.
        text: (K,) the choice, or None where it is told by its number.
        number: (K,) its place among the row's choices, from 0; -1 where it is told by its text.
        logprob: (K,) as in `Likelihoods`.
        tokens: (K,) as in `Likelihoods`.
        greedy: (K,) as in `Likelihoods`.
        each: the same token by token, or None.
    """

    start: Ints
    text: Strings
    number: Ints
    logprob: Floats
    tokens: Floats
    greedy: Bools
    each: TokenScores | None = None

    def take(self, rows: Ints, present: Bools) -> "ChoiceScores":
        """The same of some ids, in that order; of one that is not present there are none."""
        size = np.where(present, np.diff(self.start)[rows], 0)
        start = np.concatenate([[0], np.cumsum(size)])
        picked = np.arange(start[-1]) + np.repeat(self.start[rows] - start[:-1], size)
        return ChoiceScores(
            start=start,
            text=self.text[picked],
            number=self.number[picked],
            logprob=self.logprob[picked],
            tokens=self.tokens[picked],
            greedy=self.greedy[picked],
            each=None if self.each is None else self.each.take(picked),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What one model weighs.

    Attributes:
        parameters: number of weights, or None where the kind has no such count.
        bytes: on disk, everything needed to load it.
        peak_memory: bytes resident at the highest, of a fresh process that loads the model and
            answers a few rows, or None where it could not be read.
        base_memory: the same process before it loads the model.
    """

    parameters: int | None
    bytes: int
    peak_memory: int | None
    base_memory: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timings:
    """Interleaved timings of a pair: each request is sent to both, in randomised order.

    Attributes:
        teacher: (R,) seconds per request, batch of one.
        student: (R,) seconds for the same requests.
        block: (R,) index of the block of requests that ran together, the unit of resampling.
        noisy: sentences that say why the run should not be trusted; empty for a quiet one.
        machine: processor, thread count and load, as recorded.
        footprints: by role.
    """

    teacher: Floats
    student: Floats
    block: Ints
    noisy: tuple[str, ...]
    machine: tuple[tuple[str, str], ...]
    footprints: dict[str, Footprint]
