"""The pair in numbers: what the student kept, lost, gained and copied, each with its interval."""

from collections.abc import Iterator

import numpy as np

from kdaudit.basis import Subject
from kdaudit.claims import Claim, claim_share
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Bools, Floats, Predictions
from kdaudit.evidence.view import PREDICTIONS, Evidence
from kdaudit.measure import mean_finding
from kdaudit.quantities import Quantity, quantities
from kdaudit.results import Better, Endpoint, Figure, Finding
from kdaudit.score_bases import FEWEST_CLUSTERS, too_few
from kdaudit.scores import Score, Scores
from kdaudit.stats.chance_agreement import chance_agreement
from kdaudit.stats.delta import delta_interval, fieller_interval
from kdaudit.stats.interval import normal_quantile, tail
from kdaudit.stats.means import JointMeans, joint_means

SHARE = Endpoint(code="share", metric="share", unit="share of rows", better=Better.HIGHER)
PAIR = NotMeasured("of the pair")
TOO_FEW = NotMeasured(f"fewer than {FEWEST_CLUSTERS} independent units")


def comparison(
    evidence: Evidence, accuracy: Finding, above: Finding, scores: Scores
) -> tuple[Figure, ...]:
    """One table of the pair; a quantity that has no meaning here says why."""
    student, teacher = scores["student"], scores["teacher"]
    if not (isinstance(student, Score) and isinstance(teacher, Score)):
        return ()
    measured = [
        *_kept(evidence, accuracy, above, scores),
        *_flips(evidence, student.right(missing=False), teacher.right(missing=True)),
        *_same_wrong(evidence),
        *_parts(evidence, scores),
    ]
    title = f"The pair in numbers ({evidence.level:.0%} intervals, each by itself)"
    return (quantities("comparison", title, measured),)


Named = Iterator[Quantity]


def _kept(evidence: Evidence, accuracy: Finding, above: Finding, scores: Scores) -> Named:
    alpha = tail(evidence.level)
    yield (
        "share of the teacher's accuracy kept, S/T",
        _share(claim_share(accuracy, "teacher", 1, alpha)),
    )
    yield "share kept above chance", _share(claim_share(above, "teacher", 1, alpha))
    student, teacher, baseline = (scores[who] for who in ("student", "teacher", "baseline"))
    if not (
        isinstance(student, Score) and isinstance(teacher, Score) and isinstance(baseline, Score)
    ):
        return
    name = "gain over the baseline recovered, (S - B)/(T - B)"
    right = [
        student.right(missing=False),
        teacher.right(missing=True),
        baseline.right(missing=True),
    ]
    joint = _joint(evidence, [s.astype(np.float64) for s in right])
    if joint is None:
        yield name, TOO_FEW
        return
    change = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]])
    top, bottom = (float(x) for x in change @ joint.mean)
    covariance = change @ joint.covariance @ change.T
    found = fieller_interval(top, bottom, covariance, joint.df, evidence.level)
    if found is None or bottom <= 0:
        yield name, NotMeasured("the teacher is not shown to be better than the baseline")
        return
    yield (
        name,
        Estimate(
            value=top / bottom,
            low=found.low,
            high=found.high,
            n=joint.n,
            level=evidence.level,
            method="Fieller",
        ),
    )


def _flips(evidence: Evidence, student: Bools, teacher: Bools) -> Named:
    """Flips and what follows from who is right where."""
    lost, won = teacher & ~student, student & ~teacher
    yield "negative flips (teacher right, student wrong)", _mean(evidence, lost)
    yield "positive flips (student right, teacher wrong)", _mean(evidence, won)
    yield "student right where the teacher is (backward trust)", _mean(evidence, student, teacher)
    yield "student wrong where the teacher is (backward error)", _mean(evidence, ~student, ~teacher)
    series = [lost, teacher, ~student, student == teacher, student]
    joint = _joint(evidence, [s.astype(np.float64) for s in series])
    if joint is None:
        return
    flips, t, wrong, alike, s = (float(x) for x in joint.mean)
    name = "relative negative flips, NFR / (accuracy of T · error of S); 1 is chance"
    if min(flips, t, wrong) > 0:
        value = flips / (t * wrong)
        log = delta_interval(
            float(np.log(value)),
            [1 / flips, -1 / t, -1 / wrong, 0, 0],
            joint.covariance,
            joint.df,
            evidence.level,
        )
        low, high = np.exp(log.low), np.exp(log.high)
        yield (
            name,
            Estimate(
                value=value,
                low=float(low),
                high=float(high),
                n=joint.n,
                level=evidence.level,
                method="delta, log scale",
            ),
        )
    else:
        yield name, NotMeasured("no flips, or no errors to compare them with")
    expected = s * t + (1 - s) * (1 - t)
    name = "error consistency (kappa of right and wrong)"
    if not expected < 1:
        yield name, NotMeasured("both are right everywhere, or wrong everywhere")
        return
    # Weights of two that agree on every row may add up to a little more than 1.
    kappa = min((alike - expected) / (1 - expected), 1.0)
    slope = (alike - 1) / (1 - expected) ** 2  # d kappa / d expected
    gradient = [0, slope * (2 * s - 1), 0, 1 / (1 - expected), slope * (2 * t - 1)]
    found = delta_interval(kappa, gradient, joint.covariance, joint.df, evidence.level)
    ends = (min(max(found.low, -1.0), kappa), max(min(found.high, 1.0), kappa))
    yield (
        name,
        Estimate(
            value=kappa, low=ends[0], high=ends[1], n=joint.n, level=evidence.level, method="delta"
        ),
    )


def _same_wrong(evidence: Evidence) -> Named:
    """How often two wrong answers are the same one, and how often by chance."""
    student, teacher = evidence[PREDICTIONS].student, evidence[PREDICTIONS].teacher
    name = "same wrong answer, where both answer and are wrong"
    if not (isinstance(student, Predictions) and isinstance(teacher, Predictions)):
        return
    label = evidence.rows.label
    both = (student.answer != label) & (teacher.answer != label) & student.valid & teacher.valid
    if len(evidence.rows.classes) < 3:
        yield name, NotMeasured("of two classes only one is wrong")
        return
    if not both.any():
        yield name, NotMeasured("they are never both wrong")
        return
    yield name, _mean(evidence, student.answer == teacher.answer, both)
    chance = chance_agreement(student.answer[both], teacher.answer[both], label[both])
    reach = normal_quantile(tail(evidence.level)) * chance.sd
    yield (
        "the same by chance, given each label",
        Estimate(
            value=chance.expected / chance.n,
            low=max(0.0, (chance.expected - reach) / chance.n),
            high=min(1.0, (chance.expected + reach) / chance.n),
            n=chance.n,
            level=evidence.level,
            method="range of independent answers, rows counted",
        ),
    )


def _parts(evidence: Evidence, scores: Scores) -> Named:
    """S - T = (S - B) + (B - T), where B is the same student trained on labels only."""
    if evidence.control != "hard" or not isinstance(scores["baseline"], Score):
        return
    pairs: tuple[tuple[str, Subject, Subject], ...] = (
        ("difference in accuracy, S - T", "student", "teacher"),
        ("part of distillation, S - B (B: hard control)", "student", "baseline"),
        ("part of capacity and data, B - T", "baseline", "teacher"),
    )
    absent = NotMeasured("not compared")
    for name, one, other in pairs:
        pair: Scores = {"student": scores[one], "teacher": scores[other], "baseline": absent}
        yield name, mean_finding(SHARE, evidence, pair).difference


def _mean(evidence: Evidence, hits: Bools, rows: Bools | None = None) -> Measurement:
    score = Score(values=hits, valid=np.ones(len(hits), dtype=np.bool_))
    trio: Scores = {"student": score, "teacher": score, "baseline": PAIR}
    return mean_finding(SHARE, evidence, trio, rows=rows).student


def _joint(evidence: Evidence, series: list[Floats]) -> JointMeans | None:
    rows = evidence.rows
    joint = joint_means(np.stack(series), clusters=rows.cluster, weights=rows.weight)
    return None if joint is None or too_few(joint.effective) else joint


def _share(claim: Claim | NotMeasured) -> Measurement:
    return claim if isinstance(claim, NotMeasured) else claim.estimate
