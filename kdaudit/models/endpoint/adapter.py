"""A language model behind an address: ``endpoint = "https://host/v1"``.

Any server that speaks as OpenAI's does: hosted ones, vLLM, llama.cpp, Ollama. What it answers
depends on a machine that is not seen from here, so address, model and revision are what the owner
declares. Requests that fail for a passing reason are sent again; every answer is handed on as soon
as it is there.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from weakref import finalize

from kdaudit.models.adapter import Decoding, Piece, Prompt, ScoredText, Written
from kdaudit.models.continued import continued
from kdaudit.models.endpoint.answers import scored, written
from kdaudit.models.endpoint.caller import Caller, open_line
from kdaudit.models.endpoint.gather import gathered
from kdaudit.models.endpoint.key import Key, checked
from kdaudit.models.endpoint.line import client_of
from kdaudit.models.endpoint.reader import Reader
from kdaudit.models.endpoint.settings import Price, Settings, address, settings
from kdaudit.models.endpoint.stream import streamed
from kdaudit.models.pretrained import require

if TYPE_CHECKING:
    import httpx2

Answer = TypeVar("Answer")

ADAPTER = "endpoint 1"  # raised when the same server would be asked or read differently
BACKOFF = 1.0  # seconds before the first repetition of a request, at least


@dataclass(frozen=True, kw_only=True, eq=False)
class Endpoint:
    """One model of one server, which writes; see the module's page.

    Attributes:
        url: base address.
        settings: how it is asked.
        key_name: environment variable that holds the key, or None.
    """

    url: str
    settings: Settings
    key_name: str | None

    @classmethod
    def open(  # noqa: PLR0913  # the options of the audit file
        cls,
        source: str,
        *,
        base: Path,
        model: str,
        revision: str | None = None,
        api: Literal["chat", "completions"] = "chat",
        api_key_env: str | None = None,
        concurrency: int = 8,
        timeout: float = 60.0,
        requests_per_minute: float | None = None,
        retries: int = 6,
        ca: str | None = None,
        price: Mapping[str, object] | None = None,
    ) -> "Endpoint":
        """Check what is said of it; nothing is sent, and the key is not read.

        Args:
            source: address above ``/chat/completions``.
            base: folder of the audit file.
            model: as the server calls it.
            revision: as the owner calls the state of it.
            api: ``completions`` shows the prompt as it is and may give log-probabilities.
            api_key_env: environment variable that holds the key.
            concurrency: requests under way at once.
            timeout: seconds of one request.
            requests_per_minute: sent at most.
            retries: how often a request is sent again where that may help.
            ca: file of certificates to trust, and no others.
            price: of a million tokens: ``input``, ``output`` and ``currency``.

        Raises:
            ConfigError: where httpx2 is not installed, or for an option that cannot be meant.
            ModelError: for an address that cannot be asked, or not safely.
        """
        require("httpx2", "endpoint", "the adapter endpoint")
        name = checked(api_key_env)
        said = settings(
            ca,
            base,
            model=model,
            revision=revision,
            api=api,
            concurrency=concurrency,
            timeout=timeout,
            requests_per_minute=requests_per_minute,
            retries=retries,
            price=price,
        )
        kind = ScoringEndpoint if said.api == "completions" else Endpoint
        return kind(url=address(source, keyed=name is not None), settings=said, key_name=name)

    @property
    def price(self) -> Price | None:
        """What a million tokens cost, where the owner says."""
        return self.settings.price

    def identity(self) -> Mapping[str, str]:
        """Address, model and revision, and that these are declared; never the key."""
        return {
            "adapter": ADAPTER,
            "url": self.url,
            "model": self.settings.model,
            "revision": self.settings.revision or "NOT PROVIDED",
            "api": self.settings.api,
            "declared": "url, model, revision",
        }

    def write(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Written]]:
        """Answer prompts; each as soon as it is there, with its position.

        Raises:
            ConfigError: where the key is not in the environment.
            ModelError: where the server cannot be asked, or refuses.
        """

        async def ask(caller: Caller, number: int) -> Written:
            prompt = prompts[number]
            body = self._body(prompt) | _decoding(decoding)
            return written(await caller.ask(self._path, body, prompt, number), decoding.stop)

        return self._gathered(ask, len(prompts))

    @property
    def at_once(self) -> int:
        """Requests that are under way at once."""
        return self.settings.concurrency

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Piece]:
        """Answer one prompt piece by piece, over a connection that is kept; nothing is repeated.

        Raises:
            ConfigError: where the key is not in the environment.
            ModelError: where the server cannot be asked, or refuses.
        """
        body = self._body(prompt) | _decoding(decoding)
        return streamed(self._client, self._reader(), self._path, body)

    def _gathered(
        self, ask: Callable[[Caller, int], Awaitable[Answer]], count: int
    ) -> Iterator[tuple[int, Answer]]:
        line = partial(open_line, self._reader(), BACKOFF)
        return gathered(line, ask, count, at_once=self.settings.concurrency)

    def _reader(self) -> Reader:
        key = None if self.key_name is None else Key.read(self.key_name)
        return Reader(url=self.url, settings=self.settings, key=key)

    @cached_property
    def _client(self) -> "httpx2.Client":
        import httpx2

        client = client_of(httpx2.Client, self._reader(), self.settings.timeout)
        finalize(self, client.close)
        return client

    @property
    def _path(self) -> str:
        return "chat/completions"

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        system = [] if prompt.system is None else [{"role": "system", "content": prompt.system}]
        messages = [*system, {"role": "user", "content": prompt.text}]
        return {"model": self.settings.model, "messages": messages}


class ScoringEndpoint(Endpoint):
    """The same through ``/completions``, which may also tell how likely a given text is."""

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[str]
    ) -> Iterator[tuple[int, ScoredText]]:
        """Log-probabilities of each continuation after its prompt.

        Raises:
            ConfigError: where the key is not in the environment.
            ModelError: where the server cannot be asked, refuses, or gives no log-probabilities.
        """
        who = f"{self.url} (model {self.settings.model!r})"

        async def ask(caller: Caller, number: int) -> ScoredText:
            prompt, continuation = continued(_plain(prompts[number]), continuations[number])
            # One token more is asked for, and not looked at: not every server takes none.
            body = {
                "model": self.settings.model,
                "prompt": prompt + continuation,
                "max_tokens": 1,
                "temperature": 0,
                "echo": True,
                "logprobs": 1,
            }
            said = await caller.ask(self._path, body, prompts[number], number)
            return scored(said, prompt, continuation, who)

        return self._gathered(ask, len(prompts))

    @property
    def _path(self) -> str:
        return "completions"

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        return {"model": self.settings.model, "prompt": _plain(prompt)}


def _plain(prompt: Prompt) -> str:
    """A prompt without roles."""
    return prompt.text if prompt.system is None else f"{prompt.system}\n\n{prompt.text}"


def _decoding(decoding: Decoding) -> dict[str, Any]:
    """How it answers; some servers refuse what they do not know, so only what matters is sent."""
    return {
        "max_tokens": decoding.max_tokens,
        "temperature": decoding.temperature,
        **({"stop": list(decoding.stop)} if decoding.stop else {}),
        **({"seed": decoding.seed} if decoding.temperature > 0 else {}),
    }
