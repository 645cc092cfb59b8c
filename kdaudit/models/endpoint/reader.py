"""What a server answered, or why there is no answer, in words that a person can act on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdaudit.models.endpoint.key import Key, cleaned
from kdaudit.models.endpoint.pace import asked_to_wait
from kdaudit.models.endpoint.settings import Settings

PATIENCE = 600.0  # seconds; a server that asks for more is better asked by another run
PASSING = {408, 409, 425, 429}  # and whatever a server blames on itself, 500 and above
REFUSED = {400, 413, 422}  # what may be the fault of one prompt
# Where the filter before a model says no, the request is refused, and not merely its answer.
FILTERS = {"content_filter", "content_policy_violation"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer.

    Attributes:
        said: in words.
        status: of HTTP, or None where nothing came back.
        passing: whether asking again may help.
        wait: seconds the server asks for.
    """

    said: str
    status: int | None = None
    passing: bool = True
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the answers of one server, and speaks of it without its key."""

    url: str
    settings: Settings
    key: Key | None

    def failed(self, error: Exception) -> Trouble:
        """What a client raised."""
        said = self._clean(f"{type(error).__name__}: {error}")
        return Trouble(said, passing="CERTIFICATE_VERIFY_FAILED" not in said)

    def read(
        self, status: int, headers: Mapping[str, str], content: bytes
    ) -> Mapping[str, Any] | Trouble:
        """A mapping with a list ``choices``, or why this is none."""
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if 200 <= status < 300 and isinstance(found, dict):
            if isinstance(found.get("choices"), list):
                return found
            return Trouble(f"an answer without `choices`: {self._said(found, content)}", status)
        if 200 <= status < 300:
            return Trouble(f"an answer that is no JSON: {self._said(None, content)}", status)
        error = found.get("error") if isinstance(found, dict) else None
        if status in (400, 403) and isinstance(error, dict) and str(error.get("code")) in FILTERS:
            return {"choices": [{"finish_reason": "content_filter"}]}
        return Trouble(
            self._said(found, content),
            status,
            passing=status in PASSING or status >= 500,
            wait=asked_to_wait(headers.get("retry-after")),
        )

    def told(self, trouble: Trouble, attempts: int) -> str:
        """What happened to a request, and what to do next."""
        who = f"{self.url} (model {self.settings.model!r})"
        status = "" if trouble.status is None else f" with status {trouble.status}"
        if not trouble.passing:
            return f"{who} answered{status}: {trouble.said}; {self._next_step(trouble)}"
        if trouble.wait > PATIENCE:
            return f"{who} asks to wait {trouble.wait:,.0f} seconds{status}: {trouble.said}"
        times = "once, which" if attempts == 1 else f"{attempts} times, the last"
        return f"{who} was asked {times} ended{status}: {trouble.said}"

    def _said(self, found: object, content: bytes) -> str:
        """The server's own words, where it has any."""
        for name in ("error", "message", "detail"):
            if isinstance(found, dict) and found.get(name):
                found = found[name]
        text = found if isinstance(found, str) else content.decode("utf-8", "replace")
        return self._clean(text) or "nothing"

    def _clean(self, text: str) -> str:
        return cleaned(text, self.key)

    def _next_step(self, trouble: Trouble) -> str:
        if trouble.status is None:
            return "its certificate is not trusted; name the file of your own authority as `ca`"
        if 300 <= trouble.status < 400:
            return "redirects are not followed; write the address it moved to as endpoint"
        if trouble.status in (401, 403) and self.key is None:
            return "it wants a key; name the environment variable that holds it as api_key_env"
        if trouble.status in (401, 403):
            return f"check the key in the environment variable {self.key and self.key.name}"
        if trouble.status in (404, 405):
            return "check endpoint, model and api"
        return "change what it does not accept: model, api, [prompt], or the row's text"
