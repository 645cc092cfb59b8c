"""Texts and likelihoods are recorded once, answer by answer, and survive a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit.errors import DamagedError, ModelError
from kdaudit.evidence.journal import Journal
from kdaudit.evidence.record_texts import (
    Texts,
    pending,
    record_scores,
    record_texts,
    scores_key,
    texts_key,
)
from kdaudit.evidence.store import Store
from kdaudit.models.adapter import Decoding, Prompt, ScoredText, Written

DECODING = Decoding(max_tokens=5)
PROMPTS = [Prompt(text=f"question {i}") for i in (3, 1, 2, 1, 3, 0)]


@dataclass
class Speaker:
    """Answers in an order of its own, and can fail after some answers."""

    order: int = 1
    most: int | None = None
    again: bool = False
    asked: list[str] = field(default_factory=list)

    def identity(self) -> dict[str, str]:
        return {"speaker": "1"}

    def write(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Written]]:
        for done, i in enumerate(range(len(prompts))[:: self.order]):
            if done == self.most:
                raise ModelError("the line is dead")
            self.asked.append(prompts[i].text)
            text = None if prompts[i].text.endswith("0") else f"to {prompts[i].text}"
            why = None if text else "refused"
            said = Written(text=text, truncated=False, tokens=decoding.max_tokens, why=why)
            yield i, said
            if self.again:
                yield i, said

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[str]
    ) -> Iterator[tuple[int, ScoredText]]:
        for i in range(len(prompts))[:: self.order]:
            self.asked.append(f"{prompts[i].text} {continuations[i]}")
            values = -np.arange(1, 1 + len(continuations[i])) / 3
            plain = continuations[i] == "plain"
            yield (
                i,
                ScoredText(
                    logprob=values,
                    mean=None if plain else values * 2,
                    deviation=None if plain else values * 0 + 1,
                    greedy=len(continuations[i]) > 2,
                ),
            )


def texts(found: Texts) -> list[str | None]:
    return [one.text for one in found.written]


def test_equal_prompts_are_asked_once_and_what_is_stored_is_not_asked(tmp_path: Path) -> None:
    speaker = Speaker()
    done: list[int] = []
    found = record_texts(speaker, PROMPTS, DECODING, store=Store(tmp_path), progress=done.append)
    said = [None if p.text.endswith("0") else f"to {p.text}" for p in PROMPTS]
    assert texts(found) == said
    assert (found.requests, found.asked, sum(done)) == (4, 4, 4)
    assert sorted(speaker.asked) == [f"question {i}" for i in range(4)]
    assert found.written[-1] == Written(text=None, truncated=False, tokens=5, why="refused")
    again = record_texts(speaker, PROMPTS, DECODING, store=Store(tmp_path))
    assert (again.asked, again.digest, again.written) == (0, found.digest, found.written)
    assert len(speaker.asked) == 4
    assert not list(tmp_path.rglob("journal*"))


def test_the_order_of_answers_is_no_matter(tmp_path: Path) -> None:
    one = record_texts(Speaker(), PROMPTS, DECODING, store=Store(tmp_path / "a"))
    other = record_texts(Speaker(order=-1), PROMPTS, DECODING, store=Store(tmp_path / "b"))
    assert (one.digest, one.written) == (other.digest, other.written)
    parts = [sorted((tmp_path / name).rglob("*.parquet")) for name in "ab"]
    assert [p.read_bytes() for p in parts[0]] == [p.read_bytes() for p in parts[1]]


def test_another_way_of_decoding_is_another_set(tmp_path: Path) -> None:
    speaker = Speaker()
    for decoding in (DECODING, Decoding(max_tokens=6), Decoding(max_tokens=5, stop=("\n",))):
        record_texts(speaker, PROMPTS, decoding, store=Store(tmp_path))
    assert len(speaker.asked) == 12


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ModelError, match="the line is dead"):
        record_texts(Speaker(most=3), PROMPTS, DECODING, store=store)
    distinct = list(dict.fromkeys(PROMPTS))
    key = texts_key(Speaker(), distinct, DECODING)
    assert pending(key, 4, store=store).left == (3,)
    speaker = Speaker()
    found = record_texts(speaker, PROMPTS, DECODING, store=store)
    assert speaker.asked == ["question 0"]
    assert (found.asked, found.requests) == (1, 4)
    whole = record_texts(Speaker(), PROMPTS, DECODING, store=Store(tmp_path / "other"))
    assert found.digest == whole.digest
    assert pending(key, 4, store=store).left == ()


def test_a_model_that_answers_twice_or_leaves_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="answered request 1 twice"):
        record_texts(Speaker(again=True), PROMPTS, DECODING, store=Store(tmp_path / "a"))
    speaker = Speaker(order=2)  # every second one
    with pytest.raises(ModelError, match="left out 2 of 4 requests"):
        record_texts(speaker, PROMPTS, DECODING, store=Store(tmp_path / "b"))
    found = record_texts(Speaker(), PROMPTS, DECODING, store=Store(tmp_path / "b"))
    assert (found.asked, len(speaker.asked)) == (2, 2)


def test_likelihoods_come_back_to_the_last_digit(tmp_path: Path) -> None:
    pairs = [(PROMPTS[i], text) for i, text in enumerate(("no", "maybe", "plain", "no"))]
    pairs.append(pairs[1])
    speaker = Speaker(order=-1)
    found = record_scores(speaker, pairs, store=Store(tmp_path))
    again = record_scores(speaker, pairs, store=Store(tmp_path))
    assert (found.requests, found.asked, again.asked) == (4, 4, 0)
    assert found.digest == again.digest
    for one, (_, text) in zip(again.scored, pairs, strict=True):
        np.testing.assert_array_equal(one.logprob, -np.arange(1, 1 + len(text)) / 3)
        assert one.greedy == (len(text) > 2)
        assert (one.mean is None) == (text == "plain")
    other = record_scores(Speaker(), pairs, store=Store(tmp_path / "other"))
    assert other.digest == found.digest
    assert pending(scores_key(speaker, pairs[:4]), 4, store=Store(tmp_path)).left == ()


def test_a_log_probability_that_is_no_number_is_refused(tmp_path: Path) -> None:
    class Broken(Speaker):
        def score(
            self, prompts: Sequence[Prompt], continuations: Sequence[str]
        ) -> Iterator[tuple[int, ScoredText]]:
            for i, one in super().score(prompts, continuations):
                one.logprob[0] = np.nan
                yield i, one

    with pytest.raises(ModelError, match="no finite number"):
        record_scores(Broken(), [(PROMPTS[0], "x")], store=Store(tmp_path))


def test_stored_answers_that_were_changed_are_refused(tmp_path: Path) -> None:
    record_texts(Speaker(), PROMPTS, DECODING, store=Store(tmp_path))
    (part,) = tmp_path.rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedError, match="is not what was written"):
        record_texts(Speaker(), PROMPTS, DECODING, store=Store(tmp_path))


RUN = """
import sys, time
from pathlib import Path
from kdaudit.evidence.record_texts import record_texts
from kdaudit.evidence.store import Store
from tests.evidence.test_record_texts import DECODING, Speaker
from kdaudit.models.adapter import Prompt

class Slow(Speaker):
    def write(self, prompts, decoding):
        for i, said in super().write(prompts, decoding):
            with open({log!r}, "a") as file:
                file.write(prompts[i].text + "\\n")
            yield i, said
            time.sleep({pause})

prompts = [Prompt(text=f"question {{i}}") for i in range(60)]
print(record_texts(Slow(), prompts, DECODING, store=Store(Path({store!r}))).digest)
"""


def test_a_killed_run_resumes_and_asks_nothing_twice(tmp_path: Path) -> None:
    log = tmp_path / "asked.txt"

    def script(pause: float) -> list[str]:
        said = RUN.format(log=str(log), store=str(tmp_path / "store"), pause=pause)
        return [sys.executable, "-c", said]

    with subprocess.Popen(script(0.02), stdout=subprocess.PIPE) as first:
        until = time.monotonic() + 60
        while (not log.exists() or log.read_text().count("\n") < 20) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGKILL)
    assert first.returncode == -signal.SIGKILL
    before = log.read_text().splitlines()
    assert 20 <= len(before) < 60
    (journal,) = tmp_path.rglob("journal.jsonl")
    noted = len(Journal(journal).read())
    assert len(before) - 1 <= noted <= len(before)
    done = subprocess.run(script(0), capture_output=True, text=True, check=True)
    asked = log.read_text().splitlines()
    # What was asked of at the very moment of the kill may not have been noted.
    assert len(asked) == 60 + len(before) - noted
    assert set(asked) == {f"question {i}" for i in range(60)}
    whole = record_texts(
        Speaker(),
        [Prompt(text=f"question {i}") for i in range(60)],
        DECODING,
        store=Store(tmp_path / "whole"),
    )
    assert done.stdout.strip() == whole.digest


LINES = st.lists(st.text(max_size=8), min_size=1, max_size=6)


@given(said=LINES, cut=st.integers(min_value=0))
def test_a_journal_torn_anywhere_keeps_every_whole_line(
    tmp_path_factory: pytest.TempPathFactory, said: list[str], cut: int
) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "j.jsonl")
    for i, text in enumerate(said):
        journal.append(i, {"text": text})
    whole = journal.path.read_bytes()
    torn = whole[: cut % (len(whole) + 1)]
    journal.path.write_bytes(torn)
    # A line is whole with its closing brace, be it without the sign that ends it.
    kept = sum(json_line(line) for line in torn.split(b"\n"))
    assert {i: one["text"] for i, one in journal.read().items()} == dict(enumerate(said[:kept]))
    journal.append(99, {"text": "after"})
    journal.append(0, {"text": "too late"})
    found = journal.read()
    assert found[99]["text"] == "after"
    assert len(found) == kept + 1 + (kept == 0)
    assert found[0]["text"] == (said[0] if kept else "too late")


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b"Oslo", b"Rome"),
        lambda line: line.replace(b'"number": 1', b'"number": 7'),
        lambda _: b'{"number": 1, "text": "Rome"}',
        lambda _: b"[1]",
        lambda line: line.replace(b'"Oslo"', b"NaN"),
    ],
)
def test_a_line_of_a_journal_that_was_changed_is_no_answer(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    for i in range(3):
        journal.append(i, {"text": "Oslo"})
    lines = journal.path.read_bytes().split(b"\n")
    journal.path.write_bytes(b"\n".join([lines[0], change(lines[1]), *lines[2:]]))
    with pytest.raises(DamagedError, match=r"line 2 of .*j\.jsonl .* delete that line"):
        journal.read()
    journal.path.write_bytes(b"\n".join([lines[0], *lines[2:]]))
    assert set(journal.read()) == {0, 2}


def test_a_journal_of_another_set_holds_no_answers(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    Journal(tmp_path / "one" / "j.jsonl").append(0, {"text": "Oslo"})
    (tmp_path / "one" / "j.jsonl").rename(tmp_path / "other" / "j.jsonl")
    with pytest.raises(DamagedError, match="line 1"):
        Journal(tmp_path / "other" / "j.jsonl").read()


def json_line(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
