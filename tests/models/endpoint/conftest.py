"""A server for every test here, and no waiting before a request is repeated."""

from collections.abc import Iterator

import pytest

from tests.models.llm_server import Server, serving


@pytest.fixture(autouse=True)
def hardly_any_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdaudit.models.endpoint.adapter.BACKOFF", 0.002)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running
