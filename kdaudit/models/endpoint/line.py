"""How connections to a server are made: to it alone, and with its certificate checked."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kdaudit.errors import ConfigError
from kdaudit.models.endpoint.key import Key
from kdaudit.models.endpoint.reader import Reader

Client = TypeVar("Client")


def client_of(kind: Callable[..., Client], reader: Reader, timeout: float | None) -> Client:
    """A client of one server, not connected yet.

    Redirects are not followed, since they would carry the key elsewhere. Proxies of the
    environment are used for https only, where they cannot read along.

    Args:
        kind: ``httpx2.Client`` or ``httpx2.AsyncClient``.
        reader: of the server's answers.
        timeout: seconds of each part of a request, or None for no limit.

    Raises:
        ConfigError: for a file of certificates that cannot be read, or a proxy that cannot be used.
    """
    import httpx2

    most = reader.settings.concurrency
    verify = True if reader.settings.ca is None else _trusting(reader.settings.ca)
    try:
        return kind(
            headers=_headers(reader.key),
            verify=verify,
            trust_env=reader.url.startswith("https:"),
            follow_redirects=False,
            timeout=timeout,
            limits=httpx2.Limits(max_connections=most, max_keepalive_connections=most),
        )
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        said = f"{type(error).__name__}: {error}"
    raise ConfigError(f"a proxy of the environment cannot be used ({said}); change HTTPS_PROXY")


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # among them what ssl raises
        raise ConfigError(
            f"endpoint: ca: {ca.name} is no file of certificates in PEM ({error})"
        ) from None


def _headers(key: Key | None) -> dict[str, str]:
    """In one expression, so that no frame of a traceback has the key in a variable."""
    typed = {"Content-Type": "application/json"}
    return typed if key is None else typed | {"Authorization": f"Bearer {key.value}"}
