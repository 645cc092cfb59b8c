"""How far a student is inside its contract, measured on the validation split.

For a search: the audit split may decide about one student, so it cannot choose among many.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kdaudit.assemble import assemble
from kdaudit.basis import Subject
from kdaudit.contract import judge
from kdaudit.data.audit_file import AuditFile, SubjectTable
from kdaudit.data.dataset import Dataset, withheld
from kdaudit.distill.recipe import made
from kdaudit.errors import ConfigError, DataError, KdauditError, examples
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Floats
from kdaudit.evidence.store import Store
from kdaudit.models.open import Opened, open_model
from kdaudit.pipeline import measure
from kdaudit.plan import Plan, make_plan
from kdaudit.progress import Progress
from kdaudit.results import Limit, Need, Outcome, Severity, Verdict
from kdaudit.subjects import Asked, agree, ask

if TYPE_CHECKING:
    from kdaudit.distill.run import Run
    from kdaudit.distill.task import Task

VALIDATION = Need(kind="predictions", split="validation")
NO_TIMINGS = NotMeasured("a trial is not timed")

Place = tuple[int, str]  # number of the check, and the address


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slack:
    """The contract on the validation split, with everyone asked but the student.

    Attributes:
        plan: the blocking checks, and the suites they need.
        dataset: the validation rows, in the place of audited ones.
        asked: teacher, and baseline where there is one.
        table: the student's table of the audit file.
        places: what can be measured there; a student that lacks one of them has no slack.
        left_out: what cannot, with reasons.
    """

    plan: Plan
    dataset: Dataset
    asked: Mapping[Subject, Asked]
    table: SubjectTable
    places: tuple[Place, ...]
    left_out: tuple[str, ...]

    def __call__(self, task: "Task", run: "Run") -> float:
        """The smallest slack of a trained model: at least 0 where every check passes.

        The slack of a check is the distance from the harmful end of its interval to its limit, in
        its own unit; nearly all are shares.

        Raises:
            UnscoredError: if a check that can be measured was not, or answers look mixed up.
        """
        from kdaudit.distill.arms import answers
        from kdaudit.distill.search.kind import UnscoredError

        logits = answers(task, run, task.encoder(self.dataset.frame("audit").inputs))
        try:
            found = self._verdicts(logits.double().softmax(dim=1).numpy(), task.classes)
        except DataError as error:
            raise UnscoredError(str(error)) from error
        lacking = [address for number, address in self.places if (number, address) not in found]
        if lacking:
            raise UnscoredError(f"not measured of this model: {examples(lacking)}")
        return min(slack(found[place], self._limit(place)) for place in self.places)

    def _limit(self, place: Place) -> Limit:
        return self.plan.contract[place[0]].limit

    def _verdicts(self, probabilities: Floats, classes: tuple[str, ...]) -> Mapping[Place, Verdict]:
        """The verdicts with a number, by place."""
        return {
            (v.check, v.address): v
            for v in self.judged(probabilities, classes)
            if v.outcome is not Outcome.NOT_EVALUABLE
        }

    def judged(self, probabilities: Floats | None, classes: tuple[str, ...]) -> tuple[Verdict, ...]:
        """All verdicts; ``probabilities`` None puts the teacher in the student's place.

        Raises:
            DataError: if a suite crashed, or the answers do not fit.
        """
        frame, teacher = self.dataset.frame("audit"), self.asked["teacher"]
        student = replace(teacher, table=replace_model(self.table, teacher.table))
        if probabilities is not None:
            student = replace(
                teacher,
                table=self.table,
                # Its adapter is not used any more: it has answered.
                opened=replace(teacher.opened, kind="trial", name="the model of a trial"),
                classes=classes,
                probabilities=probabilities,
                labels=None,
            )
        named, subjects = agree({**self.asked, "student": student}, frame, self.plan.file.data)
        evidence = assemble(self.plan, self.dataset, named, subjects, NO_TIMINGS)
        suites = measure(self.plan, evidence)
        for suite in suites:
            if suite.error:
                raise DataError(f"the suite {suite.suite} crashed: {suite.error}")
        return judge(self.plan.contract, suites, self.plan.file.audit.alpha)


def replace_model(table: SubjectTable, other: SubjectTable) -> SubjectTable:
    """The decision rule of one table with the names of another's classes."""
    return table.model_copy(update={"rename": other.rename})


def slack(verdict: Verdict, limit: Limit) -> float:
    """Distance from the harmful end of the interval to the limit; negative where it is beyond."""
    assert not isinstance(verdict.measured, NotMeasured)
    if limit in (Limit.KEEP, Limit.AT_LEAST):
        return verdict.measured.low - verdict.limit
    return verdict.limit - verdict.measured.high


def slack_of(file: AuditFile, base: Path, recipe: Path, store: Store, progress: Progress) -> Slack:
    """Ask teacher and baseline on the validation rows, and see which checks can be measured there.

    Args:
        file: the audit file.
        base: its folder.
        recipe: whose student is searched.
        store: of recordings.
        progress: shows how far they are.

    Raises:
        ConfigError: if no blocking check can be measured there.
    """
    dataset = withheld(file, base)
    plan = _plan(file, base)
    asked: dict[Subject, Asked] = {}
    left_out = []
    roles: tuple[Subject, ...] = ("teacher", "baseline")
    for role in roles:
        table: SubjectTable | None = getattr(file, role)
        if table is None:
            continue
        try:
            opened: Opened = open_model(role, made(table, base), base)
            rows = len(dataset.frame("validation"))
            advance = progress(f"asking the {role}, validation rows", rows)
            asked[role] = ask(role, opened, plan, dataset, store, advance, VALIDATION)
        except KdauditError as error:
            if role == "teacher":
                raise
            left_out.append(f"what is held against the baseline: {error}")
    validation = dataset.frames["validation"]
    whole = Slack(
        plan=plan,
        dataset=replace(dataset, frames={**dataset.frames, "audit": validation}),
        asked=asked,
        table=_student(file, base, recipe),
        places=(),
        left_out=tuple(left_out),
    )
    # The teacher in the student's place: what cannot be measured even then is not for want of a
    # good student, and what can may not be dodged by a bad one.
    verdicts = whole.judged(None, asked["teacher"].classes)
    left_out += [f"{v.address}: {v.reason}" for v in verdicts if v.outcome is Outcome.NOT_EVALUABLE]
    places = tuple((v.check, v.address) for v in verdicts if v.outcome is not Outcome.NOT_EVALUABLE)
    if not places:
        told = f" ({'; '.join(left_out[:3])})" if left_out else ""
        raise ConfigError(
            f"--contract: no blocking check can be measured on the {len(validation):,} validation "
            f"rows{told}; declare some, or make the validation split larger"
        )
    return replace(whole, places=places, left_out=tuple(left_out))


def _plan(file: AuditFile, base: Path) -> Plan:
    plan = make_plan(file, base)
    # The check for missing answers is about files of answers; a model that runs gives them all,
    # and few rows can hardly show it.
    contract = tuple(c for c in plan.contract if c.declared and c.severity is Severity.BLOCK)
    codes = {check.code for check in contract}
    suites = tuple(s for s in plan.suites if codes & {endpoint.code for endpoint in s.codes})
    return replace(plan, contract=contract, suites=suites)


def _student(file: AuditFile, base: Path, recipe: Path) -> SubjectTable:
    """The student's table: that which names the recipe, else the only one."""
    tables = [table for table in (file.student, *file.students.values()) if table is not None]
    ours = [t for t in tables if t.distill and (base / t.distill).resolve() == recipe.resolve()]
    return (ours or tables or [SubjectTable(distill=recipe.name)])[0]


def digest_of(found: Slack) -> dict[str, object]:
    """What the slack of a student depends on, for the name of a study."""
    return {
        "contract": [repr(check) for check in found.plan.contract],
        "alpha": found.plan.file.audit.alpha,
        "seed": found.plan.file.audit.seed,
        "suites": [repr(suite) for suite in found.plan.suites],
        "evidence": {role: one.evidence for role, one in found.asked.items()},
        "threshold": found.table.threshold,
        "places": [f"{number} {address}" for number, address in found.places],
        "labels": [str(label) for label in _labels(found)],
    }


def _labels(found: Slack) -> list[str]:
    labels = found.dataset.frame("audit").labels
    return [] if labels is None else [str(label) for label in np.asarray(labels)]
