"""One request to a server, sent again while that may help."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from kdaudit.errors import ModelError
from kdaudit.models.adapter import Prompt, UnfitPromptError
from kdaudit.models.endpoint.line import client_of
from kdaudit.models.endpoint.pace import Pace, backoff
from kdaudit.models.endpoint.reader import PATIENCE, REFUSED, Reader, Trouble

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Caller:
    """An open line to one server; see the module's page."""

    reader: Reader
    first: float
    client: "httpx2.AsyncClient"
    pace: Pace

    async def ask(
        self, path: str, body: Mapping[str, Any], prompt: Prompt, number: int
    ) -> Mapping[str, Any]:
        """The server's answer: a mapping with a list ``choices``.

        Args:
            path: below the address.
            body: of the request.
            prompt: what is asked, for whoever knows its row.
            number: of the request, which spreads the attempts of several.

        Raises:
            ModelError: naming address, model, status, what the server said, and the next step.
            UnfitPromptError: the same, where it may be the fault of the prompt.
        """
        attempt = 0
        while True:
            await self.pace.turn()
            found = await self._once(path, body)
            if not isinstance(found, Trouble):
                return found
            attempt += 1
            last = attempt > self.reader.settings.retries
            if last or not found.passing or found.wait > PATIENCE:
                said = (
                    f"{self.reader.told(found, attempt)}. What is answered is kept: run again to "
                    "ask for the rest"
                )
                if found.status in REFUSED:
                    raise UnfitPromptError(said, prompt)
                raise ModelError(said)
            self.pace.hold(found.wait)
            await anyio.sleep(max(found.wait, backoff(number, attempt - 1, self.first)))

    async def _once(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | Trouble:
        import httpx2

        url, content = f"{self.reader.url}/{path}", json.dumps(body).encode()
        try:
            with anyio.fail_after(self.reader.settings.timeout):
                response = await self.client.post(url, content=content)
        except TimeoutError:
            return Trouble(f"no answer within {self.reader.settings.timeout:g} seconds")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return self.reader.failed(error)
        return self.reader.read(response.status_code, response.headers, response.content)


@asynccontextmanager
async def open_line(reader: Reader, first: float) -> AsyncIterator[Caller]:
    """Open a line; connections are kept between requests.

    Args:
        reader: of the server's answers.
        first: seconds before the first repetition of a request, at least.

    Raises:
        ConfigError: for certificates or a proxy that cannot be used.
    """
    import httpx2

    per_minute = reader.settings.requests_per_minute
    pace = Pace(gap=60 / per_minute if per_minute else 0.0)
    # Each request has a time limit as a whole, so its parts have none.
    async with client_of(httpx2.AsyncClient, reader, None) as client:
        yield Caller(reader=reader, first=first, client=client, pace=pace)
