"""The key of an endpoint goes to that endpoint, encrypted, and nowhere else."""

import logging
import shutil
import ssl
import subprocess
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kdaudit.data.audit_file import SubjectTable
from kdaudit.errors import ConfigError, KdauditError, ModelError
from kdaudit.governance.digest import json_digest
from kdaudit.models.adapter import Decoding, Prompt
from kdaudit.models.endpoint.adapter import Endpoint
from kdaudit.models.endpoint.key import Key, cleaned
from kdaudit.models.open import open_model
from tests.models.llm_server import Fault, Server, dropped, raw, serving, status

SECRET = "sk-very-secret-0123456789"  # noqa: S105  # of no server


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", f"{SECRET}\n")


def opened(url: str, **options: Any) -> Endpoint:
    usual: dict[str, Any] = {"base": Path(), "model": "m", "api_key_env": "MY_KEY"}
    return Endpoint.open(url, **(usual | options))


def ask(model: Endpoint) -> None:
    list(model.write([Prompt(text="a b")], Decoding(max_tokens=2)))


def test_the_key_is_sent_as_bearer_and_is_no_part_of_the_identity(server: Server) -> None:
    model = opened(server.url)
    ask(model)
    assert server.requests[0]["key"] == f"Bearer {SECRET}"
    assert SECRET not in repr(model) + str(dict(model.identity()))
    assert "MY_KEY" not in str(dict(model.identity()))  # another name answers no differently
    assert json_digest(model.identity()) == json_digest(
        opened(server.url, api_key_env=None).identity()
    )


FAULTS: dict[str, Fault] = {
    "a server that repeats it": status(401, {"error": {"message": f"wrong key: {SECRET}"}}),
    "a server that repeats it in no JSON": raw(f"key {SECRET}".encode()),
    "a server error": status(500, {"error": SECRET}),
    "a broken connection": dropped,
}


@pytest.mark.parametrize("name", FAULTS)
def test_no_message_traceback_or_log_holds_it(
    server: Server, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.fault = lambda _, __: FAULTS[name]
    with pytest.raises(ModelError) as caught:
        ask(opened(server.url, retries=1))
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert server.requests[0]["key"] == f"Bearer {SECRET}"
    assert SECRET not in "".join(told.format()) + caplog.text
    assert caught.value.__cause__ is None


def test_a_bug_below_shows_it_in_no_traceback(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("kdaudit.models.endpoint.adapter.written", broken)
    with pytest.raises(BaseExceptionGroup) as caught:
        ask(opened(server.url))
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(told.format())
    assert "ZeroDivisionError" in text
    assert SECRET not in text


def test_a_redirect_is_not_followed(server: Server) -> None:
    with serving() as elsewhere:
        moved = f"{elsewhere.url}/chat/completions"
        server.fault = lambda _, __: status(307, Location=moved)
        with pytest.raises(ModelError, match="redirects are not followed"):
            ask(opened(server.url))
        assert elsewhere.requests == []


def test_a_proxy_of_the_environment_does_not_read_plain_requests(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    ask(opened(server.url))
    assert len(server.requests) == 1


def test_https_goes_through_the_proxy_of_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.port}")
    with pytest.raises(ModelError, match="501"):  # the test's server knows no CONNECT
        ask(opened("https://models.invalid/v1", retries=0))
    assert server.requests == []


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    if proxy.startswith("socks5") and find_spec("socksio"):
        pytest.skip("socksio is installed, so that this proxy can be used")
    with pytest.raises(ConfigError, match="a proxy of the environment cannot be used") as caught:
        ask(opened("https://models.invalid/v1"))
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert SECRET not in "".join(told.format())


def certified(folder: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate of its own for 127.0.0.1 in ``ca.pem``."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout key.pem -out ca.pem"
    alternative = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", *words.split(), *alternative], cwd=folder, check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


def test_a_certificate_is_trusted_where_its_file_is_named_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(tls=certified(tmp_path)) as server:
        with pytest.raises(ModelError, match="not trusted; name the file of your own authority"):
            ask(opened(server.url))
        assert server.requests == []
        ask(opened(server.url, base=tmp_path, ca="ca.pem"))
        assert server.requests[0]["key"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://models.example.com/v1", "a key may not travel unencrypted"),
        ("http://127.0.0.1.example.com/v1", "a key may not travel unencrypted"),
        ("http://localhost.example.com/v1", "a key may not travel unencrypted"),
        (f"https://me:{SECRET}@host/v1", "https://host/v1: take user and password out"),
        (f"https://{SECRET}@host/v1", "https://host/v1: take user and password out"),
        (f"https://host/v1?key={SECRET}", "https://host/v1: take what follows"),
        (f"https://host/v1#{SECRET}", "https://host/v1: take what follows"),
        (f"ftp://{SECRET}/v1", "must be an address such as"),
        (SECRET, "must be an address such as"),
        ("https:///v1", "must be an address such as"),
        ("https://host:none/v1", "must be an address such as"),
        ("https://host/v1\r\nX-Other: 1", "must be an address such as"),
        ("https://host/v1/chat/completions", "name the address above /chat/completions"),
    ],
)
def test_an_address_that_would_give_it_away_is_refused(url: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        opened(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_the_own_machine_needs_no_encryption(host: str) -> None:
    assert opened(f"http://{host}:8000/v1/").url == f"http://{host}:8000/v1"
    assert opened("http://lan.example.com/v1", api_key_env=None).key_name is None


def test_a_key_that_is_not_there_is_missed_when_it_is_needed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY")
    model = opened(server.url)  # stored answers are read without it
    with pytest.raises(ConfigError, match="the environment variable MY_KEY is not set"):
        ask(model)
    monkeypatch.setenv("MY_KEY", f"{SECRET}\nX-Other: 1")
    with pytest.raises(ConfigError, match="MY_KEY holds spaces") as caught:
        ask(model)
    assert SECRET not in str(caught.value)
    assert server.requests == []


def test_a_key_written_into_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for options in ({"api_key_env": SECRET}, {"api_key_env": "hf_abcDEF"}, {"api_key": SECRET}):
        table = SubjectTable.model_validate({"endpoint": "https://h/v1", "model": "m", **options})
        with pytest.raises(KdauditError, match="api_key_env") as caught:
            open_model("teacher", table, tmp_path)
        assert not {SECRET, "hf_abcDEF"} & set(str(caught.value).split())
        assert SECRET not in str(caught.value)


def test_what_a_server_says_is_one_line_of_bounded_length() -> None:
    said = cleaned("a\x1b[31m\r\n\u202eb\u200b " + "x" * 9999, Key("K", "k"))
    assert said.startswith("a [31m b x")
    assert len(said) == 301
