"""What an audit would still ask of a language model: requests, tokens and, where known, cost."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kdaudit.evidence.record_texts import pending, scores_key, texts_key
from kdaudit.evidence.store import Store
from kdaudit.language.asking import Asking
from kdaudit.models.adapter import CountsTokens, Priced, Prompt, Scorer, Writer

LETTERS = 4  # of an English text, to a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """One language model on one split.

    Attributes:
        subject: role, with the student's name where there are several.
        model: as the audit file names it.
        split: which, and how its rows are changed.
        requests: different questions.
        to_ask: of these, how many are not in the store.
        prompt_tokens: of these, what the model would read.
        counted: by its tokenizer; else a token is taken to be four letters.
        generated_tokens: the most that it would write.
        cost: the most that it would cost, where prices are declared.
        currency: of the cost.
    """

    subject: str
    model: str
    split: str
    requests: int
    to_ask: int
    prompt_tokens: int
    counted: bool
    generated_tokens: int
    cost: float | None = None
    currency: str | None = None


@dataclass(slots=True, kw_only=True)
class _Left:
    """Questions without an answer."""

    prompts: list[Prompt] = field(default_factory=list)
    continuations: list[str] = field(default_factory=list)
    tokens: int = 0

    def read(self, model: object) -> tuple[int, bool]:
        """Tokens to be read, and whether they were counted."""
        if isinstance(model, CountsTokens):
            counted = model.prompt_tokens(self.prompts, self.continuations)
            if counted is not None:
                return counted, True
        letters = sum(len(one.text) + len(one.system or "") for one in self.prompts)
        return -(-(letters + sum(map(len, self.continuations))) // LETTERS), False


def requests(
    model: Writer | None, asked: Asking, store: Store, *, subject: str, name: str, split: str
) -> Requests:
    """What is left to ask; nothing is asked, loaded or written.

    Args:
        model: whom; None for one that is yet to be trained, and has answered nothing.
        asked: what.
        store: of answers.
        subject: role, for the table.
        name: of the model, likewise.
        split: likewise.
    """
    left, total = _Left(), 0
    distinct, pairs = asked.distinct, tuple(dict.fromkeys(asked.pairs))
    for decoding in asked.decodings:
        key = None if model is None else texts_key(model, distinct, decoding)
        some = _missing(key, len(distinct), store)
        left.prompts += [distinct[i] for i in some]
        left.continuations += [""] * len(some)
        left.tokens += decoding.max_tokens * len(some)
        total += len(distinct)
    if pairs and (model is None or isinstance(model, Scorer)):
        key = None if model is None else scores_key(model, pairs)
        some = _missing(key, len(pairs), store)
        left.prompts += [pairs[i][0] for i in some]
        left.continuations += [pairs[i][1] for i in some]
        total += len(pairs)
    read, counted = left.read(model)
    price = model.price if isinstance(model, Priced) else None
    return Requests(
        subject=subject,
        model=name,
        split=split,
        requests=total,
        to_ask=len(left.prompts),
        prompt_tokens=read,
        counted=counted,
        generated_tokens=left.tokens,
        cost=None if price is None else price.of(read, left.tokens),
        currency=None if price is None else price.currency,
    )


def as_line(one: Requests) -> str:
    """For a terminal."""
    head = f"{one.subject} ({one.model}): {one.requests:,} requests on the {one.split} rows"
    if not one.to_ask:
        return f"{head}, all in the store"
    how = "" if one.counted else " (about: four letters each)"
    cost = "" if one.cost is None else f", at most {one.cost:,.2f} {one.currency}"
    return (
        f"{head}, {one.requests - one.to_ask:,} in the store, {one.to_ask:,} to ask: "
        f"{one.prompt_tokens:,} tokens to read{how}, "
        f"at most {one.generated_tokens:,} to write{cost}"
    )


def _missing(key: dict[str, object] | None, size: int, store: Store) -> Sequence[int]:
    return range(size) if key is None else pending(key, size, store=store).left
