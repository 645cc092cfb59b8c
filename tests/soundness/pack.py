"""Broken inputs to a gate: each case is a folder of files, and what must come of it.

The pair is simulated: 600 rows of three classes, a teacher that is right on nine rows in ten, and a
student that is nearly as good. Unbroken, it passes.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

ROWS = 600
CLASSES = ("card", "loan", "other")
AUDIT = """
[audit]
name = "gate"
[data]
path = "data.csv"
id = "id"
label = "label"
{roles}
[teacher]
predictions = "{teacher}"
{teacher_timed}
[student]
predictions = "{student}"
{student_timed}
{suites}
{contract}
[policy.lenient]
inconclusive = "warn"
not_evaluable = "warn"
"""
CONTRACT = """[[contract]]
check = "ACC001"
margin = 0.08
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The files of a case, before they are written.

    Attributes:
        data: id, label, and the columns that ``roles`` name.
        teacher: id and a probability per class.
        student: likewise.
        roles: more lines of ``[data]``.
        suites: TOML tables of suites.
        contract: TOML of the checks.
        parquet: whether the subjects' files are Parquet.
        cut: bytes to cut off the end of the student's file.
        timed: how teacher and student served requests, or nothing.
        hardware: what each was timed on.
    """

    data: pd.DataFrame
    teacher: pd.DataFrame
    student: pd.DataFrame
    roles: str = ""
    suites: str = ""
    contract: str = CONTRACT
    parquet: bool = False
    cut: int = 0
    timed: tuple[pd.DataFrame, pd.DataFrame] | None = None
    hardware: tuple[str, str] = ("a phone", "a phone")

    def write(self, folder: Path) -> Path:
        """Write the files and give the path of the audit file."""
        folder.mkdir(parents=True, exist_ok=True)
        ending = "parquet" if self.parquet else "csv"
        self.data.to_csv(folder / "data.csv", index=False)
        for name, table in (("teacher", self.teacher), ("student", self.student)):
            path = folder / f"{name}.{ending}"
            if self.parquet:
                table.to_parquet(path)
            else:
                table.to_csv(path, index=False)
        if self.cut:
            path = folder / f"student.{ending}"
            path.write_bytes(path.read_bytes()[: -self.cut])
        timed = ["", ""]
        for i, table in enumerate(self.timed or ()):
            name = f"timings-{i}.csv"
            table.to_csv(folder / name, index=False)
            timed[i] = f'timings = "{name}"\nhardware = "{self.hardware[i]}"'
        audit = folder / "audit.toml"
        audit.write_text(
            AUDIT.format(
                roles=self.roles,
                suites=self.suites,
                contract=self.contract,
                teacher=f"teacher.{ending}",
                student=f"student.{ending}",
                teacher_timed=timed[0],
                student_timed=timed[1],
            ),
            "utf-8",
        )
        return audit


def good(rows: int = ROWS) -> Inputs:
    """A pair that passes."""
    rng = np.random.default_rng(20)
    label = rng.integers(0, 3, rows)
    teacher = np.where(rng.random(rows) < 0.9, label, (label + 1) % 3)
    student = np.where(rng.random(rows) < 0.97, teacher, (label + 2) % 3)
    ids = [f"row-{i:04d}" for i in range(rows)]
    return Inputs(
        data=pd.DataFrame({"id": ids, "label": [CLASSES[i] for i in label]}),
        teacher=_answers(ids, teacher, 0.9),
        student=_answers(ids, student, 0.85),
    )


def _timed(
    check: str, hardware: tuple[str, str], left_out: int = 0, column: str = "", rate: float = 1.0
) -> Inputs:
    """A student that takes half of the teacher's time, or more than a second in its slowest.

    Args:
        check: lines of the contract.
        hardware: of teacher and student.
        left_out: how many of the slowest requests the student's file lacks.
        column: or only this cell of them.
        rate: of the requests that the student got, by those of the teacher.
    """
    due = 10.0 * np.arange(300)
    seconds = 0.8 + 0.1 * np.random.default_rng(3).random(300)
    teacher = pd.DataFrame(
        {
            "request": [f"request-{i}" for i in range(300)],
            "scenario": "single-stream",
            "sent_s": due,
            "last_token_s": due + seconds,
        }
    )
    slow = np.arange(300) >= 300 - left_out
    student = teacher.assign(last_token_s=due + np.where(slow, 2.0, seconds / 2))
    if column:
        first = due + np.where(slow, 1.5, 0.1)
        teacher = teacher.assign(first_token_s=due + 0.1)
        student = student.assign(first_token_s=first)
        student.loc[slow, column] = np.nan
        slow = np.zeros(300, dtype=bool)
    if rate != 1.0:
        seldom = {name: student[name] - due + due / rate for name in ("sent_s", "last_token_s")}
        student = student.assign(scenario="server", scheduled_s=due / rate, **seldom)
        teacher = teacher.assign(scenario="server", scheduled_s=due)
    return replace(
        good(),
        suites="[suites.latency]\nlimits = { answer = 1000 }",
        contract=f"[[contract]]\n{check}\n",
        timed=(teacher, student[~slow]),
        hardware=hardware,
    )


class Files(Protocol):
    """What a case consists of."""

    def write(self, folder: Path) -> Path:
        """Write the files and give the path of the audit file."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One broken input.

    Attributes:
        wrong: what is wrong with it.
        outcome: the first word of the last line, or REFUSED where nothing is decided.
        code: the exit code.
        make: its files.
        lenient: whether a policy that forgives all it can may turn the exit code into 0.
    """

    wrong: str
    outcome: str
    code: int
    make: Callable[[], Files]
    lenient: bool = False


def _answers(
    ids: list[str], answer: "np.ndarray[tuple[int], np.dtype[np.int64]]", p: float
) -> pd.DataFrame:
    probability = np.full((len(ids), 3), (1 - p) / 2)
    probability[np.arange(len(ids)), answer] = p
    table = pd.DataFrame(probability, columns=[f"p_{name}" for name in CLASSES])
    table.insert(0, "id", ids)
    return table


def _student(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[], Inputs]:
    return lambda: replace(good(), student=change(good().student))


def _teacher(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[], Inputs]:
    return lambda: replace(good(), teacher=change(good().teacher))


def _blank(table: pd.DataFrame, rows: slice) -> pd.DataFrame:
    table = table.copy()
    table.loc[table.index[rows], [f"p_{name}" for name in CLASSES]] = np.nan
    return table


def _shuffled_ids(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(id=np.random.default_rng(0).permutation(table.id.to_numpy()))


def _labels_of(table: pd.DataFrame) -> pd.Series:
    names = [str(name).removeprefix("p_") for name in table.drop(columns="id").idxmax(axis=1)]
    return pd.Series(names, index=table.index)


def _copied(who: str) -> Inputs:
    made = good()
    labels = _labels_of(made.teacher if who == "teacher" else made.student)
    return replace(made, data=made.data.assign(label=labels))


def _copied_but_one() -> Inputs:
    made = _copied("student")
    first = "loan" if made.data.label.iloc[0] == "card" else "card"
    return replace(made, data=made.data.assign(label=[first, *made.data.label[1:]]))


def _one_class() -> Inputs:
    made = good()
    keep = (made.data.label == "card").to_numpy()
    return replace(
        made, data=made.data[keep], teacher=made.teacher[keep], student=made.student[keep]
    )


def _never_differs(rows: int) -> Inputs:
    made = good(rows)
    return replace(made, student=made.teacher, contract=CONTRACT.replace("0.08", "0.01"))


def _clusters(sizes: list[int]) -> Inputs:
    made = good()
    user = np.repeat(np.arange(len(sizes)), sizes)
    return replace(made, data=made.data.assign(user=user), roles='cluster = "user"')


def _teacher_without_its_mistakes() -> Inputs:
    made = good()
    wrong = np.flatnonzero((_labels_of(made.teacher) != made.data.label).to_numpy())
    right = np.setdiff1d(np.arange(ROWS), wrong)
    gone = np.concatenate([wrong, right])[:60]
    return replace(made, teacher=made.teacher.drop(index=made.teacher.index[gone]))


CASES: dict[str, Case] = {
    "unbroken": Case(wrong="nothing", outcome="PASS", code=0, make=good),
    "reordered": Case(
        wrong="the student's rows stand in another order; answers are looked up by id",
        outcome="PASS",
        code=0,
        make=_student(lambda t: t.sample(frac=1, random_state=0)),
    ),
    "no-rows": Case(
        wrong="the data file has a header and no rows",
        outcome="REFUSED",
        code=2,
        make=lambda: replace(good(), data=good().data[:0]),
    ),
    "no-answers": Case(
        wrong="the student's file has a header and no rows",
        outcome="REFUSED",
        code=2,
        make=_student(lambda t: t[:0]),
    ),
    "all-skipped": Case(
        wrong="every answer of the student is empty",
        outcome="REFUSED",
        code=2,
        make=_student(lambda t: _blank(t, slice(None))),
    ),
    "nothing-measured": Case(
        wrong="the only check is on latency, which files of answers do not have",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: replace(good(), contract='[[contract]]\ncheck = "LAT001"\nat_least = 2.0\n'),
    ),
    "other-hardware": Case(
        wrong="the student was timed on a faster machine than the teacher",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: _timed('check = "LAT001"\nat_least = 1.0', ("a phone", "a server")),
    ),
    "slow-requests-missing": Case(
        wrong="the student's file lacks its 20 slowest requests of 300",
        outcome="FAIL",
        code=1,
        make=lambda: _timed(
            'check = "LAT010"\nwhere = { scenario = "single-stream" }\nat_least = 0.98',
            ("a phone", "a phone"),
            left_out=20,
        ),
    ),
    "slow-requests-missing-of-throughput": Case(
        wrong="the same, where requests a second are checked",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: _timed(
            'check = "LAT011"\nwhere = { scenario = "single-stream" }\nat_least = 2.0',
            ("a phone", "a phone"),
            left_out=20,
        ),
    ),
    "slow-first-tokens-missing": Case(
        wrong="the student's file lacks the first token of its 20 slowest requests of 300",
        outcome="INCONCLUSIVE",
        code=3,
        make=lambda: _timed(
            'check = "LAT007"\nwhere = { scenario = "single-stream", percentile = "p95" }\n'
            "at_most = 500.0",
            ("a phone", "a phone"),
            left_out=20,
            column="first_token_s",
        ),
        lenient=True,
    ),
    "another-rate": Case(
        wrong="under load the student got a tenth of the teacher's requests a second",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: _timed(
            'check = "LAT009"\nwhere = { scenario = "server", percentile = "p95" }\nmargin = 0.0',
            ("a phone", "a phone"),
            rate=0.1,
        ),
    ),
    "student-rows-missing": Case(
        wrong="the student leaves out 30 of 600 rows",
        outcome="FAIL",
        code=1,
        make=_student(lambda t: t[30:]),
    ),
    "student-rows-empty": Case(
        wrong="30 of 600 answers of the student are empty",
        outcome="FAIL",
        code=1,
        make=_student(lambda t: _blank(t, slice(30))),
    ),
    "student-mostly-missing": Case(
        wrong="the student answers fewer than half of the rows",
        outcome="REFUSED",
        code=2,
        make=_student(lambda t: t[301:]),
    ),
    "teacher-rows-missing": Case(
        wrong="the teacher leaves out 60 of 600 rows, among them all it gets wrong: they count as "
        "right for it",
        outcome="FAIL",
        code=1,
        make=_teacher_without_its_mistakes,
    ),
    "teacher-mostly-missing": Case(
        wrong="the teacher answers fewer than half of the rows",
        outcome="REFUSED",
        code=2,
        make=_teacher(lambda t: t[301:]),
    ),
    "duplicate-id": Case(
        wrong="an id stands twice in the student's file",
        outcome="REFUSED",
        code=2,
        make=_student(lambda t: pd.concat([t, t[:1]])),
    ),
    "duplicate-data-id": Case(
        wrong="an id stands twice in the data",
        outcome="REFUSED",
        code=2,
        make=lambda: replace(good(), data=pd.concat([good().data, good().data[:1]])),
    ),
    "foreign-id": Case(
        wrong="the student answers a row that the data do not have",
        outcome="REFUSED",
        code=2,
        make=_student(lambda t: t.assign(id=["strange", *t.id[1:]])),
    ),
    "nan-id": Case(
        wrong="an id of the student's file is empty",
        outcome="REFUSED",
        code=2,
        make=_student(lambda t: t.assign(id=["", *t.id[1:]])),
    ),
    "shuffled-student": Case(
        wrong="the ids of the student's file are shuffled against its answers",
        outcome="REFUSED",
        code=2,
        make=_student(_shuffled_ids),
    ),
    "shuffled-teacher": Case(
        wrong="the ids of the teacher's file are shuffled, so that any student beats it",
        outcome="REFUSED",
        code=2,
        make=_teacher(_shuffled_ids),
    ),
    "truncated-csv": Case(
        wrong="the student's file ends in the middle of a row, 3,000 bytes early",
        outcome="FAIL",
        code=1,
        make=lambda: replace(good(), cut=3000),
    ),
    "truncated-parquet": Case(
        wrong="the student's Parquet file lacks its last 100 bytes",
        outcome="REFUSED",
        code=2,
        make=lambda: replace(good(), parquet=True, cut=100),
    ),
    "one-class": Case(
        wrong="every audited row has the same label",
        outcome="NOT EVALUABLE",
        code=3,
        make=_one_class,
    ),
    "labels-of-the-teacher": Case(
        wrong="the labels are the teacher's answers",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: _copied("teacher"),
    ),
    "labels-of-the-student": Case(
        wrong="the labels are the student's answers",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: _copied("student"),
    ),
    "labels-nearly-of-the-student": Case(
        wrong="the labels are the student's answers but for one row",
        outcome="NOT EVALUABLE",
        code=3,
        make=_copied_but_one,
    ),
    "no-difference-few-rows": Case(
        wrong="the student equals the teacher on 100 rows: no evidence for a margin of one point",
        outcome="INCONCLUSIVE",
        code=3,
        make=lambda: _never_differs(100),
        lenient=True,
    ),
    "no-difference": Case(
        wrong="nothing: the student equals the teacher on 600 rows, enough for one point",
        outcome="PASS",
        code=0,
        make=lambda: _never_differs(600),
    ),
    "one-cluster": Case(
        wrong="all rows are of one user",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: _clusters([600]),
    ),
    "one-big-cluster": Case(
        wrong="one user has 590 of 600 rows, ten have one each",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: _clusters([590, *[1] * 10]),
    ),
    "no-check": Case(
        wrong="the contract is empty",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: replace(good(), contract=""),
    ),
    "no-such-slice": Case(
        wrong="the check names a slice without rows",
        outcome="NOT EVALUABLE",
        code=3,
        make=lambda: replace(
            good(),
            data=good().data.assign(channel="web"),
            roles='slices = ["channel"]',
            contract='[[contract]]\ncheck = "SLC001"\nwhere = { channel = "shop" }\nmargin = 0.1\n',
        ),
    ),
}


def main() -> None:
    """Write the files of one case."""
    from tests.soundness import language

    name, folder = sys.argv[1:]
    print((CASES | language.CASES)[name].make().write(Path(folder)))  # noqa: T201  # a script's answer


if __name__ == "__main__":
    main()
