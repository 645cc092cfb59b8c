"""Requests that are due when they are due: an open loop with real threads and small times."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from kdaudit.data.serving_tables import ServingTable
from kdaudit.energy import Reading
from kdaudit.errors import ModelError
from kdaudit.evidence.load import all_at_once, arrivals, ask, open_loop
from kdaudit.evidence.record_serving import record_serving
from kdaudit.evidence.serving import Serving
from kdaudit.evidence.store import Store
from kdaudit.models.adapter import Decoding, Piece, Prompt, Streaming, Written

GREEDY = Decoding(max_tokens=3)


@dataclass
class Slow:
    """Writes three tokens, each after a known time; stalls once, or breaks off."""

    name: str = "slow"
    each: float = 0.0
    stalls_at: str = ""
    stall: float = 0.0
    breaks: str = ""
    at_once: int = 1
    asked: list[str] = field(default_factory=list)
    together: list[int] = field(default_factory=list)
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def identity(self) -> Mapping[str, str]:
        return {"name": self.name, "each": str(self.each)}

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Piece]:
        with self._lock:
            self._under_way += 1
            self.together.append(self._under_way)
            self.asked.append(prompt.text)
        if prompt.text == self.stalls_at:
            time.sleep(self.stall)
        for number in range(decoding.max_tokens):
            time.sleep(self.each)
            if prompt.text == self.breaks:
                raise ModelError("it broke off")
            yield Piece(text="é", prompt_tokens=len(prompt.text) if number == 0 else None)
        with self._lock:
            self._under_way -= 1

    def write(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Written]]:
        for number, prompt in enumerate(prompts):
            time.sleep(self.each)
            tokens = decoding.max_tokens
            yield (
                number,
                Written(
                    text=None if prompt.text == self.breaks else "é" * tokens,
                    truncated=True,
                    tokens=tokens,
                    prompt_tokens=len(prompt.text),
                ),
            )


def prompts(size: int) -> list[Prompt]:
    return [Prompt(text=f"{i}") for i in range(size)]


def test_a_request_is_timed_token_by_token() -> None:
    one = ask(Slow(each=0.01), Prompt(text="abcd"), GREEDY)
    assert isinstance(Slow(), Streaming)
    assert one.scheduled == one.sent < one.first < one.last
    assert one.first - one.sent >= 0.01
    assert one.last - one.first >= 0.02
    assert (one.tokens_in, one.tokens_out, one.bytes_out) == (4, 3, 6)


def test_a_stall_is_waited_out_by_all_that_were_due_meanwhile() -> None:
    """Coordinated omission: timed from when they were sent, all requests but one look fast."""
    offsets = np.linspace(0, 0.19, 20)
    model = Slow(stalls_at="5", stall=0.12)
    sent = open_loop(model, prompts(20), offsets, GREEDY)
    assert model.asked == [f"{i}" for i in range(20)]
    due = np.array([one.scheduled for one in sent])
    np.testing.assert_allclose(np.diff(due), 0.01)  # nothing put the schedule off
    from_due = np.array([one.last - one.scheduled for one in sent])
    from_sent = np.array([one.last - one.sent for one in sent])
    # Due 10 ms apart while 120 ms passed: those behind waited 110 ms, 100 ms, 90 ms, ...
    assert (from_due[5:12] >= 0.12 - 0.01 * np.arange(7) - 1e-3).all()
    assert from_sent[5] >= 0.12
    assert np.median(from_sent[6:12]) < 0.03


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_requests_are_under_way_than_the_model_takes(at_once: int) -> None:
    model = Slow(each=0.005, at_once=at_once)
    sent = open_loop(model, prompts(6), np.zeros(6), GREEDY)
    assert max(model.together) == at_once
    assert [one.tokens_in for one in sent] == [1] * 6
    assert sorted(model.asked) == [f"{i}" for i in range(6)]


def test_a_bug_in_a_model_is_not_an_answer_that_is_missing() -> None:
    class Broken(Slow):
        def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Piece]:
            raise ZeroDivisionError(prompt.text, decoding)

    with pytest.raises(ZeroDivisionError):
        open_loop(Broken(), prompts(3), np.zeros(3), GREEDY)


def test_arrivals_have_the_spread_of_a_poisson_process() -> None:
    gaps = np.diff(arrivals(20_000, 50.0, np.random.default_rng(1)))
    assert gaps.mean() == pytest.approx(0.02, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)


def test_a_batch_is_due_at_once_and_shares_its_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([Reading(0.0, {"RAPL": (0, 0)}), Reading(1.0, {"RAPL": (8_000_000, 0)})])
    monkeypatch.setattr("kdaudit.evidence.load.reading", lambda: next(readings))
    sent = all_at_once(Slow(each=0.002, breaks="2"), prompts(4), GREEDY)
    assert len({one.scheduled for one in sent}) == 1
    assert [np.isnan(one.last) for one in sent] == [False, False, True, False]
    assert [one.joules for one in sent] == [2.0] * 4
    assert sent[3].last > sent[0].last


def test_energy_that_no_counter_told_is_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdaudit.evidence.load.reading", lambda: Reading(0.0, {}))
    assert all(np.isnan(one.joules) for one in all_at_once(Slow(), prompts(2), GREEDY))


def timed(
    folder: Path, student: Slow, teacher: Slow, table: ServingTable
) -> tuple[dict[str, Serving], int]:
    found, sent = record_serving(
        {"student": student, "teacher": teacher},
        [(f"r{i}", Prompt(text=f"{i}")) for i in range(15)],
        GREEDY,
        table,
        elsewhere={"teacher": "a server far away"},
        seed=4,
        store=Store(folder),
    )
    return {str(role): one for role, one in found.items()}, sent


ALL = ServingTable(scenarios=("single-stream", "server", "offline"), requests=20, rate=500.0)


def test_all_scenarios_are_recorded_and_read_back(tmp_path: Path) -> None:
    student, teacher = Slow("student", breaks="3"), Slow("teacher", each=0.001)
    found, sent = timed(tmp_path, student, teacher, ALL)
    assert sent == 2 * 20 * 3
    one = found["student"]
    assert [len(one.of(name)) for name in ALL.scenarios] == [20, 20, 20]
    assert set(one.of("server").request) == set(one.of("offline").request)
    assert "r3" in one.request
    broken = np.isin(one.request, ["r3", "r3#2"])
    np.testing.assert_array_equal(one.answered, ~broken)
    assert np.isnan(one.of("offline").first).all()
    assert found["teacher"].hardware == "a server far away"
    assert "cores" in str(one.hardware)
    gaps = [np.diff(x.of("server").scheduled[:10]) for x in found.values()]
    np.testing.assert_allclose(gaps[0], gaps[1])  # the same arrivals
    asked = len(student.asked)
    again, sent = timed(tmp_path, student, teacher, ALL)
    assert (sent, len(student.asked)) == (0, asked)
    for role, before in found.items():
        for name in ("scenario", "request", "block", "scheduled", "first", "last", "bytes_out"):
            np.testing.assert_array_equal(getattr(again[role], name), getattr(before, name))
        assert (again[role].hardware, again[role].noisy) == (before.hardware, before.noisy)


def test_one_after_the_other_both_models_take_turns(tmp_path: Path) -> None:
    table = ServingTable(requests=20)
    diary: list[str] = []
    student, teacher = Slow("student", asked=diary), Slow("teacher", asked=diary)
    timed(tmp_path, student, teacher, table)
    measured = diary[6:]  # after three to warm up, each
    assert measured[::2] == measured[1::2]
    assert len(measured) == 40


def test_a_model_that_answers_hardly_anything_is_refused(tmp_path: Path) -> None:
    class Mute(Slow):
        def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Piece]:
            del prompt, decoding
            if not self.name:
                yield Piece(text="")
            raise ModelError("no")

    with pytest.raises(ModelError, match=r"\[student\] left 20 of 20 .* unanswered, e.g. no"):
        timed(tmp_path, Mute("student"), Slow("teacher"), ServingTable(requests=20))
