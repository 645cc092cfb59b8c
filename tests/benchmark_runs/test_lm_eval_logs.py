"""Logs of lm-eval, read without it: aggregates agree, rows pair, and what differs is refused."""

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdaudit.basis import own
from kdaudit.data.audit_file import AuditFile, parse, read_audit_file
from kdaudit.data.dataset import load
from kdaudit.data.lm_eval_logs import read_lm_eval
from kdaudit.errors import ConfigError, DataError
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.store import Store
from kdaudit.pipeline import audit_file
from kdaudit.plan import make_plan
from kdaudit.results import Finding, Means, Results, Table
from tests.benchmark_runs.runs import Task, lm_eval_run, mean, mean_stderr

N = 60
Audit = Callable[..., Results]


def zero_one(seed: int, n: int = N) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).random(n) < 0.7]


def shares(seed: int, n: int = N) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).random(n)]


def arc(seed: int, **changed: Any) -> Task:
    n = changed.pop("n", N)
    given: dict[str, Any] = {
        "scores": {("acc", "none"): zero_one(seed, n), ("acc_norm", "none"): zero_one(seed + 1, n)}
    }
    return Task(**(given | changed))


def qa(seed: int) -> Task:
    return Task(
        scores={
            ("exact_match", "strict-match"): zero_one(seed, 40),
            ("exact_match", "flexible"): zero_one(seed + 1, 40),
            ("f1", "strict-match"): shares(seed, 40),
            ("f1", "flexible"): shares(seed + 1, 40),
        },
        version="2.1",
        shots=5,
    )


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Audit the runs ``teacher`` and ``student`` beside the audit file."""
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)

    def carry_out(more: str = "", frame: str = "teacher", only: Any = None) -> Results:
        (tmp_path / "audit.toml").write_text(
            f"""
            audit = {{ name = "lm" }}
            data.path = "lm-eval:{frame}"
            teacher = {{ lm_eval = "teacher" }}
            student = {{ lm_eval = "student" }}
            {more}
            """,
            "utf-8",
        )
        return audited(tmp_path, only)

    return carry_out


def audited(folder: Path, only: Any = None) -> Results:
    file = read_audit_file(folder / "audit.toml")
    plan, data = make_plan(file, folder, only=only), load(file, folder)
    results = audit_file(plan, data, store=Store.beside(folder)).results
    (suite,) = [one for one in results.suites if one.suite == "accuracy"]
    assert suite.error is None
    return results


def pair(folder: Path, teacher: Mapping[str, Task], student: Mapping[str, Task]) -> None:
    for role, tasks in (("teacher", teacher), ("student", student)):
        lm_eval_run(folder / role, tasks)


def task_finding(results: Results, **where: str) -> Finding:
    address = ",".join(f"{key}={value}" for key, value in sorted(where.items()))
    return results.finding(f"ACC010[{address}]")


def value(measured: object) -> float:
    assert isinstance(measured, Estimate), measured
    return measured.value


def notes(results: Results) -> str:
    (suite,) = [one for one in results.suites if one.suite == "accuracy"]
    return " ".join(suite.notes)


def test_aggregates_agree_with_lm_eval_s_own(tmp_path: Path, audit: Audit) -> None:
    runs = {}
    for role, seed in (("teacher", 0), ("student", 50)):
        tasks = {"arc": arc(seed), "quiz": arc(seed + 7, n=24), "qa": qa(seed)}
        members = ("arc", "quiz")
        groups = {"by_rows": (members, True), "by_tasks": (members, False)}
        lm_eval_run(tmp_path / role, tasks, groups)
        runs[role] = json.loads(next((tmp_path / role).glob("results_*")).read_text("utf-8"))
    results = audit()
    compared = 0
    for role, said in runs.items():
        for key, table in (("task", said["results"]), ("group", said["groups"])):
            for name, entry in table.items():
                for metric, theirs in entry.items():
                    plain, _, filtered = metric.partition(",")
                    if not filtered or plain.endswith("_stderr"):
                        continue
                    where = {key: name, "metric": plain}
                    where |= {} if filtered == "none" else {"filter": filtered}
                    finding = task_finding(results, **where)
                    ours = value(getattr(finding, role))
                    # 0/1 scores are counted: the same quotient, bit for bit.
                    counted = isinstance(finding.basis, Table) and key == "task"
                    assert ours == theirs if counted else ours == pytest.approx(theirs, rel=1e-12)
                    compared += 1
                    if key == "task" and isinstance(finding.basis, Means):
                        place = ("student", "teacher").index(role)
                        spread = math.sqrt(finding.basis.covariance[place][place])
                        assert spread == pytest.approx(entry[f"{plain}_stderr,{filtered}"])
    assert compared == 2 * (4 + 4 + 4)
    assert "as lm-eval weighs" in task_finding(results, group="by_rows", metric="acc").note
    assert "counts the same" in task_finding(results, group="by_tasks", metric="acc").note


def test_zero_one_scores_are_paired_by_their_table_and_stand_beside_the_unpaired_interval(
    tmp_path: Path, audit: Audit
) -> None:
    teacher = zero_one(3)
    student = [1 - x if i % 10 == 0 else x for i, x in enumerate(teacher)]
    pair(
        tmp_path,
        {"arc": Task(scores={("acc", "none"): teacher})},
        {"arc": Task(scores={("acc", "none"): student})},
    )
    results = audit()
    finding = task_finding(results, task="arc", metric="acc")
    cells = [(s, t) for t, s in zip(teacher, student, strict=True)]
    assert finding.basis == Table(
        n11=cells.count((1, 1)),
        n10=cells.count((1, 0)),
        n01=cells.count((0, 1)),
        n00=cells.count((0, 0)),
    )
    (suite,) = [one for one in results.suites if one.suite == "accuracy"]
    (figure,) = suite.figures
    (row,) = [dict(zip(figure.columns, row, strict=True)) for row in figure.rows]
    assert row["teacher, by the tool"] == row["teacher"] == mean(teacher)
    reach = 1.6448536 * math.hypot(mean_stderr(teacher), mean_stderr(student))
    assert row["unpaired, high"] == pytest.approx(mean(student) - mean(teacher) + reach)
    paired = float(str(row["paired, high"])) - float(str(row["paired, low"]))
    assert paired < 2 * reach  # six documents differ: pairing knows that 54 do not


def test_the_brier_score_of_a_row_comes_from_its_likelihoods(tmp_path: Path, audit: Audit) -> None:
    logged = [[i % 2, "[0.26894142 0.73105858]"] for i in range(N)]  # as numpy prints them
    task = Task(scores={("brier_score", "none"): logged}, better={"brier_score": False})
    pair(tmp_path, {"arc": task}, {"arc": task})
    low, high = 1 / (1 + math.exp(-1)), 1 / (1 + math.e)  # of log-likelihoods -0.5 and -1.5
    rows = [2 * (high if i % 2 else low) ** 2 for i in range(N)]
    finding = task_finding(audit(), task="arc", metric="brier_score")
    assert value(finding.teacher) == pytest.approx(mean(rows), rel=1e-14)


def test_an_identical_student_differs_nowhere(tmp_path: Path, audit: Audit) -> None:
    tasks = {"arc": arc(0), "qa": qa(1)}
    pair(tmp_path, tasks, tasks)
    results = audit(
        'contract = [{ check = "ACC010", where = { task = "arc", metric = "acc" }, margin = 0.1 }]'
    )
    assert results.exit_code == 0
    found = [f for s in results.suites for f in s.findings if f.code == "ACC010"]
    assert len(found) == 6
    assert all(value(finding.difference) == 0 for finding in found)
    assert notes(results) == ""


def test_a_missing_row_is_the_worst_for_the_student_and_is_counted(
    tmp_path: Path, audit: Audit
) -> None:
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(0)})
    (samples,) = (tmp_path / "student").glob("samples_*")
    lines = samples.read_text("utf-8").splitlines(keepends=True)
    samples.write_text("".join(lines[6:]), "utf-8")
    results = audit()
    scores = zero_one(0)
    finding = task_finding(results, task="arc", metric="acc")
    assert value(finding.student) == sum(scores[6:]) / N
    assert value(finding.teacher) == mean(scores)
    assert value(results.finding("ACC003").student) == 6 / N
    assert "rows are missing" in notes(results)


def test_a_missing_row_leaves_its_group_measured(tmp_path: Path, audit: Audit) -> None:
    groups = {"by_tasks": (("arc", "quiz"), False)}
    for role in ("teacher", "student"):
        lm_eval_run(tmp_path / role, {"arc": arc(0), "quiz": arc(7, n=24)}, groups)
    (samples,) = (tmp_path / "student").glob("samples_quiz_*")
    lines = samples.read_text("utf-8").splitlines(keepends=True)
    samples.write_text("".join(lines[1:]), "utf-8")
    finding = task_finding(audit(), group="by_tasks", metric="acc")
    quiz = sum(zero_one(7, 24)[1:]) / 24
    assert value(finding.student) == pytest.approx((mean(zero_one(0)) + quiz) / 2)


def test_a_declared_score_that_no_run_has_is_refused(tmp_path: Path, audit: Audit) -> None:
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(5)})
    with pytest.raises(DataError, match=r"unknown metric 'ac'\. Did you mean 'acc'"):
        audit('data.scores.ac = { better = "higher", low = 0, high = 1 }')


def test_rows_that_the_frame_lacks_are_refused(tmp_path: Path, audit: Audit) -> None:
    pair(tmp_path, {"arc": arc(0, n=50)}, {"arc": arc(0, n=60)})
    with pytest.raises(DataError, match="10 ids are not in the data file"):
        audit()
    # Named as the frame, the longer run is audited whole: the teacher gets the best of its gaps.
    finding = task_finding(audit(frame="student"), task="arc", metric="acc")
    assert value(finding.teacher) == (sum(zero_one(0, 50)) + 10) / 60


def test_fewer_than_half_of_a_task_is_refused(tmp_path: Path, audit: Audit) -> None:
    pair(tmp_path, {"arc": arc(0), "qa": qa(0)}, {"arc": arc(0), "qa": qa(0)})
    (samples,) = (tmp_path / "student").glob("samples_qa_*")
    kept = [line for line in samples.read_text("utf-8").splitlines() if '"doc_id": 1' in line]
    samples.write_text("\n".join(kept), "utf-8")
    with pytest.raises(DataError, match=r"\[student\] student has 11 of the 40 .* task 'qa'"):
        audit()
    samples.unlink()
    with pytest.raises(DataError, match="has 0 of the 40 documents of task 'qa'"):
        audit()


def test_nan_counts_as_missing(tmp_path: Path, audit: Audit) -> None:
    broken = [math.nan, None, *zero_one(0)[2:]]
    pair(tmp_path, {"arc": arc(0)}, {"arc": Task(scores={("acc", "none"): broken})})
    results = audit()
    student = task_finding(results, task="arc", metric="acc").student
    assert value(student) == sum(zero_one(0)[2:]) / N
    assert value(results.finding("ACC003").student) == 2 / N
    norm = task_finding(results, task="arc", metric="acc_norm")
    assert isinstance(norm.basis, NotMeasured)
    assert norm.basis.reason == "[student] student has no acc_norm there"


def test_a_document_that_stands_twice_pairs_by_its_repeat_and_is_one_cluster(
    tmp_path: Path, audit: Audit
) -> None:
    documents = [f"question {i % 30}" for i in range(N)]
    pair(tmp_path, {"arc": arc(0, documents=documents)}, {"arc": arc(9, documents=documents)})
    log = read_lm_eval("teacher", tmp_path).tasks["arc"]
    assert log.repeats == (0,) * 30 + (1,) * 30
    results = audit()
    finding = task_finding(results, task="arc", metric="acc")
    assert isinstance(finding.basis, Means)
    assert finding.basis.clusters == 30
    assert value(finding.teacher) == pytest.approx(mean(zero_one(0)))
    assert results.data.clusters == 30


def test_a_row_that_was_appended_twice_is_refused(tmp_path: Path) -> None:
    run = lm_eval_run(tmp_path / "teacher", {"arc": arc(0)})
    (samples,) = run.glob("samples_*")
    samples.write_text(samples.read_text("utf-8") * 2, "utf-8")
    with pytest.raises(DataError, match="document 0 of task 'arc' stands twice"):
        read_lm_eval("teacher", tmp_path)


def test_a_line_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    run = lm_eval_run(tmp_path / "teacher", {"arc": arc(0)})
    (samples,) = run.glob("samples_*")
    samples.write_bytes(samples.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"line 60 is not JSON \(cut off\?\)"):
        read_lm_eval("teacher", tmp_path)
    (said,) = run.glob("results_*")
    said.write_bytes(said.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"results_.* is not JSON"):
        read_lm_eval("teacher", tmp_path)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"version": 2.0}, r"'arc' has version 1.0 in \[teacher\] teacher and 2.0 in \[student\]"),
        ({"shots": 5}, "has few-shot number 0 in .* and 5 in"),
        ({"targets": ["b"] * N}, "expect other answers to the same document"),
    ],
)
def test_another_setting_is_refused_and_both_are_named(
    tmp_path: Path, audit: Audit, changed: dict[str, Any], sentence: str
) -> None:
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(0, **changed)})
    with pytest.raises(DataError, match=sentence):
        audit()


def test_another_filter_is_refused(tmp_path: Path, audit: Audit) -> None:
    other = Task(scores={("acc", "remove"): zero_one(0)})
    pair(tmp_path, {"arc": arc(0)}, {"arc": other})
    with pytest.raises(DataError, match=r"filters 'none' in .* and 'remove' in"):
        audit()


def test_other_prompts_for_the_same_documents_are_a_note(tmp_path: Path, audit: Audit) -> None:
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(5, template="<|user|>")})
    results = audit()
    assert "other prompts than [teacher] teacher on 60 of 60 rows, of 1 tasks" in notes(results)
    assert value(task_finding(results, task="arc", metric="acc").student) == mean(zero_one(5))


def test_without_results_files_what_was_not_compared_is_said(tmp_path: Path, audit: Audit) -> None:
    lm_eval_run(tmp_path / "teacher", {"arc": arc(0)})
    lm_eval_run(tmp_path / "student", {"arc": arc(5, version=2.0)}, results=False)
    results = audit()
    assert "has no results file" in notes(results)
    assert value(task_finding(results, task="arc", metric="acc").student) == mean(zero_one(5))


def test_results_that_are_of_other_rows_are_noted(tmp_path: Path, audit: Audit) -> None:
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(5)})
    (said,) = (tmp_path / "student").glob("results_*")
    raw = json.loads(said.read_text("utf-8"))
    raw["results"]["arc"]["acc,none"] += 0.05
    said.write_text(json.dumps(raw), "utf-8")
    assert "its rows give" in notes(audit())


def test_what_has_no_score_per_row_says_why(tmp_path: Path, audit: Audit) -> None:
    task = Task(
        scores={
            ("f1", "none"): [[1, 0]] * N,
            ("word_perplexity", "none"): [[-12.5, 7]] * N,
            ("loops", "none"): [3.0 + i for i in range(N)],
            ("acc", "none"): zero_one(0),
        }
    )
    pair(tmp_path, {"arc": task}, {"arc": task})
    results = audit()
    for metric, reason in (
        ("f1", "over all rows"),
        ("word_perplexity", "over all rows"),
        ("loops", r'its rows run from 3 to 62.*\[data.scores."loops"\]'),
    ):
        basis = task_finding(results, task="arc", metric=metric).basis
        assert isinstance(basis, NotMeasured)
        assert re.search(reason, basis.reason)
    declared = audit('data.scores.loops = { better = "lower", low = 0, high = 100 }')
    assert value(task_finding(declared, task="arc", metric="loops").student) == 32.5


def test_one_task_run_twice_is_refused(tmp_path: Path) -> None:
    lm_eval_run(tmp_path / "teacher", {"arc": arc(0)})
    lm_eval_run(tmp_path / "teacher", {"arc": arc(1)}, time="2026-02-02T00-00-00.000001")
    with pytest.raises(DataError, match=r"task 'arc' stands in samples_arc_2026-01.* and in"):
        read_lm_eval("teacher", tmp_path)


def test_a_single_file_is_read_with_the_results_beside_it(tmp_path: Path) -> None:
    run = lm_eval_run(tmp_path / "teacher", {"arc": arc(0), "qa": qa(0)})
    (samples,) = run.glob("samples_qa_*")
    logs = read_lm_eval(f"teacher/{samples.name}", tmp_path)
    assert set(logs.tasks) == {"qa"}
    assert logs.tasks["qa"].version == "2.1"
    assert logs.tasks["qa"].setting == {"few-shot number": "5"}
    table = logs.table()
    assert list(table.columns) == ["id", "task", "document", "repeat", "doc.question", "doc.topic"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _: None, "there is no folder or file teacher"),
        (lambda p: p.mkdir(), "--log_samples"),
    ],
)
def test_a_folder_without_samples_is_refused(
    tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    make(tmp_path / "teacher")
    with pytest.raises(DataError, match=sentence):
        read_lm_eval("teacher", tmp_path)


def test_rows_of_lm_eval_before_0_4_8_name_their_metrics_by_what_is_left(tmp_path: Path) -> None:
    run = lm_eval_run(tmp_path / "teacher", {"arc": arc(0)})
    (samples,) = run.glob("samples_*")
    rows = [json.loads(line) for line in samples.read_text("utf-8").splitlines()]
    old = [{k: v for k, v in row.items() if k not in ("filter", "metrics")} for row in rows]
    samples.write_text("\n".join(map(json.dumps, old)), "utf-8")
    scores = read_lm_eval("teacher", tmp_path).tasks["arc"].scores
    assert set(scores) == {"acc", "acc_norm"}
    assert np.array_equal(scores["acc"], zero_one(0))


def test_the_teacher_alone_is_measured(tmp_path: Path, audit: Audit) -> None:
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(5)})
    results = audit(only="teacher")
    finding = task_finding(results, task="arc", metric="acc")
    assert value(finding.teacher) == mean(zero_one(0))
    assert isinstance(finding.difference, NotMeasured)


def test_a_run_pairs_with_runs_of_the_same_tool_only(tmp_path: Path, audit: Audit) -> None:
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(5)})
    (tmp_path / "s.csv").write_text("id,score_acc\nx,1\n", "utf-8")
    with pytest.raises(DataError, match=r"run of lm-eval and \[baseline\] s.csv is not"):
        audit('baseline = { predictions = "s.csv" }')


def test_a_label_may_be_left_out_only_where_there_is_nothing_to_label(
    tmp_path: Path, audit: Audit
) -> None:
    whole: dict[str, Any] = {
        "audit": {"name": "x"},
        "data": {"path": "d.csv"},
        "teacher": {"predictions": "t.csv"},
        "student": {"predictions": "s.csv"},
    }
    with pytest.raises(ConfigError, match=r"data\.label is missing"):
        parse(whole, AuditFile, "audit.toml")
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(5)})
    audit()
    assert read_audit_file(tmp_path / "audit.toml").data.label is None
    ids = read_lm_eval("teacher", tmp_path).tasks["arc"].ids
    for name in ("teacher", "student"):
        lines = ["id,prediction", *(f"{row},{'ab'[i % 2]}" for i, row in enumerate(ids))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines), "utf-8")
    file = (tmp_path / "audit.toml").read_text("utf-8")
    for name in ("teacher", "student"):
        file = file.replace(f'lm_eval = "{name}"', f'predictions = "{name}.csv"')
    (tmp_path / "audit.toml").write_text(file, "utf-8")
    with pytest.raises(DataError, match="answers with classes, and there is nothing to compare"):
        audited(tmp_path)


def test_stored_results_are_decided_again_from_their_bases(tmp_path: Path, audit: Audit) -> None:
    pair(tmp_path, {"arc": arc(0)}, {"arc": arc(5)})
    results = audit()
    finding = task_finding(results, task="arc", metric="acc")
    assert isinstance(finding.basis, Table | Means)
    assert own(finding.basis, "student", 0.9) == finding.student


def test_the_audit_file_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kdaudit: Callable[..., Any]
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    page = (Path(__file__).resolve().parents[2] / "docs" / "lm-eval.md").read_text("utf-8")
    whole = page.split("```toml\n")[1].split("```")[0]
    (tmp_path / "audit.toml").write_text('[audit]\nname = "page"\n' + whole, "utf-8")
    scores = {(metric, "none"): zero_one(0, 1000) for metric in ("acc", "acc_norm")}
    for role in ("teacher", "student"):
        tasks = {"arc_easy": Task(scores=scores), "quiz": arc(7, n=1000)}
        lm_eval_run(tmp_path / "logs" / role, tasks, {"both": (("arc_easy", "quiz"), True)})
    said = kdaudit("run", tmp_path / "audit.toml")
    assert said.code == 0, said.out + said.err
    card = (tmp_path / "kdaudit-out" / "page" / "card.html").read_text("utf-8")
    assert "as lm-eval alone would compare them" in card
    assert "group = both" in card
