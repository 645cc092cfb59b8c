"""The options of a subject with ``endpoint``: checked before anything is sent."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kdaudit.errors import ConfigError, ModelError

Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")
# Capitals only: a key that was pasted here by mistake is then refused without being repeated.
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class Price(BaseModel):
    """What a million tokens cost: those of prompts (``input``), and those of answers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    currency: Text

    def of(self, prompt_tokens: float, tokens: float) -> float:
        """What so many tokens cost.

        >>> Price(input=0.15, output=0.6, currency="USD").of(2_000_000, 500_000)
        0.6
        """
        return (prompt_tokens * self.input + tokens * self.output) / 1e6


class Settings(BaseModel):
    """How one server is asked.

    Attributes:
        model: as the server calls it.
        revision: as the owner calls the state of it.
        api: ``chat`` or ``completions``.
        concurrency: requests under way at once.
        timeout: seconds from connecting to the last byte of an answer.
        requests_per_minute: sent at most, evenly spaced.
        retries: how often a request is sent again where that may help.
        ca: a file of certificates to trust, and no others.
        price: of tokens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: Text
    revision: Text | None
    api: Literal["chat", "completions"]
    concurrency: Annotated[int, Field(ge=1, le=1000)]
    timeout: Positive
    requests_per_minute: Positive | None
    retries: Annotated[int, Field(ge=0, le=100)]
    ca: Path | None
    price: Price | None


def settings(ca: str | None, base: Path, **options: object) -> Settings:
    """Check the options of an audit file.

    Args:
        ca: a file relative to ``base``, or None.
        base: folder of the audit file.
        options: the others of `Settings`.

    Raises:
        ConfigError: naming the option, its value and what is known.
    """
    if ca is not None and not (isinstance(ca, str) and (base / ca).is_file()):
        raise ConfigError(f"endpoint: ca names a file of certificates in PEM; there is no {ca!r}")
    try:
        return Settings.model_validate({**options, "ca": None if ca is None else base / ca})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        got = "" if first["type"] in ("missing", "extra_forbidden") else f", got {first['input']!r}"
        raise ConfigError(f"endpoint: {name}: {first['msg']}{got}") from None


def address(source: str, *, keyed: bool) -> str:
    """The base address, without a slash at its end.

    Args:
        source: as in the audit file.
        keyed: whether a key is sent.

    Raises:
        ModelError: for what is no plain address, and for a key that would travel unencrypted; no
            message repeats the parts of an address that may hold a secret.

    >>> address("https://models.example.com/v1/", keyed=True)
    'https://models.example.com/v1'
    """
    try:
        parts = urlsplit(source)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = SplitResult("", "", "", "", ""), None, None
    if parts.scheme not in ("http", "https") or not host or not source.isprintable() or port == 0:
        raise ModelError(
            'endpoint must be an address such as "https://host/v1", with a scheme and a host'
        )
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    if "@" in parts.netloc:
        raise ModelError(
            f"endpoint {shown}: take user and password out of the address; a key is given by "
            "api_key_env"
        )
    if "?" in source or "#" in source:
        raise ModelError(f"endpoint {shown}: take what follows ? or # out of the address")
    if " " in source or parts.path.rstrip("/").endswith("/completions"):
        raise ModelError(
            f"endpoint {shown}: name the address above /chat/completions, such as https://host/v1"
        )
    if keyed and parts.scheme == "http" and not LOOPBACK.fullmatch(host):
        raise ModelError(
            f"endpoint {shown}: a key may not travel unencrypted; write https, or take api_key_env "
            "out"
        )
    return shown
