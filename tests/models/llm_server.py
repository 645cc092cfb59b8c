"""A small server that speaks as OpenAI's does, over real HTTP, and misbehaves on request."""

import json
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Said = dict[str, Any]
Fault = Callable[["Handler", Said], None]


def echoed(prompt: str) -> Said:
    """The default answer: the last word of the prompt."""
    return chosen(f"It is {prompt.rsplit(maxsplit=1)[-1]}")


def chosen(text: str | None, finish: str = "stop", **more: Any) -> Said:
    """An answer of one choice, fit for chat and for completions."""
    return {
        "model": "served-1",
        "system_fingerprint": "fp",
        "choices": [{"message": {"content": text}, "text": text, "finish_reason": finish}],
        "usage": {"prompt_tokens": 5, "completion_tokens": len((text or "").split())},
        **more,
    }


def with_logprobs(text: str) -> Said:
    """An echo of a text with a log-probability for every token but the first, and one token more.

    A token is a word with the blank before it, and costs a quarter of its letters; one with an
    ``x`` in it is not the likeliest.
    """
    tokens = [*re.findall(r"\s?[^\s]+|\s", text), " more"]
    costs = [-len(token) / 4 for token in tokens]
    best = [
        {" other": cost / 2} | {t: cost} if "x" in t else {t: cost}
        for t, cost in zip(tokens, costs, strict=True)
    ]
    said = chosen(text + " more")
    said["usage"] = {"prompt_tokens": len(tokens) - 1, "completion_tokens": 1}
    said["choices"][0]["logprobs"] = {
        "tokens": tokens,
        "token_logprobs": [None, *costs[1:]],
        "top_logprobs": [None, *best[1:]],
    }
    return said


@dataclass(eq=False, repr=False)
class Server:
    """A server at one port, which can be stopped and started again.

    Attributes:
        answer: (prompt) -> the body of the answer.
        fault: (prompt, how often it was asked before) -> what goes wrong, or None.
        requests: bodies in the order of arrival, each with its ``path`` and ``key``.
        answered: how often each prompt was answered in full.
        busiest: the most requests that were under way at once.
    """

    answer: Callable[[str], Said] = echoed
    fault: Callable[[str, int], Fault | None] = lambda _prompt, _before: None
    requests: list[Said] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    busiest: int = 0
    port: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    open: set[socket.socket] = field(default_factory=set)
    busy: int = 0
    running: ThreadingHTTPServer | None = None
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Base address."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Listen; the second time at the same port."""
        self.running = _Listener(("127.0.0.1", self.port), Handler)
        self.running.owner = self  # type: ignore[attr-defined]
        self.port = self.running.server_address[1]
        if self.tls is not None:
            self.running.socket = self.tls.wrap_socket(self.running.socket, server_side=True)
        poll = {"poll_interval": 0.01}
        threading.Thread(target=self.running.serve_forever, kwargs=poll, daemon=True).start()

    def stop(self) -> None:
        """Stop listening, and drop every connection."""
        if self.running is not None:
            self.running.shutdown()
            self.running.server_close()
            self.running = None
        with self.lock:
            for one in self.open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that leave are part of the tests."""


@contextmanager
def serving(**settings: Any) -> Iterator[Server]:
    """A server that runs as long as the block."""
    server = Server(**settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written one after the other

    def setup(self) -> None:
        super().setup()
        self.owner: Server = self.server.owner  # type: ignore[attr-defined]
        with self.owner.lock:
            self.owner.open.add(self.connection)

    def finish(self) -> None:
        with self.owner.lock:
            self.owner.open.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        owner = self.owner
        with owner.lock:
            before = owner.asked[prompt]
            owner.asked[prompt] += 1
            kept = {"path": self.path, "key": self.headers.get("Authorization"), "at": time.time()}
            owner.requests.append(body | kept)
            owner.busy += 1
            owner.busiest = max(owner.busiest, owner.busy)
        try:
            fault = owner.fault(prompt, before)
            if fault is not None:
                fault(self, body)
                return
            said = with_logprobs(prompt) if body.get("echo") else owner.answer(prompt)
            if body.get("stream"):
                self.pieces(said)
            else:
                self.reply(200, json.dumps(said).encode())
            with owner.lock:
                owner.answered[prompt] += 1
        finally:
            with owner.lock:
                owner.busy -= 1

    def pieces(self, said: Said) -> None:
        """The answer word by word, as an event stream."""
        words = re.findall(r"\s?[^\s]+", said["choices"][0]["text"])
        parts: list[Said] = [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}]
        parts += [{"choices": [{"delta": {"content": word}, "text": word}]} for word in words]
        parts += [{"choices": [], "usage": said["usage"]}] if "usage" in said else []
        events = [f"data: {json.dumps(part)}\n\n" for part in parts]
        self.reply(200, "".join([": hello\n\n", *events, "data: [DONE]\n\n"]).encode())

    def reply(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def status(code: int, said: object = None, **headers: str) -> Fault:
    """Answer with a status, and a body of JSON."""

    def fault(handler: Handler, _: Said) -> None:
        handler.reply(code, json.dumps(said or {"error": {"message": "no"}}).encode(), **headers)

    return fault


def raw(content: bytes, promised: int = 0) -> Fault:
    """Answer 200 with these bytes; where more are promised the connection is dropped after them."""

    def fault(handler: Handler, _: Said) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(max(promised, len(content))))
        handler.end_headers()
        handler.wfile.write(content)
        if promised:
            handler.close_connection = True

    return fault


def dropped(handler: Handler, _: Said) -> None:
    """Close the connection without a word."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def late(seconds: float) -> Fault:
    """Wait, then answer as ever, if anyone still listens."""

    def fault(handler: Handler, _: Said) -> None:
        time.sleep(seconds)
        with suppress(OSError):
            handler.reply(200, json.dumps(chosen("late")).encode())

    return fault
