"""Log-probabilities of given texts, where a server's /completions echoes with them."""

from pathlib import Path
from typing import Any

import pytest

from kdaudit.errors import ModelError
from kdaudit.models.adapter import Prompt, ScoredText, Scorer
from kdaudit.models.endpoint.adapter import Endpoint
from kdaudit.models.endpoint.answers import scored
from tests.models.llm_server import Server, status, with_logprobs


def score(server: Server, *pairs: tuple[str, str], system: str | None = None) -> list[ScoredText]:
    model = Endpoint.open(server.url, base=Path(), model="m", api="completions")
    assert isinstance(model, Scorer)
    prompts = [Prompt(text=text, system=system) for text, _ in pairs]
    found = dict(model.score(prompts, [text for _, text in pairs]))
    return [found[i] for i in range(len(pairs))]


def test_only_the_tokens_of_the_continuation_count(server: Server) -> None:
    one, two = score(server, ("The capital is", " Oslo town"), ("The capital is", " xanadu"))
    assert one.logprob.tolist() == [-1.25, -1.25]
    assert one.greedy
    assert two.logprob.tolist() == [-1.75]
    assert not two.greedy
    assert one.mean is None
    assert one.deviation is None
    request = server.requests[0]
    assert request["path"] == "/v1/completions"
    assert (request["echo"], request["logprobs"], request["max_tokens"]) == (True, 1, 1)


def test_a_blank_stands_between_and_an_instruction_before(server: Server) -> None:
    (found,) = score(server, ("Q:", "Oslo"), system="Be brief.")
    assert server.requests[0]["prompt"] == "Be brief.\n\nQ: Oslo"
    assert found.logprob.tolist() == [-1.25]


def test_white_space_on_the_border_belongs_to_the_continuation(server: Server) -> None:
    (found,) = score(server, ("Q: ", "Oslo"))
    assert found.logprob.tolist() == [-1.25]  # of the token " Oslo"


def test_a_token_that_crosses_the_border_belongs_to_the_continuation() -> None:
    assert scored(with_logprobs("Q: Oslo"), "Q: O", "slo", "m").logprob.tolist() == [-1.25]


def test_a_token_before_every_text_does_not_move_the_border() -> None:
    said = with_logprobs("A: Oslo")
    held = said["choices"][0]["logprobs"]
    for name, first in (("tokens", "<s>"), ("token_logprobs", None), ("top_logprobs", None)):
        held[name].insert(0, first)
    held["token_logprobs"][1], held["top_logprobs"][1] = -0.1, {"A:": -0.1}
    assert scored(said, "A:", " Oslo", "m").logprob.tolist() == [-1.25]
    assert scored(said, "", "A: Oslo", "m").logprob.tolist() == [-0.1, -1.25]


def test_parts_of_letters_in_the_continuation_are_counted_from_the_beginning() -> None:
    said = with_logprobs("A: ö")
    held = said["choices"][0]["logprobs"]
    held["tokens"] = ["A:", " ", "bytes:\\xc3", "bytes:\\xb6", " more"]
    held["token_logprobs"] = [None, -1.0, -2.0, -3.0, -9.0]
    held["top_logprobs"] = [None, *({"t": n} for n in held["token_logprobs"][1:])]
    assert scored(said, "A:", " ö", "m").logprob.tolist() == [-1.0, -2.0, -3.0]


def without(name: str) -> dict[str, Any]:
    said = with_logprobs("A: Oslo")
    del said["choices"][0]["logprobs"][name]
    return said


def respelled() -> dict[str, Any]:
    said = with_logprobs("A: Oslo")
    said["choices"][0]["logprobs"]["tokens"] = ["?", "?", "?"]
    return said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"choices": []}, "gives no log-probabilities"),
        ({"choices": [{"text": "A: Oslo", "logprobs": None}]}, "gives no log-probabilities"),
        (without("token_logprobs"), "gives no log-probabilities"),
        (without("top_logprobs"), "gives no log-probabilities"),
        (with_logprobs("Oslo"), "does not echo the text"),
        (respelled(), "do not spell the text ' Oslo'"),
    ],
)
def test_a_server_without_them_is_told_apart(said: dict[str, Any], expected: str) -> None:
    with pytest.raises(ModelError, match=f"m .*{expected}|{expected}"):
        scored(said, "A:", " Oslo", "m")


def test_a_first_token_without_one_is_named_and_not_left_out() -> None:
    with pytest.raises(ModelError, match="tells nothing of the first token"):
        scored(with_logprobs("A: Oslo"), "", "A: Oslo", "m")


def test_a_server_that_knows_no_echo_says_so_in_its_own_words(server: Server) -> None:
    server.fault = lambda _, __: status(400, {"error": {"message": "echo is not supported"}})
    with pytest.raises(ModelError, match="status 400: echo is not supported; change"):
        score(server, ("A:", " Oslo"))


def test_a_text_of_no_tokens_has_no_likelihood() -> None:
    with pytest.raises(ModelError, match="do not spell the text ''"):
        scored(with_logprobs("A:"), "A:", "", "m")
