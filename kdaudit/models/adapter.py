"""What an adapter is: one model, of whatever kind, that can be asked. It knows no teacher.

An adapter's class is named by an entry point in ``kdaudit.models`` and has a class method
``open(source, *, base, ...)``: ``source`` is relative to the folder ``base``, its other keywords
are the options of the subject's table in the audit file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from kdaudit.errors import ModelError
from kdaudit.evidence.kinds import ChoiceScores, Generations

Columns = Mapping[str, npt.NDArray[np.generic]]
Space = Literal["logits", "probabilities"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outputs:
    """What a classifier answered to one batch.

    Attributes:
        values: (N, C) float array in the order of the model's classes.
        space: ``logits`` (unnormalised) or ``probabilities`` (rows sum to one).
    """

    values: npt.NDArray[np.floating]
    space: Space


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Answers that were recorded elsewhere, one per id, as found in a file.

    Attributes:
        ids: (M,) strings, in file order, unchecked.
        classes: what the columns of ``probabilities`` mean; for label-only files the labels seen.
        probabilities: (M, C) as in the file, unchecked, or None for a label-only file.
        labels: (M,) strings or None, for a label-only file.
        scores: by name, (M,) numbers that someone computed per row; NaN where there is none.
        listed: (M, C) probabilities of the likeliest classes, 0 where a class is not listed, for a
            file of top-k log-probabilities, whose ``labels`` are the likeliest; else None.
        draws: (M,) samples per row that ``probabilities`` are shares of, or None.
        written: what a language model wrote, or None.
        likelihoods: how likely it held declared choices, or None.
    """

    ids: npt.NDArray[np.object_]
    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float64] | None
    labels: npt.NDArray[np.object_] | None
    scores: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    listed: npt.NDArray[np.float64] | None = None
    draws: npt.NDArray[np.float64] | None = None
    written: Generations | None = None
    likelihoods: ChoiceScores | None = None


@runtime_checkable
class Runnable(Protocol):
    """A model on this machine."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the outputs."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The input columns it reads; empty when it takes those that the audit file declares."""
        ...

    def identity(self) -> Mapping[str, str]:
        """Everything its answers depend on: file digests, code digests, library versions."""
        ...

    def predict(self, columns: Columns) -> Outputs:
        """Answer N rows; a dict of (N,) arrays in, (N, C) out. Deterministic, in eval mode."""
        ...

    def parameters(self) -> int | None:
        """Number of weights, or None where the kind has no such count."""
        ...

    def size(self) -> int:
        """Bytes on disk of everything needed to load it."""
        ...


@runtime_checkable
class Weighable(Protocol):
    """A model whose weights are on this machine."""

    def parameters(self) -> int | None:
        """Number of weights, or None where the kind has no such count."""
        ...

    def size(self) -> int:
        """Bytes on disk of everything needed to load it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How text is written.

    Attributes:
        max_tokens: most tokens of an answer; one that reaches it is truncated.
        stop: an answer ends before the first of these.
        temperature: 0 takes the likeliest token each time.
        seed: of draws at a temperature above 0.
    """

    max_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a language model is shown: an instruction for all rows, and one row's text."""

    text: str
    system: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One answer of a language model.

    Attributes:
        text: the answer; None where the model gave none.
        truncated: whether it ended at the limit of tokens.
        tokens: how many were generated, or None where that is not told.
        prompt_tokens: how many the prompt had, likewise.
        why: why there is no text, or None.
        model: what the answerer calls itself, where it says so.
    """

    text: str | None
    truncated: bool
    tokens: int | None
    prompt_tokens: int | None = None
    why: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of an answer, handed over as soon as it is there.

    Attributes:
        text: what is added; may be empty, where a token is no whole character yet.
        tokens: how many were generated for it, or None where that is not told.
        prompt_tokens: how many the prompt had, in any one of the pieces.
    """

    text: str
    tokens: int | None = 1
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredText:
    """How likely a model holds one continuation; every array has one entry per token of it.

    Attributes:
        logprob: natural log-probability of the token after all before it.
        mean: expectation of that under the model's distribution there, or None where the model
            tells only of the token itself.
        deviation: its standard deviation, likewise.
        greedy: whether every token was the likeliest.
    """

    logprob: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64] | None
    deviation: npt.NDArray[np.float64] | None
    greedy: bool


class UnfitPromptError(ModelError):
    """A prompt that a model cannot be shown.

    Attributes:
        prompt: which; who knows the rows says whose it is.
    """

    def __init__(self, said: str, prompt: Prompt) -> None:
        super().__init__(said)
        self.prompt = prompt


class UnfitRowError(ModelError):
    """A row that a model cannot be shown as it is.

    Attributes:
        row: its position among those that were to be shown; who knows the rows says which it is.
    """

    def __init__(self, said: str, row: int) -> None:
        super().__init__(said)
        self.said = said
        self.row = row


@runtime_checkable
class Writer(Protocol):
    """A language model that can be asked here: on this machine, or over the network."""

    def identity(self) -> Mapping[str, str]:
        """Everything its answers depend on; for an endpoint what is declared of it."""
        ...

    def write(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Written]]:
        """Answer prompts; each as soon as it is there, with its position, in any order.

        An answer depends on its prompt and ``decoding``, never on the position or on the other
        prompts, so that who asks again for what is missing gets the same. Who listens may stop at
        any time.
        """
        ...


@runtime_checkable
class Streaming(Writer, Protocol):
    """A writer that can be timed as it writes."""

    @property
    def at_once(self) -> int:
        """Requests that it serves at a time; 1 for a model in this process."""
        ...

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Piece]:
        """Answer one prompt piece by piece; the text is that of ``write``."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """A language model that tells how likely a given text is."""

    def identity(self) -> Mapping[str, str]:
        """Everything its answers depend on."""
        ...

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[str]
    ) -> Iterator[tuple[int, ScoredText]]:
        """Log-probabilities of each continuation after its prompt, in any order.

        Where neither the end of the prompt nor the beginning of the continuation is white space,
        a blank stands between them; an empty prompt has none.
        """
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A language model whose tokenizer is at hand."""

    def prompt_tokens(self, prompts: Sequence[Prompt], continuations: Sequence[str]) -> int | None:
        """Tokens of all prompts, each with its continuation, empty where none is scored.

        Nothing is asked or written; None where the tokens cannot be counted so.
        """
        ...


class Price(Protocol):
    """What tokens cost."""

    @property
    def currency(self) -> str:
        """Of the price."""
        ...

    def of(self, prompt_tokens: float, tokens: float) -> float:
        """What so many tokens cost, read and written."""
        ...


@runtime_checkable
class Priced(Protocol):
    """A language model that costs money."""

    @property
    def price(self) -> Price | None:
        """What its tokens cost, where the owner says."""
        ...


@runtime_checkable
class Recorded(Protocol):
    """Answers of a model that ran elsewhere."""

    def identity(self) -> Mapping[str, str]:
        """The file's digest."""
        ...

    def answers(self, id_column: str, classes: Sequence[str]) -> Answers:
        """Read the file; ``classes`` names the two classes where it holds one ``score``."""
        ...


Adapter = Runnable | Recorded | Writer
