"""A model behind an address: every prompt answered once, whatever goes wrong on the way."""

import itertools
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from kdaudit.errors import ConfigError, KdauditError, ModelError
from kdaudit.models.adapter import (
    Decoding,
    Prompt,
    Scorer,
    Streaming,
    UnfitPromptError,
    Writer,
    Written,
)
from kdaudit.models.endpoint.adapter import Endpoint
from kdaudit.models.endpoint.answers import written
from tests.models.llm_server import (
    Fault,
    Server,
    chosen,
    dropped,
    echoed,
    late,
    raw,
    serving,
    status,
)

DECODING = Decoding(max_tokens=8)


def test_what_no_file_can_hold_is_no_part_of_an_answer() -> None:
    said = chosen("half a letter \ud83d", model="large \ud800")
    said["usage"] = {"prompt_tokens": 5, "completion_tokens": 10**30}
    one = written(said, ())
    assert one.text == "half a letter \ufffd"
    assert one.model == "large \ufffd, fp"
    assert (one.prompt_tokens, one.tokens) == (5, None)


def opened(server: Server, **options: Any) -> Endpoint:
    return Endpoint.open(server.url, base=Path(), model="m", **options)


def asked(count: int, system: str | None = None) -> list[Prompt]:
    return [Prompt(text=f"question {i}", system=system) for i in range(count)]


def answers(
    model: Endpoint, prompts: list[Prompt], decoding: Decoding = DECODING
) -> dict[int, Written]:
    found = list(model.write(prompts, decoding))
    assert len({position for position, _ in found}) == len(found)
    return dict(sorted(found))


def texts(model: Endpoint, count: int) -> list[str | None]:
    return [one.text for one in answers(model, asked(count)).values()]


def right(count: int) -> list[str | None]:
    return [f"It is {i}" for i in range(count)]


def slowly(prompt: str) -> dict[str, Any]:
    time.sleep(0.02)
    return echoed(prompt)


def test_every_prompt_is_answered_once_with_all_that_is_told_of_it(server: Server) -> None:
    model = opened(server, revision="2026-10")
    assert isinstance(model, Writer)
    assert not isinstance(model, Scorer)  # chat tells nothing of a given text
    found = answers(model, asked(20, "Be brief."))
    assert found[7] == Written(
        text="It is 7",
        truncated=False,
        tokens=3,
        prompt_tokens=5,
        model="served-1, fp",
    )
    assert [one.text for one in found.values()] == right(20)
    assert server.answered == {f"question {i}": 1 for i in range(20)}
    first = server.requests[0]
    assert first["path"] == "/v1/chat/completions"
    assert first["key"] is None
    assert first["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (first["model"], first["max_tokens"], first["temperature"]) == ("m", 8, 0.0)
    assert not {"seed", "stop"} & set(first)  # some servers refuse what they do not know


def test_the_identity_says_what_is_declared_and_nothing_of_how_it_is_asked(
    server: Server,
) -> None:
    told = opened(server, revision="2026-10", concurrency=2, timeout=3.0).identity()
    assert told == opened(server, revision="2026-10", api_key_env="K").identity()
    assert told == {
        "adapter": "endpoint 1",
        "url": server.url,
        "model": "m",
        "revision": "2026-10",
        "api": "chat",
        "declared": "url, model, revision",
    }
    assert opened(server).identity()["revision"] == "NOT PROVIDED"


def test_samples_carry_their_seed_and_answers_end_before_a_stop(server: Server) -> None:
    server.answer = lambda prompt: chosen(f"{prompt[-10:]}\nand more", "length")
    sampled = Decoding(max_tokens=3, stop=("\n", "zzz"), temperature=0.7, seed=11)
    found = answers(opened(server, api="completions"), asked(1, "Brief."), sampled)
    # A server that knows no stop sequences wrote on to the limit; its answer ended before.
    assert (found[0].text, found[0].truncated) == ("question 0", False)
    request = server.requests[0]
    assert request["path"] == "/v1/completions"
    assert request["prompt"] == "Brief.\n\nquestion 0"
    assert (request["stop"], request["temperature"], request["seed"]) == (["\n", "zzz"], 0.7, 11)


@pytest.mark.parametrize(
    ("said", "text", "truncated", "why"),
    [
        (chosen("cut off", "length"), "cut off", True, None),
        (chosen("", "length"), "", True, None),
        (chosen("half", "content_filter"), None, False, "finish_reason 'content_filter'"),
        (chosen(None, "tool_calls"), None, False, "finish_reason 'tool_calls'"),
        ({"choices": []}, None, False, "no choices"),
        ({"choices": [{"message": {"content": None, "refusal": "I can't."}}]}, "I can't.", False,
         None),
    ],
)  # fmt: skip
def test_an_answer_without_text_says_why(
    server: Server,
    said: dict[str, Any],
    text: str | None,
    truncated: bool,  # noqa: FBT001  # pytest names it
    why: str | None,
) -> None:
    server.answer = lambda _: said
    found = answers(opened(server), asked(1))[0]
    assert (found.text, found.truncated) == (text, truncated)
    assert found.why is None if why is None else why in (found.why or "")


def test_a_prompt_that_a_filter_refuses_is_a_missing_answer_and_not_the_end(
    server: Server,
) -> None:
    blocked = status(400, {"error": {"code": "content_filter", "message": "policy"}})
    server.fault = lambda prompt, _: blocked if prompt == "question 1" else None
    found = answers(opened(server), asked(3))
    assert [one.text for one in found.values()] == ["It is 0", None, "It is 2"]
    assert "content_filter" in (found[1].why or "")
    assert server.asked["question 1"] == 1


def faulty(*faults: Fault) -> Callable[[str, int], Fault | None]:
    """Every prompt meets one to three of these first, in turn."""

    def fault(prompt: str, before: int) -> Fault | None:
        number = int(prompt.removeprefix("question "))
        return faults[(number + before) % len(faults)] if before < 1 + number % 3 else None

    return fault


PASSING: dict[str, Fault] = {
    "429 with seconds": status(429, Retry_After="0.01"),
    "429 with a date": status(429, Retry_After=formatdate(usegmt=True)),
    "429 with nonsense": status(429, Retry_After="soon"),
    "503": status(503, Retry_After="0"),
    "500": status(500),
    "late": late(1.0),
    "dropped": dropped,
    "truncated JSON": raw(b'{"choices": [{"message": {"conte'),
    "a connection that breaks": raw(b'{"choices": [', promised=500),
    "no JSON": raw(b"<html>gateway</html>"),
    "an error that says 200": raw(b'{"error": {"message": "overloaded"}}'),
    "nesting": raw(b"[" * 100_000),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_fault_costs_a_request_and_no_answer(server: Server, name: str) -> None:
    server.fault = lambda _, before: PASSING[name] if before < 2 else None
    assert texts(opened(server, timeout=0.6), 3) == right(3)
    assert server.asked == {f"question {i}": 3 for i in range(3)}


def test_all_faults_at_once_lose_nothing_and_answer_nothing_twice(server: Server) -> None:
    server.fault = faulty(*PASSING.values())
    model = opened(server, timeout=0.6, concurrency=16)
    assert texts(model, 40) == right(40)
    assert server.answered == {f"question {i}": 1 for i in range(40)}


def test_a_server_that_is_restarted_in_the_middle_is_waited_for(server: Server) -> None:
    def away() -> None:
        server.stop()
        time.sleep(0.2)
        server.start()

    def restart(prompt: str, before: int) -> Fault | None:
        if prompt != "question 20" or before:
            return None
        again.start()
        return dropped

    again = threading.Thread(target=away)
    server.fault = restart
    assert texts(opened(server, retries=12, concurrency=4), 60) == right(60)
    again.join()
    assert set(server.answered) == {f"question {i}" for i in range(60)}


def test_patience_is_bounded_and_the_message_says_what_is_next(server: Server) -> None:
    server.fault = lambda _, __: status(500, {"error": {"message": "out of \x1b[31mmemory"}})
    with pytest.raises(ModelError) as caught:
        texts(opened(server, retries=2, concurrency=1), 5)
    assert server.asked == {"question 0": 3}
    assert str(caught.value) == (
        f"{server.url} (model 'm') was asked 3 times, the last ended with status 500: out of "
        "[31mmemory. What is answered is kept: run again to ask for the rest"
    )


def test_nobody_there_is_told_with_the_address() -> None:
    with serving() as server:
        pass
    with pytest.raises(ModelError, match=rf"{server.url} .* was asked 2 times.*ConnectError"):
        texts(opened(server, retries=1), 1)


def test_a_server_that_asks_for_hours_ends_the_run(server: Server) -> None:
    server.fault = lambda _, __: status(429, Retry_After="7200")
    with pytest.raises(ModelError, match="asks to wait 7,200 seconds with status 429"):
        texts(opened(server, concurrency=1), 2)
    assert server.asked == {"question 0": 1}


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (400, {"error": {"message": "long"}}, "status 400: long; change what it does not"),
        (401, {"error": "bad key"}, "status 401: bad key; it wants a key; name the environment"),
        (403, {"detail": "no"}, "status 403: no; it wants a key"),
        (404, {"message": "no m"}, "status 404: no m; check endpoint, model and api"),
        (422, {"detail": [{"loc": ["x"]}]}, r'status 422: {"detail": \[{"loc": \["x"\]}\]}'),
        (308, {"error": {"message": "moved"}}, "status 308: moved; redirects are not followed"),
    ],
)
def test_a_fault_that_lasts_ends_the_run_at_once(
    server: Server, code: int, said: object, expected: str
) -> None:
    server.fault = lambda _, __: status(code, said, Location="http://127.0.0.1:9/elsewhere")
    with pytest.raises(
        ModelError, match=f"{server.url} .model 'm'. answered with {expected}"
    ) as caught:
        texts(opened(server, concurrency=1), 3)
    assert server.asked == {"question 0": 1}
    if isinstance(caught.value, UnfitPromptError):
        assert caught.value.prompt == asked(1)[0]
    assert isinstance(caught.value, UnfitPromptError) == (code in (400, 422))


def test_what_was_answered_before_a_lasting_fault_is_handed_over(server: Server) -> None:
    server.fault = lambda prompt, _: status(400) if prompt == "question 9" else None
    listening = opened(server, concurrency=1).write(asked(20), DECODING)
    assert [next(listening)[0] for _ in range(9)] == list(range(9))
    with pytest.raises(ModelError, match="status 400"):
        next(listening)


def test_no_more_requests_are_under_way_than_asked_for(server: Server) -> None:
    server.answer = slowly
    texts(opened(server, concurrency=3), 30)
    assert server.busiest == 3


def test_requests_are_spaced_evenly(server: Server) -> None:
    begun = time.monotonic()
    texts(opened(server, requests_per_minute=600.0), 6)
    assert time.monotonic() - begun >= 0.5


def test_one_request_that_is_told_to_wait_holds_all_others(server: Server) -> None:
    wait = status(429, Retry_After="0.6")
    server.fault = lambda prompt, before: wait if prompt == "question 0" and not before else None
    server.answer = slowly
    assert texts(opened(server, concurrency=2), 12) == right(12)
    times = [request["at"] for request in server.requests]
    assert max(b - a for a, b in itertools.pairwise(times)) > 0.3


def test_who_stops_listening_stops_the_requests(server: Server) -> None:
    gate = threading.Event()
    server.fault = lambda prompt, _: None if prompt == "question 0" else held

    def held(handler: Any, body: Any) -> None:
        gate.wait(5)
        dropped(handler, body)

    listening = opened(server, concurrency=4).write(asked(100), DECODING)
    assert next(listening)[0] == 0
    begun = time.monotonic()
    listening.close()  # type: ignore[attr-defined]  # a generator
    gate.set()
    assert time.monotonic() - begun < 2
    time.sleep(0.2)  # the server may still be reading those that were under way
    assert len(server.requests) <= 5


def streamed(model: Endpoint, decoding: Decoding = DECODING) -> list[tuple[str, int | None]]:
    return [(one.text, one.tokens) for one in model.stream(asked(1)[0], decoding)]


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_an_answer_may_come_piece_by_piece_and_is_the_same(server: Server, api: str) -> None:
    model = opened(server, api=api)
    assert isinstance(model, Streaming)
    assert model.at_once == 8
    assert streamed(model) == [("It", 0), (" is", 0), (" 0", 0), ("", 3)]
    assert streamed(model) == streamed(model)
    last = list(model.stream(asked(1)[0], DECODING))[-1]
    assert last.prompt_tokens == 5
    whole = next(model.write(asked(1), DECODING))[1]
    assert "".join(text for text, _ in streamed(model)) == whole.text


def test_a_stream_without_counts_says_that_it_has_none(server: Server) -> None:
    server.answer = lambda _: {k: v for k, v in chosen("a b").items() if k != "usage"}
    assert streamed(opened(server)) == [("a", 0), (" b", 0), ("", None)]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (status(503, {"error": "busy"}), "was asked once, which ended with status 503: busy"),
        (status(400, {"error": {"code": "content_filter"}}), "a content filter refused"),
        (dropped, "was asked once, which ended: RemoteProtocolError"),
        (raw(b'data: {"choices": []}\n\n'), "the stream broke off"),
        (raw(b'data: {"error": "out of memory"}\n\n'), "broke off with .*out of memory"),
        (raw(b"data: nonsense\n\n"), "JSONDecodeError"),
    ],
)
def test_a_stream_that_fails_is_not_asked_for_again(
    server: Server, fault: Fault, said: str
) -> None:
    server.fault = lambda _, __: fault
    with pytest.raises(ModelError, match=said):
        streamed(opened(server))
    assert server.asked == {"question 0": 1}


def test_no_prompts_need_no_server_and_no_thread() -> None:
    model = Endpoint.open("http://127.0.0.1:9/v1", base=Path(), model="m", retries=0)
    assert answers(model, []) == {}


def test_an_event_loop_of_the_caller_does_not_matter(server: Server) -> None:
    import anyio

    async def notebook() -> list[str | None]:
        return texts(opened(server), 2)

    assert anyio.run(notebook) == right(2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"api": "responses"}, "api: .*'chat' or 'completions', got 'responses'"),
        ({"concurrency": 0}, "concurrency: .*greater than or equal to 1, got 0"),
        ({"timeout": "60"}, "timeout: .*valid number, got '60'"),
        ({"retries": -1}, "retries: "),
        ({"requests_per_minute": 0}, "requests_per_minute: "),
        ({"ca": "none.pem"}, "there is no 'none.pem'"),
        ({"price": {"input": 1.0}}, "price.output: Field required"),
        ({"price": {"input": 1.0, "output": -1.0, "currency": "EUR"}}, "price.output: .*got -1.0"),
    ],
)
def test_an_option_that_cannot_be_meant_is_named(
    server: Server, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        opened(server, **options)


def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    model = Endpoint.open("https://127.0.0.1:9/v1", base=tmp_path, model="m", ca="ca.pem")
    with pytest.raises(KdauditError, match=r"ca\.pem is no file of certificates"):
        texts(model, 1)


def test_the_price_of_tokens(server: Server) -> None:
    price = opened(server, price={"input": 0.15, "output": 0.60, "currency": "USD"}).price
    assert price is not None
    assert price.of(1_000_000, 500_000) == pytest.approx(0.45)
    assert price.currency == "USD"
    assert opened(server).price is None
