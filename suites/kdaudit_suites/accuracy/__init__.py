"""Accuracy: is the student right as often as its teacher, and where the teacher is right?

A student can keep the teacher's accuracy and still be wrong on rows that the teacher gets right:
those negative flips are what users of the teacher notice. And a student that does not answer at all
is not accurate on what it leaves out.

Findings
    ACC001  accuracy: share of rows whose answer is the label (higher is better)
    ACC002  negative flips: share of rows the teacher gets right and the student wrong (lower);
            ``ACC002[reference=baseline]`` counts them against the previous release
    ACC003  invalid or missing answers: share of the rows, counted (lower); every audit has the
            blocking check ``at_most = 0.001``
    ACC004  accuracy above chance: accuracy less the share of the most frequent label, so that
            ``keep`` holds what was learned, not what guessing gives (higher)
    ACC005  agreement: share of rows answered as the teacher answers (higher);
            ``ACC005[teacher=right]`` and ``ACC005[teacher=wrong]`` where it is right or wrong
    ACC006  expected cost: mean cost of the answers, by the option ``cost`` (lower)
    ACC010  task score ``ACC010[metric=NAME]``: mean of the column ``score_NAME`` that
            ``[data.scores.NAME]`` declares: regression, ranking, any bounded score; where the
            subjects are runs of benchmarks, ``ACC010[metric=acc,task=NAME]`` per task,
            ``ACC010[group=NAME,metric=acc]`` per group of tasks, and ``filter=NAME`` in the address
            where answers were filtered
    ACC011  bits per byte: of rows with a single choice, a text to be scored, the bits that foretell
            it over its UTF-8 bytes, whatever the tokenizer; long texts weigh more (lower)

Figures
    flips       rows by who is right
    comparison  what was kept and lost, each with its interval: retention, gain recovered against
                the baseline, flips, backward compatibility, same wrong answers against chance,
                error consistency; where the baseline is the ``hard`` control, the parts of the
                difference that distillation and capacity have
    classes     recall and precision of each class
    benchmarks  each task and metric as the tool that ran it reports it, and its unpaired comparison
                beside the paired one

Options
    cost  ``{ LABEL = { ANSWER = cost } }``: what an answer costs where the label is another; what
          is not named costs 0, a missing answer as much as the worst

Source
    Tango 1998 (score interval of a paired difference); Tang et al. 2003 (ratio); Fieller 1954;
    Wilson 1927; Newcombe 1998 (method 10) and McNemar 1947 (exact and mid-p) as second opinions
    in the notes. Negative flips: Yan et al. 2021, "Positive-congruent training"; backward trust and
    error compatibility: Srivastava et al. 2020; error consistency: Geirhos et al. 2020; what chance
    gives: Everitt 1968.

Limits
    A missing or invalid answer counts as wrong for the student and as right for its references.
    Without independent labels nothing here means anything: labels equal to the teacher's answers
    on every row are not evaluable. Out-of-scope rows are left to HAL. Agreement is no quality: a
    student that repeats the teacher's mistakes agrees. Ratios of shares in the comparison are
    shown, not checked; ``keep`` checks ACC001 and ACC004. A loss has no worst value: ACC011 is not
    measured of a subject that leaves a text out, and its interval takes the range of losses
    seen for all there is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Generations, Likelihoods, Predictions, RowScores
from kdaudit.evidence.view import (
    GENERATIONS,
    LIKELIHOODS,
    PREDICTIONS,
    SCORES,
    Evidence,
    Streams,
)
from kdaudit.measure import counted, mean_finding, not_measured, result, share_of_rows
from kdaudit.results import Better, Endpoint, Figure, Finding, Fixed, Need, SuiteResult, Table
from kdaudit.scores import Score, Scores, absence, correctness
from kdaudit.stats.paired_table import mcnemar_exact, mcnemar_mid_p, newcombe_interval
from kdaudit_suites.accuracy.agreement import agreement
from kdaudit_suites.accuracy.bits import bits_per_byte
from kdaudit_suites.accuracy.classes import by_class
from kdaudit_suites.accuracy.comparison import comparison
from kdaudit_suites.accuracy.cost import CostMatrix, costs
from kdaudit_suites.accuracy.scores import due, side_by_side, task_scores

ACC001 = Endpoint(code="ACC001", metric="accuracy", unit="share of rows", better=Better.HIGHER)
ACC002 = Endpoint(
    code="ACC002",
    metric="negative flips",
    unit="share of rows",
    better=Better.LOWER,
    keys=("reference",),
    whole=True,
)
ACC003 = Endpoint(
    code="ACC003", metric="invalid or missing answers", unit="share of rows", better=Better.LOWER
)
ACC004 = Endpoint(
    code="ACC004",
    metric="accuracy above chance",
    unit="share of rows",
    better=Better.HIGHER,
)
ACC005 = Endpoint(
    code="ACC005",
    metric="agreement with the teacher",
    unit="share of rows",
    better=Better.HIGHER,
    keys=("teacher",),
    whole=True,
)
ACC006 = Endpoint(code="ACC006", metric="expected cost", unit="cost per row", better=Better.LOWER)
ACC010 = Endpoint(
    code="ACC010",
    metric="task score",
    unit="mean score",
    better=Better.HIGHER,
    keys=("metric", "task", "group", "filter"),
)
ACC011 = Endpoint(
    code="ACC011", metric="bits per byte", unit="bits per byte of text", better=Better.LOWER
)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The suite.

    Attributes:
        cost: cost of an answer by label and answer.
    """

    cost: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    name: ClassVar[str] = "accuracy"
    codes: ClassVar[tuple[Endpoint, ...]] = (
        ACC001,
        ACC002,
        ACC003,
        ACC004,
        ACC005,
        ACC006,
        ACC010,
        ACC011,
    )

    def needs(self) -> tuple[Need, ...]:
        """Predictions on the audit split; scores where they are declared, and likelihoods."""
        return (PREDICTIONS, replace(SCORES, optional=True), replace(LIKELIHOODS, optional=True))

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        del streams  # every interval here is analytic
        of_rows = task_scores(ACC010, evidence)
        findings = [_invalid(evidence), *of_rows, *bits_per_byte(ACC011, evidence)]
        if evidence.unlabelled is not None:
            reason = evidence.unlabelled.reason
            blind = [ACC004, ACC006] if self.cost else [ACC004]
            if evidence.rows.labelled is None:
                blind += [ACC001, ACC002]
            else:
                scores = correctness(evidence, PREDICTIONS)
                findings += [mean_finding(ACC001, evidence, scores), *_flips(evidence, scores)]
            findings += [not_measured(endpoint, (), reason) for endpoint in blind]
            findings += agreement(ACC005, evidence, None)
            return result(self, findings, *side_by_side(evidence, of_rows))
        scores = correctness(evidence, PREDICTIONS)
        accuracy = mean_finding(ACC001, evidence, scores)
        above, chance = _above_chance(evidence, scores)
        findings += [accuracy, above, *_flips(evidence, scores)]
        if evidence.wants(ACC005):
            findings += agreement(ACC005, evidence, scores)
        if self.cost:
            findings.append(_expected_cost(evidence, self.cost))
        if evidence.asked is not None:
            return result(self, findings)
        figures = [*_matrix(scores), *comparison(evidence, accuracy, above, scores)]
        figures += by_class(evidence, scores)
        notes = []
        if isinstance(accuracy.basis, Table):
            notes.append(_second_opinion(accuracy.basis, evidence.level))
        teacher = accuracy.teacher
        if isinstance(teacher, Estimate) and teacher.low <= chance:
            notes.append(
                f"The teacher is near chance: always answering the most frequent label is right on "
                f"{chance:.1%} of the rows, the teacher on {teacher.value:.1%} "
                f"[{teacher.low:.1%}, {teacher.high:.1%}]. A share kept of that means little."
            )
        return result(self, findings, figures, notes)


def _above_chance(evidence: Evidence, scores: Scores) -> tuple[Finding, float]:
    """Accuracy less what always answering the most frequent label would give, and that."""
    rows = evidence.rows
    mass = np.bincount(rows.label, rows.weight, minlength=len(rows.classes))
    chance = float(mass.max() / mass.sum())
    shifted: dict[Subject, Score | NotMeasured] = {
        who: score
        if isinstance(score, NotMeasured)
        else Score(
            values=score.values.astype(np.float64) - chance,
            valid=score.valid,
            low=-chance,
            high=1 - chance,
        )
        for who, score in scores.items()
    }
    note = f"chance is {chance:.4f}, the share of the most frequent label, and taken as known"
    return mean_finding(ACC004, evidence, shifted, note=note), chance


def _expected_cost(evidence: Evidence, cost: Mapping[str, Mapping[str, float]]) -> Finding:
    matrix = CostMatrix.of(cost, evidence.rows.classes)
    if isinstance(matrix, NotMeasured):
        return not_measured(ACC006, (), matrix.reason)
    return mean_finding(ACC006, evidence, costs(matrix, evidence, evidence[PREDICTIONS]))


def _invalid(evidence: Evidence) -> Finding:
    """Missing and invalid answers over all rows, in and out of scope: counted, not estimated."""
    views = [view for view in (evidence, evidence.outside) if view is not None]
    bad = {who: _unanswered(views, who) for who in ORDER}
    total = sum(len(view.rows) for view in views)
    student, teacher, baseline = (
        count if isinstance(count, NotMeasured) else counted(count / total, total)
        for count in bad.values()
    )
    return ACC003.finding(
        student=student,
        teacher=teacher,
        baseline=baseline,
        difference=NotMeasured("answers that a reference leaves out excuse none of the student's"),
        basis=student if isinstance(student, NotMeasured) else Fixed(level=1.0),
    )


def _unanswered(views: list[Evidence], who: Subject) -> int | NotMeasured:
    """Rows without a valid answer, or without one of the scores the subject should have."""
    count = 0
    for view in views:
        answers, scores = view[PREDICTIONS].of(who), view[SCORES].of(who)
        gaps = [~answers.valid] if isinstance(answers, Predictions) else []
        if isinstance(scores, RowScores):
            gaps += [~scores.valid(name) & due(view.rows, name) for name in view.rows.scores]
        if isinstance(texts := view[GENERATIONS].of(who), Generations):
            gaps.append(~texts.valid)
        if isinstance(choices := view[LIKELIHOODS].of(who), Likelihoods):
            gaps.append(~choices.valid & (np.diff(choices.start) > 0))
        if not gaps:
            return absence(answers)
        count += int(np.count_nonzero(np.any(gaps, axis=0)))
    return count


def _flips(evidence: Evidence, scores: Scores) -> list[Finding]:
    student = scores["student"]
    findings = []
    references: tuple[tuple[Subject, tuple[tuple[str, str], ...]], ...] = (
        ("teacher", ()),
        ("baseline", (("reference", "baseline"),)),
    )
    for who, where in references:
        reference = scores[who]
        if isinstance(student, NotMeasured):
            findings.append(not_measured(ACC002, where, student.reason))
        elif isinstance(reference, NotMeasured):
            if who == "teacher":
                findings.append(not_measured(ACC002, where, reference.reason))
        else:
            flips = reference.right(missing=True) & ~student.right(missing=False)
            findings.append(
                share_of_rows(ACC002, evidence, flips, where, of_pair="a flip is of the pair")
            )
    return findings


def _second_opinion(table: Table, level: float) -> str:
    low, high = newcombe_interval(table.n11, table.n10, table.n01, table.n00, level)
    return (
        f"Rows right for the student only: {table.n10}; for the teacher only: {table.n01}. McNemar "
        f"exact p = {mcnemar_exact(table.n10, table.n01):.3g}, mid-p = "
        f"{mcnemar_mid_p(table.n10, table.n01):.3g} (two-sided, any difference). Newcombe's "
        f"interval of the difference at {level:.0%}: {low:.4f} to {high:.4f}."
    )


def _matrix(scores: Scores) -> tuple[Figure, ...]:
    student, teacher = scores["student"], scores["teacher"]
    if isinstance(student, NotMeasured) or isinstance(teacher, NotMeasured):
        return ()
    down, across = teacher.right(missing=True), student.right(missing=False)
    return (
        Figure(
            name="flips",
            chart="matrix",
            title="Rows by who is right: the teacher (down) and the student (across)",
            columns=("row", "column", "count"),
            rows=tuple(
                (
                    f"teacher {'right' if of_teacher else 'wrong'}",
                    f"student {'right' if of_student else 'wrong'}",
                    int(np.count_nonzero((down == of_teacher) & (across == of_student))),
                )
                for of_teacher in (True, False)
                for of_student in (True, False)
            ),
        ),
    )
