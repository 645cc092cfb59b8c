"""Language models that are asked here: what is asked of them, and their answers as evidence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from kdaudit.data.audit_file import AuditFile
from kdaudit.data.frame import Frame
from kdaudit.data.prompt_table import PromptTable, prompts
from kdaudit.data.variants import changed
from kdaudit.errors import DataError
from kdaudit.evidence.kinds import Floats, Generations, Likelihoods, Strings, TokenScores
from kdaudit.evidence.parsed_classes import parsed
from kdaudit.evidence.record_texts import Scores, Texts, record_scores, record_texts
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import PREDICTIONS
from kdaudit.governance.digest import json_digest
from kdaudit.models.adapter import (
    Decoding,
    Prompt,
    ScoredText,
    Scorer,
    UnfitPromptError,
    Writer,
)
from kdaudit.results import Need


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asking:
    """What a need asks of a language model.

    Attributes:
        prompts: (N,) by row.
        decodings: of the answer, then one per further sample; empty where no text is written.
        choices: (N,) tuples of continuations, or None where none is scored.
        classes: what an answer is parsed to; empty for free text.
        ids: (N,) of the rows, for messages.
    """

    prompts: tuple[Prompt, ...]
    decodings: tuple[Decoding, ...]
    choices: Strings | None
    classes: tuple[str, ...]
    ids: Strings | None = None

    @property
    def distinct(self) -> tuple[Prompt, ...]:
        """The different prompts."""
        return tuple(dict.fromkeys(self.prompts))

    @property
    def pairs(self) -> list[tuple[Prompt, str]]:
        """(prompt, continuation) of all rows, laid end to end."""
        if self.choices is None:
            return []
        rows = zip(self.prompts, self.choices, strict=True)
        return [(prompt, choice) for prompt, some in rows for choice in some]

    def requests(self, model: Writer) -> int:
        """How many different questions that are."""
        scored = len(set(self.pairs)) if isinstance(model, Scorer) else 0
        return len(self.distinct) * len(self.decodings) + scored


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What a language model answered.

    Attributes:
        written: texts by row, or None.
        likelihoods: of the declared choices, or None.
        labels: (N,) the class that each answer names, None where it names none; or None.
        digest: of everything asked and answered.
        requests: different questions.
        asked: of these, how many just now.
    """

    written: Generations | None
    likelihoods: Likelihoods | None
    labels: Strings | None
    digest: str
    requests: int
    asked: int


def asking(file: AuditFile, frame: Frame, need: Need, who: str) -> Asking:
    """What a need asks of a language model.

    On the audited rows an answer is written, unless there are only choices to be scored; elsewhere
    only a class can be asked for.

    Raises:
        DataError: if there is nothing to show or to ask.
    """
    data, table = file.data, file.prompt or PromptTable()
    if table.template is None and not frame.inputs:
        raise DataError(f"{who}: name the columns the model is shown as `inputs` under [data]")
    audited = need == PREDICTIONS
    if not audited and not table.classes:
        raise DataError(f"{who} writes text, not classes; [prompt] classes makes it a classifier")
    choices = frame.choices if audited else None
    writes = table.max_tokens > 0 and bool(table.classes or data.answers or choices is None)
    if not writes and choices is None:
        raise DataError(f"{who}: [prompt] max_tokens = 0 lets nothing be written, and [data] names "
                        "no choices to be scored")  # fmt: skip
    samples = table.samples if audited else 0
    return Asking(
        prompts=tuple(prompts(table, changed(frame.inputs, need.variant, data), len(frame))),
        decodings=_decodings(table, samples, file.audit.seed) if writes else (),
        choices=choices,
        classes=table.classes,
        ids=frame.ids,
    )


def tell(model: Writer, asked: Asking, *, store: Store, progress: Callable[[int], None]) -> Told:
    """Ask a language model, or read from the store what it answered.

    Args:
        model: whom.
        asked: what.
        store: where answers are kept, one by one.
        progress: called with the number of requests done since the last call.

    Raises:
        KdauditError: whatever the model raises; answers that came until then are kept.
    """
    scores: list[Scores] = []
    try:
        texts = [
            record_texts(model, asked.prompts, decoding, store=store, progress=progress)
            for decoding in asked.decodings
        ]
        if asked.choices is not None and isinstance(model, Scorer):
            scores.append(record_scores(model, asked.pairs, store=store, progress=progress))
    except UnfitPromptError as error:
        row = asked.prompts.index(error.prompt)
        who = f"row {row + 1}" if asked.ids is None else f"id {asked.ids[row]!r}"
        raise DataError(f"{who}: {error}") from error
    written = generations(texts) if texts else None
    sets: list[Texts | Scores] = [*texts, *scores]
    return Told(
        written=written,
        likelihoods=likelihoods(scores[0].scored, asked.choices) if scores else None,
        labels=None
        if written is None or not asked.classes
        else parsed(written.text, asked.classes),
        digest=json_digest([one.digest for one in sets]),
        requests=sum(one.requests for one in sets),
        asked=sum(one.asked for one in sets),
    )


def generations(texts: Sequence[Texts]) -> Generations:
    """The answers to N prompts, and those to the same prompts again, as one kind of evidence."""
    first, *others = (one.written for one in texts)
    samples = np.empty(len(first), dtype=object)
    samples[:] = [
        tuple(some[row].text for some in others if some[row].text is not None)
        for row in range(len(first))
    ]
    nothing = np.full(len(first), None, dtype=object)
    return Generations(
        text=_objects([one.text for one in first]),
        truncated=np.array([one.truncated for one in first], dtype=np.bool_),
        tokens=np.array([np.nan if one.tokens is None else one.tokens for one in first], float),
        samples=samples,
        judge=nothing,
        human=nothing.copy(),
        models=tuple(sorted({one.model for some in texts for one in some.written if one.model})),
    )


def likelihoods(scored: Sequence[ScoredText], choices: Strings | None) -> Likelihoods:
    """Scores of the choices of N rows, laid end to end, as one kind of evidence."""
    assert choices is not None
    tokens = np.array([len(one.logprob) for one in scored], dtype=np.int64)
    return Likelihoods(
        start=np.concatenate([[0], np.cumsum([len(some) for some in choices])]).astype(np.int64),
        logprob=np.array([one.logprob.sum() for one in scored], dtype=np.float64),
        tokens=tokens.astype(np.float64),
        greedy=np.array([one.greedy for one in scored], dtype=np.bool_),
        each=TokenScores(
            start=np.concatenate([[0], np.cumsum(tokens)]).astype(np.int64),
            logprob=_end_to_end([one.logprob for one in scored]),
            mean=_end_to_end([_or_nan(one.mean, one) for one in scored]),
            deviation=_end_to_end([_or_nan(one.deviation, one) for one in scored]),
        ),
    )


def _decodings(table: PromptTable, samples: int, seed: int) -> tuple[Decoding, ...]:
    """The likeliest answer, then samples; each has a seed of its own, whatever their number."""
    return (
        Decoding(max_tokens=table.max_tokens, stop=table.stop),
        *(
            Decoding(
                max_tokens=table.max_tokens,
                stop=table.stop,
                temperature=table.temperature,
                seed=_seed(seed, number),
            )
            for number in range(1, samples + 1)
        ),
    )


def _seed(seed: int, number: int) -> int:
    """31 bits, which every server takes."""
    drawn = blake2b(f"sample {seed} {number}".encode(), digest_size=4).digest()
    return int.from_bytes(drawn, "big") >> 1


def _objects(texts: Sequence[str | None]) -> Strings:
    made = np.empty(len(texts), dtype=object)
    made[:] = texts
    return made


def _or_nan(values: Floats | None, one: ScoredText) -> Floats:
    return np.full(len(one.logprob), np.nan) if values is None else values


def _end_to_end(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.empty(0)
