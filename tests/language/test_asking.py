"""Language models asked by an audit: scripted ones, so that what must be found is known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdaudit.basis import Subject
from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.data.dataset import load
from kdaudit.errors import ConfigError, DataError, KdauditError
from kdaudit.estimate import Estimate
from kdaudit.evidence.kinds import Generations, Likelihoods, Predictions
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import GENERATIONS, LIKELIHOODS, PREDICTIONS
from kdaudit.models.adapter import Decoding, Prompt, ScoredText, UnfitPromptError, Written
from kdaudit.models.generations import GenerationsFile
from kdaudit.models.open import Opened
from kdaudit.pipeline import Audited, run_plan
from kdaudit.plan import make_plan
from kdaudit.results import Finding, Outcome, Severity

N = 120


@dataclass
class Scripted:
    """Says what a table of answers holds; scores a text by its length, the truth highest."""

    name: str
    table: Mapping[str, str | None]
    truths: Mapping[str, str] = field(default_factory=dict)
    asked: list[tuple[str, float]] = field(default_factory=list)
    scored: list[tuple[str, str]] = field(default_factory=list)

    def identity(self) -> dict[str, str]:
        return {"name": self.name}

    def write(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[tuple[int, Written]]:
        for i in reversed(range(len(prompts))):
            self.asked.append((prompts[i].text, decoding.temperature))
            if len(prompts[i].text) > 200:
                raise UnfitPromptError("its prompt has 201 tokens", prompts[i])
            said = self.table[prompts[i].text]
            if said is not None and decoding.temperature:
                said = f"{said} {decoding.seed}"
            yield i, Written(text=said, truncated=False, tokens=3, why=None if said else "refused")

    def score(
        self, prompts: Sequence[Prompt], continuations: Sequence[str]
    ) -> Iterator[tuple[int, ScoredText]]:
        for i, (prompt, text) in enumerate(zip(prompts, continuations, strict=True)):
            self.scored.append((prompt.text, text))
            best = text == self.truths.get(prompt.text)
            logprob = np.full(len(text), -0.1 if best else -1.0)
            yield i, ScoredText(logprob=logprob, mean=logprob * 2, deviation=None, greedy=best)


BASE: dict[str, Any] = {
    "audit": {"name": "texts", "seed": 3},
    "data": {"path": "data.jsonl", "inputs": ["question"], "answers": "answers"},
    "prompt": {"template": "Q: {question}", "max_tokens": 8},
    "teacher": {"hf": "unused"},
    "student": {"hf": "unused"},
}


def truth(i: int) -> str:
    return f"Privateville{i}"


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [
        {
            "id": f"q{i:03d}",
            "question": f"capital of land{i}?",
            "answers": [truth(i)],
            "choices": [truth(i), f"Othertown{i}"],
            "label": ("yes", "no")[i % 2],
            "group": ("a", "b")[i % 3 == 0],
        }
        for i in range(N)
    ]
    pd.DataFrame(rows).to_json(tmp_path / "data.jsonl", orient="records", lines=True)
    return tmp_path


def table(wrong: Sequence[int] = (), missing: Sequence[int] = ()) -> dict[str, str | None]:
    said: dict[str, str | None] = {
        f"Q: capital of land{i}?": f"It is {truth(i) if i not in wrong else 'Nowhere'}."
        for i in range(N)
    }
    return said | {f"Q: capital of land{i}?": None for i in missing}


Run = Callable[..., Audited]


@pytest.fixture
def run(questions: Path) -> Run:
    def ran(changes: Mapping[str, Any], *, teacher: Any, student: Any) -> Audited:
        tables = {*BASE, *changes} - {"contract"}
        said = {key: {**BASE.get(key, {}), **changes.get(key, {})} for key in tables}
        said["contract"] = changes.get("contract", [])
        file = parse(said, AuditFile, "audit.toml")
        opened: dict[Subject, Opened] = {
            "teacher": Opened(kind="scripted", name="teacher", adapter=teacher),
            "student": Opened(kind="scripted", name="student", adapter=student),
        }
        store = Store(questions / "store")
        plan = make_plan(file, questions)
        return run_plan(plan, load(file, questions), opened, store=store)

    return ran


def finding(done: Audited, address: str) -> Finding:
    (found,) = [f for s in done.results.suites for f in s.findings if f.address == address]
    return found


def test_an_identical_student_is_found_to_do_no_harm(run: Run) -> None:
    contract = [{"check": "HAL001", "margin": 0.05}]
    teacher, student = (Scripted(name, table(range(20))) for name in ("teacher", "student"))
    done = run({"contract": contract}, teacher=teacher, student=student)
    assert [s.error for s in done.results.suites if s.error] == []
    assert {one.outcome for one in done.results.verdicts} == {Outcome.PASS}
    difference = finding(done, "HAL001").difference
    assert isinstance(difference, Estimate)
    assert difference.value == 0
    assert len(teacher.asked) == len(student.asked) == N
    assert (done.predicted, done.reused) == (
        {"teacher": N, "student": N},
        {"teacher": 0, "student": 0},
    )
    again = run({"contract": contract}, teacher=teacher, student=student)
    assert len(teacher.asked) == N
    assert again.results == done.results
    assert again.reused == {"teacher": N, "student": N}


def test_another_prompt_is_another_subject(run: Run) -> None:
    def digest(**prompt: Any) -> str:
        models = (Scripted(name, table()) for name in ("teacher", "student"))
        done = run({"prompt": prompt}, **dict(zip(("teacher", "student"), models, strict=True)))
        (student,) = [one for one in done.results.subjects if one.role == "student"]
        return student.digest

    assert digest() == digest()
    assert digest() != digest(max_tokens=9)


def test_a_student_that_says_wrong_things_fails(run: Run) -> None:
    contract = [{"check": "HAL001", "margin": 0.05}]
    done = run(
        {"contract": contract},
        teacher=Scripted("teacher", table()),
        student=Scripted("student", table(range(40))),
    )
    outcomes = {one.address: one.outcome for one in done.results.verdicts}
    assert outcomes["HAL001"] is Outcome.FAIL
    difference = finding(done, "HAL001").difference
    assert isinstance(difference, Estimate)
    assert difference.value == pytest.approx(40 / N)


def test_a_missing_answer_is_missing_and_counted(run: Run) -> None:
    done = run(
        {},
        teacher=Scripted("teacher", table()),
        student=Scripted("student", table(missing=range(6))),
    )
    texts = done.written["student"]
    assert isinstance(texts, Generations)
    assert int(texts.valid.sum()) == N - 6
    student = finding(done, "ACC003").student
    assert isinstance(student, Estimate)
    assert student.value == pytest.approx(6 / N)
    with pytest.raises(DataError, match=r"\[student\] student: only 40 of 120 rows have a text"):
        run(
            {},
            teacher=Scripted("teacher", table()),
            student=Scripted("other", table(missing=range(80))),
        )


def test_live_and_recorded_texts_stand_in_one_audit(run: Run, questions: Path) -> None:
    rows = [{"id": f"q{i:03d}", "text": f"It is {truth(i)}."} for i in range(N)]
    pd.DataFrame(rows).to_json(questions / "said.jsonl", orient="records", lines=True)
    recorded = GenerationsFile.open("said.jsonl", base=questions)
    done = run({}, teacher=recorded, student=Scripted("student", table()))
    difference = finding(done, "HAL001").difference
    assert isinstance(difference, Estimate)
    assert difference.value == 0
    assert done.predicted == {"student": N}


def test_samples_are_drawn_at_seeds_of_their_own(run: Run) -> None:
    teacher, student = (Scripted(name, table()) for name in ("teacher", "student"))
    done = run({"prompt": {"samples": 2, "temperature": 0.7}}, teacher=teacher, student=student)
    texts = done.written["teacher"]
    assert isinstance(texts, Generations)
    first = [text.rpartition(" ") for text in texts.samples[0]]
    assert len({seed for *_, seed in first}) == 2
    assert {said for said, *_ in first} == {texts.text[0]}
    assert {heat for _, heat in teacher.asked} == {0.0, 0.7}
    # One more sample asks for nothing else.
    run({"prompt": {"samples": 3, "temperature": 0.7}}, teacher=teacher, student=student)
    assert len(teacher.asked) == 4 * N


def test_choices_are_scored_and_nothing_is_written_where_nobody_waits_for_it(run: Run) -> None:
    truths = {f"Q: capital of land{i}?": truth(i) for i in range(N)}
    teacher = Scripted("teacher", {}, truths)
    student = Scripted("student", {}, dict(list(truths.items())[: N // 2]))
    data = {"data": {"choices": "choices"}, "prompt": {"max_tokens": 0}}
    done = run(data, teacher=teacher, student=student)
    assert (teacher.asked, len(teacher.scored)) == ([], 2 * N)
    likely = done.evidence[LIKELIHOODS].teacher
    assert isinstance(likely, Likelihoods)
    assert likely.each is not None
    assert likely.valid.all()
    assert likely.start.tolist() == list(range(0, 2 * N + 1, 2))
    np.testing.assert_allclose(likely.logprob[0], -0.1 * len(truth(0)))
    assert likely.greedy[:2].tolist() == [True, False]
    assert np.isnan(likely.each.deviation).all()
    assert len(likely.each.logprob) == likely.tokens.sum()
    questions = done.evidence.rows.questions
    assert questions is not None
    assert questions.choices is not None
    assert run(data, teacher=teacher, student=student).results == done.results
    assert len(teacher.scored) == 2 * N


CLASSIFY: dict[str, Any] = {
    "data": {"answers": None, "label": "label", "sensitive": ["group"]},
    "prompt": {"template": "Q: {question}", "classes": ["yes", "no"]},
}


def classes(off: Sequence[int] = (), strange: Sequence[int] = ()) -> dict[str, str | None]:
    said: dict[str, str | None] = {}
    for i in range(N):
        right = ("yes", "no")[(i + (i in off)) % 2]
        said[f"Q: capital of land{i}?"] = (
            "well, who knows" if i in strange else f" {right.title()}."
        )
    return said


def test_with_classes_a_model_that_writes_is_a_classifier(run: Run) -> None:
    teacher = Scripted("teacher", classes(range(10)))
    student = Scripted("student", classes(range(8, 30), strange=range(40, 46)))
    done = run(CLASSIFY, teacher=teacher, student=student)
    assert [s.error for s in done.results.suites if s.error] == []
    answers = done.evidence[PREDICTIONS].student
    assert isinstance(answers, Predictions)
    assert int(answers.valid.sum()) == N - 6
    accuracy = finding(done, "ACC001")
    assert isinstance(accuracy.teacher, Estimate)
    assert accuracy.teacher.value == pytest.approx(1 - 10 / N)
    invalid = finding(done, "ACC003").student
    assert isinstance(invalid, Estimate)
    assert invalid.value == pytest.approx(6 / N)
    # The texts are evidence too, and are in the store.
    assert isinstance(done.evidence[GENERATIONS].student, Generations)
    run(CLASSIFY, teacher=teacher, student=student)
    assert len(teacher.asked) == N


def test_a_classifier_is_asked_of_changed_rows_too(run: Run) -> None:
    answers = classes()
    changed = {text.replace("land1", "town1"): said for text, said in answers.items()}
    both = answers | changed
    swap = {"counterfactual": {"swap": [["land1", "town1"]]}}
    changes = {**CLASSIFY, "data": {**CLASSIFY["data"], **swap}}
    teacher, student = (Scripted(name, both) for name in ("teacher", "student"))
    done = run(changes, teacher=teacher, student=student)
    assert [s.error for s in done.results.suites if s.error] == []
    assert "Q: capital of town1?" in {text for text, _ in teacher.asked}
    # Free text is not asked of them.
    free = Scripted("free", both)
    swapped = {"data": swap}
    run(swapped, teacher=free, student=Scripted("other", both))
    assert len(free.asked) == N


def test_a_prompt_that_does_not_fit_names_its_row(run: Run, questions: Path) -> None:
    rows = pd.read_json(questions / "data.jsonl", lines=True)
    rows.loc[7, "question"] = "why " * 60
    rows.to_json(questions / "data.jsonl", orient="records", lines=True)
    said = table()
    with pytest.raises(KdauditError, match=r"^id 'q007': its prompt has 201 tokens"):
        run({}, teacher=Scripted("teacher", said), student=Scripted("student", said))


def test_nothing_to_show_or_to_ask_is_said(run: Run) -> None:
    both = {"teacher": Scripted("teacher", table()), "student": Scripted("student", table())}
    with pytest.raises(DataError, match="max_tokens = 0 lets nothing be written"):
        run({"prompt": {"max_tokens": 0}}, **both)
    with pytest.raises(DataError, match="name the columns the model is shown as `inputs`"):
        run({"prompt": {"template": None}, "data": {"inputs": []}}, **both)
    with pytest.raises(ConfigError, match="names no column, so every row would be asked the same"):
        run({"prompt": {"template": "Hello"}}, **both)
    with pytest.raises(ConfigError, match="Did you mean 'question'"):
        run({"prompt": {"template": "{qestion}"}}, **both)
    with pytest.raises(ConfigError, match="braces hold the name of a column and nothing else"):
        run({"prompt": {"template": "{question!r}"}}, **both)


def test_the_default_contract_blocks_invalid_texts(run: Run) -> None:
    done = run(
        {},
        teacher=Scripted("teacher", table()),
        student=Scripted("student", table(missing=range(6))),
    )
    (verdict,) = [one for one in done.results.verdicts if one.address == "ACC003"]
    assert verdict.outcome is Outcome.FAIL
    (check,) = [one for one in done.results.contract if one.code == "ACC003"]
    assert check.severity is Severity.BLOCK
