"""Several students of one teacher: each is a pair of its own, and one table compares them."""

import json
from collections.abc import Mapping

from kdaudit.closing import WORDS, closing
from kdaudit.data.audit_file import AuditFile
from kdaudit.errors import ConfigError, ExitCode, KdauditError, unknown
from kdaudit.estimate import Estimate
from kdaudit.printed import printed
from kdaudit.results import WORST_FIRST, Check, Limit, Outcome, Results, Severity, Verdict, address
from kdaudit.results_file import dump

STOPPED = {ExitCode.BAD_INPUT: "BAD INPUT", ExitCode.DAMAGED: "DAMAGED"}
WRITTEN = (".html", ".json", ".md", ".parquet", ".toml", ".xml")


def pairs(file: AuditFile, student: str | None = None) -> dict[str, AuditFile]:
    """One audit of one pair per student, by the student's name; ``""`` is that of ``[student]``.

    Args:
        file: the audit file.
        student: pick this one.

    Raises:
        ConfigError: for no student, or an unknown one.
    """
    if student is not None and student not in file.students:
        raise ConfigError(
            unknown("student", student, file.students)
            if file.students
            else "--student picks one of [students.NAME], and the audit file names one [student]"
        )
    if file.student is not None:
        return {"": file}
    for name in file.students:
        if name.lower().endswith(WRITTEN):
            raise ConfigError(
                f"[students.{name}] names a folder, and ends like a file that kdaudit writes "
                f"({', '.join(WRITTEN)}); name it otherwise"
            )
    if not file.students:
        raise ConfigError(
            "the audit file names no [student]; `--only teacher` audits the teacher alone"
        )
    return {
        name: file.model_copy(
            update={
                "student": table,
                "students": {},
                "audit": file.audit.model_copy(update={"name": f"{file.audit.name}/{name}"}),
            }
        )
        for name, table in file.students.items()
        if student in (None, name)
    }


def teacher_only(file: AuditFile) -> AuditFile:
    """The audit of the teacher alone."""
    name = f"{file.audit.name}-teacher"
    return file.model_copy(
        update={
            "student": None,
            "students": {},
            "baseline": None,
            "audit": file.audit.model_copy(update={"name": name}),
        }
    )


def exit_code(made: Mapping[str, Results | KdauditError]) -> ExitCode:
    """The exit code of all: 70 > 2 > 4 > 1 > 3 > 0."""
    return ExitCode.worst(_code(one) for one in made.values())


def summary(made: Mapping[str, Results | KdauditError]) -> str:
    """The closing word of all: that of the worst, and how many may ship."""
    worst = exit_code(made)
    words = [word(one) for one in made.values() if _code(one) is worst]
    said = "WARN" if "WARN" in words else words[0]
    ship = sum(_code(one) is ExitCode.MET for one in made.values())
    lenient = sum(word(one) == "WARN" for one in made.values())
    by_policy = f", {lenient} of them by policy only" if lenient else ""
    return f"{said} ({ship} of {len(made)} students met the contract{by_policy})"


def word(one: Results | KdauditError) -> str:
    """What became of one student: the word that its own run closes with."""
    if isinstance(one, KdauditError):
        return STOPPED[one.exit_code]
    return closing(one).partition(" (")[0]


def comparison(made: Mapping[str, Results | KdauditError]) -> str:
    """Students by checks, as a Markdown table: outcome and what was held against the limit.

    Of a check with many members the worst one is shown, and how many there are.
    """
    decided = {name: one for name, one in made.items() if isinstance(one, Results)}
    contract = next((one.contract for one in decided.values()), ())
    rows = [["check", "limit", *made]]
    rows.append(["**all**", "", *map(_whole, made.values())])
    for number, check in enumerate(contract):
        cells = [
            _cell(check, [v for v in one.verdicts if v.check == number])
            if isinstance(one, Results)
            else ""
            for one in made.values()
        ]
        rows.append([_place(check), _limit(check), *cells])
    lines = [f"| {' | '.join(map(_escaped, row))} |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]) + "\n"


def _whole(one: Results | KdauditError) -> str:
    reason = f": {one}" if isinstance(one, KdauditError) else ""
    return f"**{word(one)}**{reason}"


def as_json(made: Mapping[str, Results | KdauditError]) -> str:
    """``results.json`` of every student by name; of one that has none, the reason."""
    found = {
        name: {"error": str(one)} if isinstance(one, KdauditError) else json.loads(dump(one))
        for name, one in made.items()
    }
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _code(one: Results | KdauditError) -> ExitCode:
    return one.exit_code if isinstance(one, KdauditError) else ExitCode(one.exit_code)


def _place(check: Check) -> str:
    each = tuple((column, "*") for column in check.each)
    return address(check.code, check.where or each)


def _limit(check: Check) -> str:
    against = f" against {check.against}" if check.limit in (Limit.MARGIN, Limit.KEEP) else ""
    mark = "" if check.severity is Severity.BLOCK else f" ({check.severity} only)"
    return f"{check.limit} {check.value:g}{against}{mark}"


def _cell(check: Check, verdicts: list[Verdict]) -> str:
    # Small members of many were only listed; they do not stand for the check.
    told = [v for v in verdicts if v.outcome is not Outcome.NOT_EVALUABLE or v.blocks] or verdicts
    worst = min(told, key=lambda verdict: WORST_FIRST.index(verdict.outcome))
    many = f", worst of {len(verdicts)}: {worst.address}" if check.each else ""
    if not isinstance(worst.measured, Estimate):
        return f"{WORDS[worst.outcome]}{many}"
    value, low, high = (
        figure(x, check.value)
        for x in (worst.measured.value, worst.measured.low, worst.measured.high)
    )
    return f"{WORDS[worst.outcome]} {value} [{low}, {high}], n = {worst.measured.n:,}{many}"


def figure(number: float, limit: float) -> str:
    """A number in as few digits as keep it on its own side of the limit, three at least.

    >>> figure(0.0123456, 0.02), figure(0.0200004, 0.02)
    ('0.0123', '0.0200004')
    """
    for digits in range(3, 17):
        text = f"{number:.{digits}g}"
        if (float(text) > limit, float(text) < limit) == (number > limit, number < limit):
            return text
    return repr(number)


def _escaped(cell: str) -> str:
    text = printed(" ".join(cell.split()))
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
