"""An answer piece by piece, as it is written: for timing, so nothing is asked twice."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kdaudit.errors import ModelError
from kdaudit.models.adapter import Piece
from kdaudit.models.endpoint.answers import mapping, text_of, usage_of
from kdaudit.models.endpoint.reader import Reader, Trouble

if TYPE_CHECKING:
    import httpx2


def streamed(
    client: "httpx2.Client", reader: Reader, path: str, body: Mapping[str, Any]
) -> Iterator[Piece]:
    """The pieces of one answer.

    A server may put several tokens into one piece, so only the last piece, which is empty, tells
    how many there were, where the server does.

    Args:
        client: with which it is asked.
        reader: of the server's answers.
        path: below the address.
        body: of the request, without ``stream``.

    Raises:
        ModelError: naming address, model, status, what the server said, and the next step.
    """
    import httpx2

    streaming = {**body, "stream": True, "stream_options": {"include_usage": True}}
    url, content = f"{reader.url}/{path}", json.dumps(streaming).encode()
    try:
        with client.stream("POST", url, content=content) as response:
            if response.status_code == 200:
                yield from _pieces(response.iter_lines())
                return
            found = reader.read(response.status_code, response.headers, response.read())
    except (httpx2.HTTPError, ValueError) as error:
        found = reader.failed(error)
    if not isinstance(found, Trouble):
        found = Trouble("a content filter refused the prompt", 400, passing=False)
    raise ModelError(reader.told(found, 1))


def _pieces(lines: Iterable[str]) -> Iterator[Piece]:
    """The pieces in the lines of an event stream.

    Raises:
        ValueError: for a piece that cannot be read, or where the stream ends without its end.
    """
    usage = usage_of({})
    for line in lines:
        name, _, data = line.partition(":")
        if name != "data":
            continue
        if data.strip() == "[DONE]":
            tokens, prompt_tokens = usage
            yield Piece(text="", tokens=tokens, prompt_tokens=prompt_tokens)
            return
        said = mapping(json.loads(data))
        if not isinstance(said.get("choices"), list):
            broken = f"the stream broke off with {data.strip():.200}"
            raise ValueError(broken)  # noqa: TRY004  # it is the server's value
        usage = usage_of(said) if said.get("usage") else usage
        for choice in said["choices"]:
            if text := text_of(mapping(choice), "delta"):
                yield Piece(text=text, tokens=0)
    raise ValueError("the stream broke off")
