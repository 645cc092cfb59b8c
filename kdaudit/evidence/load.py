"""Send requests to a model that streams, and write down when everything happened.

The open loop is the one of wrk2 (Tene): requests are due at times drawn beforehand, a model that
stalls does not put off the next one, and latency counts from when a request was due.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from kdaudit.energy import reading
from kdaudit.errors import ModelError
from kdaudit.evidence.kinds import Floats
from kdaudit.models.adapter import Decoding, Prompt, Streaming

NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request: seconds of `time.perf_counter`, and what came back; NaN where not known."""

    scheduled: float
    sent: float
    first: float = NAN
    last: float = NAN
    tokens_in: float = NAN
    tokens_out: float = NAN
    bytes_out: float = NAN
    joules: float = NAN
    why: str = ""  # why there is no answer


def ask(model: Streaming, prompt: Prompt, decoding: Decoding, due: float | None = None) -> Sent:
    """Send one request now, and listen to its end.

    A model that breaks off has not answered: asking again would not be the same request.

    Args:
        model: whom to ask.
        prompt: what.
        decoding: how the answer is written.
        due: when the request was due; None for now.
    """
    sent, first = time.perf_counter(), NAN
    told: list[int | None] = []
    size, tokens_in = 0, NAN
    try:
        for piece in model.stream(prompt, decoding):
            if not told:
                first = time.perf_counter()
            told.append(piece.tokens)
            size += len(piece.text.encode("utf-8", "replace"))
            tokens_in = tokens_in if piece.prompt_tokens is None else float(piece.prompt_tokens)
    except ModelError as error:
        return Sent(scheduled=sent if due is None else due, sent=sent, why=str(error))
    last = time.perf_counter()
    known = [tokens for tokens in told if tokens is not None]
    return Sent(
        scheduled=sent if due is None else due,
        sent=sent,
        first=first,
        last=last,
        tokens_in=tokens_in,
        tokens_out=float(sum(known)) if len(known) == len(told) else NAN,
        bytes_out=float(size),
    )


def open_loop(
    model: Streaming, prompts: Sequence[Prompt], offsets: Floats, decoding: Decoding
) -> list[Sent]:
    """Send each request when it is due, as far as the model takes so many at a time.

    Args:
        model: whom to ask; ``at_once`` requests may be under way.
        prompts: n of them.
        offsets: (n,) rising seconds from now at which each is due.
        decoding: how answers are written.

    Returns:
        The requests in the order of ``prompts``.
    """
    start, turn = time.perf_counter(), count()
    done: list[Sent | None] = [None] * len(prompts)

    def work() -> None:
        # Whoever is free takes the next request; advancing the counter is atomic.
        for number in turn:
            if number >= len(prompts):
                return
            due = start + float(offsets[number])
            time.sleep(max(0.0, due - time.perf_counter()))
            done[number] = ask(model, prompts[number], decoding, due)

    with ThreadPoolExecutor(max_workers=max(1, model.at_once)) as pool:
        workers = [pool.submit(work) for _ in range(max(1, model.at_once))]
        for one in workers:
            one.result()
    return [one for one in done if one is not None]


def all_at_once(model: Streaming, prompts: Sequence[Prompt], decoding: Decoding) -> list[Sent]:
    """Hand over a batch as a whole; the model orders the work as it likes.

    Energy is what the machine's counters saw meanwhile, shared out evenly.
    """
    before, start = reading(), time.perf_counter()
    done: list[Sent | None] = [None] * len(prompts)
    for number, answer in model.write(prompts, decoding):
        text = answer.text
        done[number] = Sent(
            scheduled=start,
            sent=start,
            last=NAN if text is None else time.perf_counter(),
            tokens_in=NAN if answer.prompt_tokens is None else float(answer.prompt_tokens),
            tokens_out=NAN if answer.tokens is None else float(answer.tokens),
            bytes_out=NAN if text is None else float(len(text.encode("utf-8", "replace"))),
            why=answer.why or "",
        )
    used = before.until(reading())
    each = sum(used.values()) / len(prompts) if used else NAN
    forgotten = Sent(scheduled=start, sent=start, why="the model passed it over")
    return [replace(one or forgotten, joules=each) for one in done]


def arrivals(size: int, rate: float, rng: np.random.Generator) -> Floats:
    """(size,) seconds at which requests of a Poisson process are due, ``rate`` a second.

    >>> due = arrivals(20_000, 4.0, np.random.default_rng(0))
    >>> bool((np.diff(due) > 0).all()), round(float(20_000 / due[-1]), 1)
    (True, 4.0)
    """
    return np.cumsum(rng.exponential(1 / rate, size))
