"""What became of the teacher's hallucinations in the student: inherited, introduced, repaired."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from kdaudit.claims import p_better, p_same, p_worse
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools, Ints
from kdaudit.evidence.view import Evidence
from kdaudit.grading.grade import NAMES, Grade
from kdaudit.measure import not_measured, share_of_rows
from kdaudit.quantities import Quantity, quantities
from kdaudit.results import Figure, Finding, Label, Table
from kdaudit.score_bases import FEWEST_CLUSTERS, too_few
from kdaudit.shares import compared, share
from kdaudit.stats.association import Measured, kappa, phi, relative_risk
from kdaudit.stats.f_score import f_score
from kdaudit.stats.holm import rejected
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.means import JointMeans, joint_means
from kdaudit.stats.paired_table import mcnemar_exact
from kdaudit_suites.hallucination.copied import Copied
from kdaudit_suites.hallucination.endpoints import HAL005, HAL011
from kdaudit_suites.hallucination.graded import Graded

Named = Iterator[Quantity]
ALIKE = 0.05  # shares that are shown to differ by less are called the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Findings of the pair, their pictures, and what they add up to."""

    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()


def transfer(graded: Graded, copy: Copied | Finding, truncated: Finding) -> Transfer:
    """HAL005, HAL006 and HAL011 with their labels; the transfer matrix; the pair in numbers.

    Args:
        graded: the answers.
        copy: HAL006, as far as it could be had.
        truncated: HAL008.
    """
    pair = graded.pair()
    of_copies = copy.finding if isinstance(copy, Copied) else copy
    if isinstance(pair, NotMeasured):
        absent = [not_measured(endpoint, (), pair.reason) for endpoint in (HAL005, HAL011)]
        return Transfer(findings=(*absent, of_copies))
    student, teacher = pair
    evidence = graded.evidence
    alpha = tail(evidence.level)
    hallucinates = compared(evidence, student == Grade.INCORRECT, teacher == Grade.INCORRECT)
    attempts = compared(evidence, _attempted(student), _attempted(teacher))
    p = {
        "introduced": p_worse(hallucinates, alpha),
        "repaired": p_better(hallucinates, alpha),
        "none": p_same(hallucinates, ALIKE, alpha),
        "lost": p_worse(attempts, alpha),
        "none lost": p_same(attempts, ALIKE, alpha),
        "copied": copy.p if isinstance(copy, Copied) else 1.0,
        "cut off": p_worse(truncated, alpha),
    }
    shown = rejected(p, alpha)
    introduced = share_of_rows(
        HAL011,
        evidence,
        (student == Grade.INCORRECT) & (teacher != Grade.INCORRECT),
        of_pair="what is introduced is of the pair",
    )
    lost = _abstention(evidence, student, teacher)
    if isinstance(copy, Copied):
        of_copies = _labelled(
            of_copies, _of_copies(copy, "copied" in shown), f"; {_said_of_copies(copy)}"
        )
    return Transfer(
        findings=(
            _labelled(introduced, _of_answers(shown, p["introduced"])),
            _labelled(lost, _of_abstention(shown, p["lost"]))
            if not isinstance(lost.basis, NotMeasured)
            else lost,
            of_copies,
        ),
        figures=(
            _matrix(student, teacher),
            _table(evidence, graded.answerable, student, teacher, copy),
        ),
        notes=tuple(_notes(student, teacher, hallucinates, shown)),
    )


def _labelled(finding: Finding, label: Label, more: str = "") -> Finding:
    return replace(finding, note=f"{label.about}: {label.name}{more}", label=label)


def _of_answers(shown: frozenset[str], p: float) -> Label:
    about = "hallucination transfer"
    if "introduced" in shown:
        says = "the student answers wrongly more often than the teacher, on the same rows"
        return Label(name="introduced", about=about, says=says, harm=True, p=p)
    known = next((name for name in ("repaired", "none") if name in shown), "inconclusive")
    return Label(name=known, about=about)


def _of_abstention(shown: frozenset[str], p: float) -> Label:
    about = "abstention transfer"
    if "lost" in shown:
        says = "the student attempts more rows than the teacher, and so declines fewer"
        return Label(name="lost", about=about, says=says, harm=True, p=p)
    return Label(name="none" if "none lost" in shown else "inconclusive", about=about)


def _of_copies(copy: Copied, shown: bool) -> Label:  # noqa: FBT001  # a fact, not an option
    about = "content transfer"
    if shown:
        says = "where both are wrong the student says what the teacher says, more than by chance"
        return Label(name="inherited", about=about, says=says, harm=True, inherited=True, p=copy.p)
    return Label(name="co-occurring" if copy.chance.same else "inconclusive", about=about)


def _attempted(grades: Ints) -> Bools:
    return np.isin(grades, (Grade.CORRECT, Grade.INCORRECT))


def _abstention(evidence: Evidence, student: Ints, teacher: Ints) -> Finding:
    declined = teacher == Grade.NOT_ATTEMPTED
    if not declined.any():
        return not_measured(HAL005, (), "the teacher declines no row")
    return share_of_rows(
        HAL005,
        evidence,
        _attempted(student),
        of_pair="lost abstention is of the pair",
        rows=declined,
    )


def _said_of_copies(copy: Copied) -> str:
    chance = copy.chance
    return (
        f"of {chance.n} rows that both get wrong {chance.same} say the same, by chance "
        f"{chance.expected:.1f} (p = {copy.p:.2g})"
    )


def _matrix(student: Ints, teacher: Ints) -> Figure:
    counts = np.bincount(teacher * 4 + student, minlength=16).reshape(4, 4)
    used = range(4 if counts[3].any() or counts[:, 3].any() else 3)
    return Figure(
        name="transfer",
        chart="matrix",
        title="Rows by what the teacher did (down) and the student did (across)",
        columns=("row", "column", "count"),
        rows=tuple(
            (f"teacher {NAMES[i]}", f"student {NAMES[j]}", int(counts[i, j]))
            for i in used
            for j in used
        ),
    )


def _table(
    evidence: Evidence,
    answerable: Bools,
    student: Ints,
    teacher: Ints,
    copy: Copied | Finding,
) -> Figure:
    measured = [
        *_attempts(evidence, answerable, {"student": student, "teacher": teacher}),
        *_shares(evidence, student, teacher),
        *_together(evidence, student, teacher),
    ]
    if isinstance(copy, Copied):
        measured += _same(evidence, copy)
    title = f"Hallucinations of the pair ({evidence.level:.0%} intervals, each by itself)"
    return quantities("pair", title, measured)


def _attempts(evidence: Evidence, answerable: Bools, grades: Mapping[str, Ints]) -> Named:
    """How good each of them is on what it attempts."""
    rows = evidence.rows
    for who, grade in grades.items():
        right, attempted = grade == Grade.CORRECT, _attempted(grade) & answerable
        name, score = f"{who}: right, of what it attempts", f"{who}: F-score of answering"
        if not attempted.any():
            yield name, NotMeasured("it attempts no row that has an answer")
            continue
        yield name, share(evidence, right, attempted)
        joint = joint_means(
            np.stack([right, attempted])[:, answerable],
            clusters=None if rows.cluster is None else rows.cluster[answerable],
            weights=None if rows.weight is None else rows.weight[answerable],
        )
        yield score, _by_delta(joint, f_score, evidence.level)


def _by_delta(
    joint: JointMeans | None, of: Callable[..., Measured | None], level: float
) -> Measurement:
    if joint is None or too_few(joint.effective):
        return NotMeasured(f"fewer than {FEWEST_CLUSTERS} independent units")
    found = of(*(float(x) for x in joint.mean), joint.covariance, joint.df, level)
    if found is None:
        return NotMeasured("one of its shares is 0 or 1")
    low, high = found.interval
    return Estimate(
        value=found.value,
        low=min(low, found.value),
        high=max(high, found.value),
        n=joint.n,
        level=level,
        method="delta",
    )


def _shares(evidence: Evidence, student: Ints, teacher: Ints) -> Named:
    ours, theirs = student == Grade.INCORRECT, teacher == Grade.INCORRECT
    yield "rows the teacher hallucinates", share(evidence, theirs)
    yield "rows the student hallucinates", share(evidence, ours)
    yield "inherited: student hallucinates where the teacher does", share(evidence, ours, theirs)
    yield "introduced: it does where the teacher does not", share(evidence, ours, ~theirs)
    right = student == Grade.CORRECT
    yield (
        "repaired by the right answer, where the teacher hallucinates",
        share(evidence, right, theirs),
    )
    declines = student == Grade.NOT_ATTEMPTED
    yield "repaired by declining", share(evidence, declines, theirs)
    declined = teacher == Grade.NOT_ATTEMPTED
    yield (
        "abstention lost to a right answer, where the teacher declines",
        share(evidence, right, declined),
    )
    yield "abstention lost to a hallucination", share(evidence, ours, declined)
    net = compared(evidence, ours, theirs).difference
    yield "net change, student less teacher", net


def _together(evidence: Evidence, student: Ints, teacher: Ints) -> Named:
    """How the two hallucinate together, whoever copies: hard questions alone make them."""
    series = np.stack(
        [
            teacher == Grade.INCORRECT,
            student == Grade.INCORRECT,
            (student == Grade.INCORRECT) & (teacher == Grade.INCORRECT),
        ]
    )
    rows = evidence.rows
    joint = joint_means(series, clusters=rows.cluster, weights=rows.weight)
    known: dict[str, Callable[..., Measured | None]] = {
        "relative risk of hallucinating where the teacher does": relative_risk,
        "correlation of hallucinations (phi)": phi,
        "agreement on hallucinations beyond chance (kappa)": kappa,
    }
    for name, of in known.items():
        yield name, _by_delta(joint, of, evidence.level)


def _same(evidence: Evidence, copy: Copied) -> Named:
    chance, name = copy.chance, "same wrong content, where both hallucinate"
    if not chance.n:
        yield name, NotMeasured("they never both hallucinate")
        return
    yield name, share(evidence, copy.same, copy.both)
    reach = normal_quantile(tail(evidence.level)) * chance.sd
    yield (
        "same wrong content by chance, within question types",
        Estimate(
            value=chance.expected / chance.n,
            low=max(0.0, (chance.expected - reach) / chance.n),
            high=min(1.0, (chance.expected + reach) / chance.n),
            n=chance.n,
            level=evidence.level,
            method="range of deals at random, rows counted",
        ),
    )


def _notes(
    student: Ints, teacher: Ints, hallucinates: Finding, shown: frozenset[str]
) -> Iterator[str]:
    ours, theirs = student == Grade.INCORRECT, teacher == Grade.INCORRECT
    introduced, repaired = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    said = (
        "more than it repairs"
        if "introduced" in shown
        else "fewer than it repairs"
        if "repaired" in shown
        else "neither more nor fewer than it repairs, as far as these rows show"
    )
    p = (
        f" McNemar exact p = {mcnemar_exact(introduced, repaired):.3g} (two-sided)."
        if isinstance(hallucinates.basis, Table)
        else ""
    )
    yield (
        f"The teacher hallucinates {int(theirs.sum())} rows, the student {int(ours.sum())}: "
        f"{int((ours & theirs).sum())} with the teacher, {introduced} introduced, while "
        f"{repaired} of the teacher's are repaired; it introduces {said}.{p}"
    )
    if "cut off" in shown:
        cut = int((student == Grade.CUT_OFF).sum())
        yield (
            "The student's answers are cut off more often than the teacher's; "
            f"{cut} end before they say anything, and count against it. Allow it "
            "more tokens before reading anything else here."
        )
