"""What a server answered, read into text or into log-probabilities."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from kdaudit.errors import ModelError
from kdaudit.models.adapter import ScoredText, Written

MOST_TOKENS = 2**53  # no answer has more; a larger count is none


def written(said: Mapping[str, Any], stop: Sequence[str]) -> Written:
    """The text of an answer with ``choices``, or why there is none.

    Args:
        said: of ``/chat/completions`` or ``/completions``.
        stop: the answer ends before the first of these, also where a server knows none.
    """
    choice = next((one for one in said["choices"] if isinstance(one, dict)), None)
    tokens, prompt_tokens = usage_of(said)
    told = (said.get("model"), said.get("system_fingerprint"))
    model = ", ".join(_whole(one) for one in told if isinstance(one, str) and one) or None
    finish = None if choice is None else choice.get("finish_reason")
    text = None if choice is None or finish == "content_filter" else text_of(choice)
    why = None
    if choice is None:
        why = "the server gave no choices"
    elif text is None:
        why = f"the server gave no text (finish_reason {finish!r:.40})"
    found = min((text.find(end) for end in stop if end in text), default=-1) if text else -1
    return Written(
        text=text[:found] if text is not None and found >= 0 else text,
        truncated=text is not None and finish == "length" and found < 0,
        tokens=tokens,
        prompt_tokens=prompt_tokens,
        why=why,
        model=model,
    )


def text_of(choice: Mapping[str, Any], part: str = "message") -> str | None:
    """The text of a choice, or of a ``delta`` of one."""
    message = mapping(choice.get(part))
    # A refusal beside empty content is the model's own words.
    for text in (message.get("content"), choice.get("text"), message.get("refusal")):
        if isinstance(text, str):
            return _whole(text)
    return None


def _whole(text: str) -> str:
    r"""The text without halves of letters, which JSON can hold and no file in UTF-8 can.

    >>> _whole("cut \ud83d off"), _whole("\ud83d\ude00") == "\U0001f600"
    ('cut \ufffd off', True)
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def usage_of(said: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Tokens of the answer and of the prompt, where they are told."""
    usage = mapping(said.get("usage"))
    return _count(usage.get("completion_tokens")), _count(usage.get("prompt_tokens"))


def mapping(found: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one in place of anything else."""
    return found if isinstance(found, dict) else {}


def _count(found: object) -> int | None:
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if 0 <= found < MOST_TOKENS else None


def scored(said: Mapping[str, Any], prompt: str, continuation: str, who: str) -> ScoredText:
    """Log-probabilities of a continuation, out of an echo of prompt and continuation.

    A token that begins in the prompt and ends in the continuation counts as one of the latter.

    Args:
        said: of ``/completions`` with ``echo``, ``logprobs`` and one token more.
        prompt: what the continuation follows.
        continuation: the text whose tokens are looked up.
        who: the server, for messages.

    Raises:
        ModelError: where the server gives no such log-probabilities.
    """
    choice = mapping(next(iter(said["choices"]), None))
    held = mapping(choice.get("logprobs"))
    tokens, logprobs, tops = (held.get(k) for k in ("tokens", "token_logprobs", "top_logprobs"))
    lists = [one for one in (tokens, logprobs, tops) if isinstance(one, list)]
    text = choice.get("text")
    if len(lists) < 3 or len(set(map(len, lists))) > 1 or not isinstance(text, str):
        raise ModelError(f"{who} gives no log-probabilities of a given text; {_OTHERWISE}")
    if not text.startswith(prompt + continuation):
        raise ModelError(f"{who} does not echo the text that it is given; {_OTHERWISE}")
    names = [str(token) for token in lists[0]]
    more, _ = usage_of(said)
    names = names[: len(names) - (1 if more is None else more)]
    start = _start(names, prompt, continuation)
    if start is None or start == len(names):
        raise ModelError(
            f"the tokens that {who} gives do not spell the text {continuation!r:.60}; {_OTHERWISE}"
        )
    found = [_number(one) for one in lists[1][start : len(names)]]
    if any(one is None for one in found):
        raise ModelError(
            f"{who} tells nothing of the first token of a text; let [prompt] template begin with "
            "words that stand before it"
        )
    values = np.array(found, dtype=np.float64)
    best = [_best(top) for top in lists[2][start : len(names)]]
    if any(one is None for one in best):
        raise ModelError(f"{who} does not tell which token was the likeliest; {_OTHERWISE}")
    return ScoredText(
        logprob=values,
        mean=None,
        deviation=None,
        greedy=bool(np.all(values >= np.array(best, dtype=np.float64))),
    )


_OTHERWISE = (
    "take `choices` out of [data], or serve the model with a server whose /completions knows echo "
    "and logprobs, such as vLLM"
)


def _start(tokens: Sequence[str], prompt: str, continuation: str) -> int | None:
    r"""The first token of the continuation.

    It is looked for from the end and, where tokens of the continuation are parts of letters, from
    the beginning; before the prompt a server may put one token that begins every text.

    >>> _start(["<s>", "A", ":", " Os", "lo"], "A:", " Oslo")
    3
    >>> _start(["A", ":", " ", "\xef", "\xbf"], "A:", " é")
    2
    """
    back = _covering(tokens[::-1], len(continuation))
    if back is not None and "".join(tokens[len(tokens) - back :]).endswith(continuation):
        return len(tokens) - back
    for skipped in (0, 1):
        covering = _covering(tokens[skipped:], len(prompt))
        if covering is None:
            continue
        spelled = "".join(tokens[skipped : skipped + covering])
        if spelled.startswith(prompt):
            return skipped + covering - (len(spelled) > len(prompt))
    return None


def _covering(tokens: Sequence[str], letters: int) -> int | None:
    """How many of the first tokens have so many letters or more."""
    sizes = accumulate(map(len, tokens), initial=0)
    return next((count for count, size in enumerate(sizes) if size >= letters), None)


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float) or math.isnan(found):
        return None
    return float(found)


def _best(top: object) -> float | None:
    known = [_number(one) for one in top.values()] if isinstance(top, dict) else []
    return max((one for one in known if one is not None), default=None)
