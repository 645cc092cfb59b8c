"""Fairness: which of the teacher's biases did the student inherit, amplify or repair?

A contrast is a rate in one group minus that in the rest. The teacher's contrast is what the student
inherits; what distillation adds or removes is the student's minus the teacher's. Zero is best, and
harm is |student| - |teacher|: repairing a bias is no harm, reversing it is.

Findings (each ``[COLUMN=GROUP]``, or of columns crossed where a check's ``each`` crosses them)
    FAI001  selection-rate contrast: answered with a favourable class (zero is best)
    FAI002  true-positive-rate contrast: among rows whose label is favourable (zero)
    FAI003  false-positive-rate contrast: among rows whose label is not (zero)
    FAI004  accuracy contrast (zero)
    FAI005  fidelity contrast: answered as the teacher answers; the teacher's own is 0 (zero)

    The notes of FAI001 to FAI004 label what happened between teacher and student: inherited,
    introduced, amplified, attenuated, repaired, reversed, none or inconclusive.

Options
    none; groups are the columns under ``[data] sensitive``, favourable classes ``[data] positive``

Source
    Group rates are fairlearn's (`MetricFrame`); contrasts, their joint covariance and labels are
    ours. Intervals: Student's t on the contrast, cluster-robust where clusters are declared.

Limits
    FAI001 to FAI003 need a favourable class. Without a control, "amplified" is said of the pair,
    not of distillation. "None" says that both contrasts are shown to be below five points.
    Labels rest on one interval each; many groups are many chances to be struck by noise, and the
    contract corrects for that, a label does not. A missing answer has no worst value in a contrast:
    it widens the interval by as much as it could move the rate.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Ints, Predictions
from kdaudit.evidence.view import Evidence, Streams, crossed
from kdaudit.measure import (
    Score,
    Scores,
    absence,
    contrast_finding,
    correctness,
    counted,
    ends,
    not_measured,
    result,
)
from kdaudit.results import Better, Endpoint, Figure, Finding, Need, SuiteResult, Where


def _endpoint(code: str, metric: str) -> Endpoint:
    return Endpoint(
        code=code,
        metric=f"{metric} contrast",
        unit="share of rows",
        better=Better.ZERO,
        keys=("@sensitive",),
    )


FAI001 = _endpoint("FAI001", "selection-rate")
FAI002 = _endpoint("FAI002", "true-positive-rate")
FAI003 = _endpoint("FAI003", "false-positive-rate")
FAI004 = _endpoint("FAI004", "accuracy")
FAI005 = _endpoint("FAI005", "fidelity")

PREDICTIONS = Need(kind="predictions")
NEGLIGIBLE = 0.05  # contrasts shown to be smaller than this are called none
RATES = ("selection rate", "true-positive rate", "false-positive rate", "accuracy")


@dataclass(frozen=True, slots=True)
class Fairness:
    """The suite; it has no options."""

    name: ClassVar[str] = "fairness"
    codes: ClassVar[tuple[Endpoint, ...]] = (FAI001, FAI002, FAI003, FAI004, FAI005)

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split."""
        return (PREDICTIONS,)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        del streams  # every interval here is analytic
        rows = evidence.rows
        if not rows.sensitive:
            return result(self, (), notes=["No column is named as sensitive under [data]."])
        findings = [
            finding
            for columns in rows.sensitive
            for finding in _column(evidence, *crossed(rows, columns))
        ]
        figures = [_contrasts(endpoint, findings) for endpoint in self.codes]
        tables = [_rates(evidence, columns) for columns in rows.sensitive]
        return result(self, findings, [f for f in (*figures, *tables) if f is not None and f.rows])


def _column(evidence: Evidence, codes: Ints, wheres: tuple[Where, ...]) -> list[Finding]:
    """All contrasts of one column, or of columns crossed."""
    known = codes >= 0
    positive = np.isin(evidence.rows.label, evidence.rows.positive)
    everyone = np.ones(len(codes), dtype=np.bool_)
    selected, right, faithful = (
        _selected(evidence),
        correctness(evidence, PREDICTIONS),
        _faithful(evidence),
    )
    plan = (
        (FAI001, selected, everyone, False),
        (FAI002, selected, positive, True),
        (FAI003, selected, ~positive, True),
        (FAI004, right, everyone, True),
        (FAI005, faithful, everyone, False),
    )
    findings = []
    for endpoint, scores, counts, labelled in plan:
        for number, where in enumerate(wheres):
            reason = _why_not(endpoint, evidence, labelled=labelled)
            if reason is not None:
                findings.append(not_measured(endpoint, where, reason))
                continue
            finding = contrast_finding(
                endpoint,
                evidence,
                scores,
                group=(codes == number) & counts,
                rest=(codes != number) & known & counts,
                where=where,
            )
            if endpoint is FAI005 and isinstance(finding.teacher, Estimate):
                # By definition: the teacher answers as itself everywhere.
                own = counted(0.0, finding.teacher.n, "by definition")
                finding = replace(finding, teacher=own)
            findings.append(replace(finding, note=_note(finding)))
    return findings


def _note(finding: Finding) -> str:
    # The teacher agrees with itself everywhere: there is no contrast of its own to pass on.
    if finding.code == FAI005.code and isinstance(finding.student, Estimate):
        sign = _sign(finding.student)
        return {1: "more faithful", -1: "less faithful"}.get(sign, "no contrast established")
    return f"bias transfer: {transfer(finding)}"


def _why_not(endpoint: Endpoint, evidence: Evidence, *, labelled: bool) -> str | None:
    if endpoint in (FAI001, FAI002, FAI003) and not evidence.rows.positive:
        return "no favourable class is named as `positive` under [data]"
    if labelled and evidence.unlabelled is not None:
        return evidence.unlabelled.reason
    return None


def transfer(finding: Finding) -> str:
    """What happened to a contrast between teacher and student.

    From three intervals: whether the teacher's and the student's exclude zero, and on which side
    of zero their difference lies.
    """
    student, teacher, change = finding.student, finding.teacher, finding.difference
    if not (
        isinstance(student, Estimate)
        and isinstance(teacher, Estimate)
        and isinstance(change, Estimate)
    ):
        return "not evaluable"
    had, has, moved = _sign(teacher), _sign(student), _sign(change)
    if had and has:
        if had != has:
            return "reversed"
        return {had: "amplified", -had: "attenuated"}.get(moved, "inherited")
    if had:
        return "repaired" if moved == -had else "inconclusive"
    if has:
        return "introduced" if moved == has else "inconclusive"
    furthest = max(abs(end) for e in (student, teacher) for end in (e.low, e.high))
    return "none" if not moved and furthest <= NEGLIGIBLE else "inconclusive"


def _sign(estimate: Estimate) -> int:
    return int(estimate.low > 0) - int(estimate.high < 0)


def _selected(evidence: Evidence) -> Scores:
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = evidence[PREDICTIONS].of(who)
        if isinstance(kind, Predictions):
            favourable = np.isin(kind.answer, evidence.rows.positive)
            scores[who] = Score(values=favourable, valid=kind.valid)
        else:
            scores[who] = absence(kind)
    return scores


def _faithful(evidence: Evidence) -> Scores:
    teacher = evidence[PREDICTIONS].teacher
    scores: dict[Subject, Score | NotMeasured] = {}
    for who in ORDER:
        kind = evidence[PREDICTIONS].of(who)
        if isinstance(kind, Predictions) and isinstance(teacher, Predictions):
            valid = kind.valid & teacher.valid
            scores[who] = Score(values=kind.answer == teacher.answer, valid=valid)
        else:
            scores[who] = absence(kind if not isinstance(kind, Predictions) else teacher)
    return scores


def _contrasts(endpoint: Endpoint, findings: list[Finding]) -> Figure:
    return Figure(
        name=endpoint.code,
        chart="contrasts",
        title=f"{endpoint.metric.capitalize()}: teacher and student",
        columns=(
            "label",
            "n",
            "teacher",
            "teacher_low",
            "teacher_high",
            "student",
            "student_low",
            "student_high",
            "verdict",
        ),
        rows=tuple(
            (
                ", ".join(f"{column} = {value}" for column, value in finding.where),
                finding.student.n if isinstance(finding.student, Estimate) else 0,
                *ends(finding.teacher),
                *ends(finding.student),
                finding.note.removeprefix("bias transfer: ") or "not evaluable",
            )
            for finding in findings
            if finding.code == endpoint.code
        ),
    )


def _rates(evidence: Evidence, columns: tuple[str, ...]) -> Figure | None:
    """Rates by group as fairlearn defines them, a row per group and subject."""
    codes, wheres = crossed(evidence.rows, columns)
    rows: list[tuple[str | int | float | None, ...]] = []
    for who in ORDER:
        kind = evidence[PREDICTIONS].of(who)
        if isinstance(kind, Predictions) and evidence.unlabelled is None:
            rows += [
                (", ".join(value for _, value in wheres[group]), who, n, *rates)
                for group, n, rates in group_rates(evidence, kind, codes)
            ]
    return Figure(
        name="rates-" + "-".join(columns),
        chart="table",
        title=f"Rates by {' and '.join(columns)} (rows answered; fairlearn)",
        columns=(" × ".join(columns), "subject", "rows", *RATES),
        rows=tuple(sorted(rows, key=lambda row: (str(row[0]), ORDER.index(str(row[1]))))),  # type: ignore[arg-type, unused-ignore]
    )


def group_rates(
    evidence: Evidence, subject: Predictions, codes: Ints
) -> list[tuple[int, int, tuple[float | None, ...]]]:
    """Group code, rows answered and the `RATES` of each group, by fairlearn's `MetricFrame`.

    The frame is given one weighted row per distinct (group, label, answer, right), so its cost does
    not grow with the rows. A rate without rows in its denominator is None, where fairlearn says 0.
    """
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )

    rows = evidence.rows
    keep = (codes >= 0) & subject.valid
    if not keep.any():
        return []
    label = np.isin(rows.label, rows.positive)
    answer = np.isin(subject.answer, rows.positive)
    right = subject.answer == rows.label
    cell = ((codes * 2 + label) * 2 + answer) * 2 + right
    weight = np.ones(len(codes)) if rows.weight is None else rows.weight
    mass = np.bincount(cell[keep], weight[keep])
    count = np.bincount(cell[keep])
    cells = np.flatnonzero(count)
    group, y, a = cells // 8, cells // 4 % 2, cells // 2 % 2
    weighted = {"sample_weight": mass[cells]}
    frame = MetricFrame(
        metrics=dict(
            zip(
                RATES,
                (selection_rate, true_positive_rate, false_positive_rate, _accuracy),
                strict=True,
            )
        ),
        y_true=y,
        y_pred=a,
        sensitive_features={"group": group},  # as an array, fairlearn refuses a single cell
        sample_params={
            name: weighted | ({"right": cells % 2} if name == "accuracy" else {}) for name in RATES
        },
    ).by_group
    out = []
    for number in frame.index:
        here = group == number
        has = {"true-positive rate": (y == 1) & here, "false-positive rate": (y == 0) & here}
        rates = tuple(
            float(frame.loc[number, name])
            if np.any(has.get(name, here)) and (rows.positive or name == "accuracy")
            else None
            for name in RATES
        )
        out.append((int(number), int(count[cells[here]].sum()), rates))
    return out


def _accuracy(y_true: Bools, y_pred: Bools, *, right: Bools, sample_weight: Floats) -> float:
    """Share of right answers, in the form that `MetricFrame` calls."""
    del y_true, y_pred
    return float(np.average(right, weights=sample_weight))
