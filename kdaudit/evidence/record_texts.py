"""Ask one language model every question once, keep each answer as it comes, and read them back.

A set is all that is asked of one model in one way: texts under one way of decoding, or
likelihoods. While it is recorded, a journal holds what has come; a run that is killed resumes at
what is missing. When all is there the set is sealed in the order of the questions, whatever the
order of the answers. Equal questions are asked once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from kdaudit.errors import DamagedError, ModelError
from kdaudit.evidence.journal import Journal
from kdaudit.evidence.store import Entry, Store
from kdaudit.governance.digest import json_digest
from kdaudit.models.adapter import Decoding, Prompt, ScoredText, Scorer, Writer, Written

KIND = "texts"
ANSWER = pa.schema(
    [
        ("text", pa.large_string()),
        ("truncated", pa.bool_()),
        ("tokens", pa.int64()),
        ("prompt_tokens", pa.int64()),
        ("why", pa.string()),
        ("model", pa.string()),
    ]
)
NUMBERS = pa.large_list(pa.float64())
SCORE = pa.schema(
    [("logprob", NUMBERS), ("mean", NUMBERS), ("deviation", NUMBERS), ("greedy", pa.bool_())]
)
Progress = Callable[[int], None]
Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Texts:
    """What a model wrote.

    Attributes:
        written: (N,) in the order of the prompts.
        digest: of what was asked and answered.
        requests: different prompts.
        asked: of these, how many just now; 0 where everything was in the store.
    """

    written: tuple[Written, ...]
    digest: str
    requests: int
    asked: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """How likely a model holds continuations.

    Attributes:
        scored: (K,) in the order of the pairs.
        digest: of what was asked and answered.
        requests: different pairs.
        asked: of these, how many just now.
    """

    scored: tuple[ScoredText, ...]
    digest: str
    requests: int
    asked: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pending:
    """What is still to be asked of a set.

    Attributes:
        requests: different questions.
        left: positions, among these, of the ones without an answer.
    """

    requests: int
    left: tuple[int, ...]


def record_texts(
    model: Writer,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    *,
    store: Store,
    progress: Progress = lambda _: None,
) -> Texts:
    """Ask a model each prompt once, unless the store already holds the answer.

    Args:
        model: whom.
        prompts: (N,); equal ones are one request.
        decoding: how it writes.
        store: where answers are kept, one by one.
        progress: called with the number of requests done since the last call.

    Raises:
        KdauditError: whatever the model raises; what came until then is kept.
        ModelError: if it leaves out a prompt, or answers one twice.
        DamagedError: if what is stored is not what was written.
    """
    distinct = list(dict.fromkeys(prompts))

    def ask(left: list[int]) -> Iterator[tuple[int, Said]]:
        for position, written in model.write([distinct[i] for i in left], decoding):
            yield position, asdict(written)

    set_ = _Set(key=texts_key(model, distinct, decoding), size=len(distinct), schema=ANSWER)
    answers, digest, asked = set_.recorded(ask, store, progress)
    made = dict(zip(distinct, (Written(**one) for one in answers), strict=True))
    return Texts(
        written=tuple(made[prompt] for prompt in prompts),
        digest=digest,
        requests=len(distinct),
        asked=asked,
    )


def record_scores(
    model: Scorer,
    pairs: Sequence[tuple[Prompt, str]],
    *,
    store: Store,
    progress: Progress = lambda _: None,
) -> Scores:
    """Ask a model how likely each continuation is after its prompt; like `record_texts`."""
    distinct = list(dict.fromkeys(pairs))

    def ask(left: list[int]) -> Iterator[tuple[int, Said]]:
        asked = [distinct[i] for i in left]
        for position, one in model.score([p for p, _ in asked], [text for _, text in asked]):
            yield position, _said(one)

    set_ = _Set(key=scores_key(model, distinct), size=len(distinct), schema=SCORE)
    answers, digest, asked = set_.recorded(ask, store, progress)
    made = dict(zip(distinct, map(_scored, answers), strict=True))
    return Scores(
        scored=tuple(made[pair] for pair in pairs),
        digest=digest,
        requests=len(distinct),
        asked=asked,
    )


def texts_key(model: Writer, distinct: Iterable[Prompt], decoding: Decoding) -> dict[str, object]:
    """Everything the texts depend on."""
    return {
        "model": dict(model.identity()),
        "prompts": json_digest([[one.system, one.text] for one in distinct]),
        "decoding": asdict(decoding),
    }


def scores_key(model: Scorer, distinct: Iterable[tuple[Prompt, str]]) -> dict[str, object]:
    """Everything the likelihoods depend on."""
    asked = [[prompt.system, prompt.text, text] for prompt, text in distinct]
    return {
        "model": dict(model.identity()),
        "continuations": json_digest(asked),
    }


def pending(key: Mapping[str, object], size: int, *, store: Store) -> Pending:
    """Which of ``size`` different questions are without an answer; nothing is asked or written."""
    entry = store.look(KIND, key)
    there = range(size) if entry.sealed else _journal(entry).read()
    return Pending(requests=size, left=tuple(i for i in range(size) if i not in there))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Set:
    """One set: what it is of, how many questions, and what an answer to one holds."""

    key: Mapping[str, object]
    size: int
    schema: pa.Schema

    def recorded(
        self,
        ask: Callable[[list[int]], Iterator[tuple[int, Said]]],
        store: Store,
        progress: Progress,
    ) -> tuple[list[Said], str, int]:
        """The answers in order, the digest of all, and how many were asked for just now."""
        entry = store.entry(KIND, self.key)
        asked = 0
        if entry.sealed:
            progress(self.size)
        else:
            asked = self._ask(ask, entry, progress)
        answers = entry.read().to_pylist()
        if len(answers) != self.size:
            raise DamagedError(f"stored evidence {entry.digest} holds other rows than its key says")
        return answers, json_digest({"key": entry.digest, "answers": answers}), asked

    def _ask(
        self,
        ask: Callable[[list[int]], Iterator[tuple[int, Said]]],
        entry: Entry,
        progress: Progress,
    ) -> int:
        journal = _journal(entry)
        there = {n: said for n, said in journal.read().items() if n < self.size}
        left = [i for i in range(self.size) if i not in there]
        progress(len(there))
        for position, said in ask(left) if left else ():
            number = left[position]
            if number in there:
                raise ModelError(f"the model answered request {number + 1} twice")
            journal.append(number, said)
            there[number] = said
            progress(1)
        if len(there) < self.size:
            raise ModelError(
                f"the model left out {self.size - len(there)} of {self.size} requests; run again "
                "to ask for these"
            )
        rows = [{name: there[i].get(name) for name in self.schema.names} for i in range(self.size)]
        entry.write(0, pa.Table.from_pylist(rows, schema=self.schema))
        entry.seal(1)
        journal.forget()
        return len(left)


def _journal(entry: Entry) -> Journal:
    return Journal(entry.folder / "journal.jsonl")


def _said(one: ScoredText) -> Said:
    if not np.isfinite(one.logprob).all():
        raise ModelError("the model gives a log-probability that is no finite number")
    return {
        "logprob": one.logprob.tolist(),
        "mean": None if one.mean is None else one.mean.tolist(),
        "deviation": None if one.deviation is None else one.deviation.tolist(),
        "greedy": bool(one.greedy),
    }


def _scored(said: Said) -> ScoredText:
    mean, deviation = said["mean"], said["deviation"]
    return ScoredText(
        logprob=np.array(said["logprob"], dtype=np.float64),
        mean=None if mean is None else np.array(mean, dtype=np.float64),
        deviation=None if deviation is None else np.array(deviation, dtype=np.float64),
        greedy=said["greedy"],
    )
