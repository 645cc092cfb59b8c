"""Cells of `operating_characteristics.py` about decisions: what is said, how often wrongly.

Each function prints one table and gives the number of bars it misses.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtr
from simulated import (
    ALPHA,
    BAR_FALSE_PASS,
    Data,
    Design,
    Family,
    Rate,
    brier,
    contrast,
    draw,
    findings,
    gap,
    losses_and_gains,
    margin,
)

import kdaudit
from kdaudit.contract import decide, judge
from kdaudit.drill.drill import drill
from kdaudit.drill.harms import AccuracyLoss
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import Category, Evidence, Rows, Streams, Trio
from kdaudit.measure import mean_findings
from kdaudit.needed import scaled
from kdaudit.results import (
    Better,
    CardText,
    Check,
    DataSummary,
    Endpoint,
    Finding,
    Limit,
    Means,
    Need,
    Outcome,
    Results,
    SuiteResult,
    Table,
)
from kdaudit.scores import Score
from kdaudit.stats.spending import spent
from kdaudit.transfer import NEGLIGIBLE
from kdaudit_suites.accuracy import Accuracy
from kdaudit_suites.fairness.contrasts import contrasts, crossings
from kdaudit_suites.fairness.labels import labelled
from kdaudit_suites.fairness.scores import rates

Array = npt.NDArray[Any]
ENDPOINT = Endpoint(code="X001", metric="metric", unit="share", better=Better.HIGHER)


def checked(name: str, rate: Rate, bar: float) -> int:
    """Print how often something happened that must not; 1 if more often than the bar."""
    bad = rate.above(bar)
    print(f"  {name:62} {rate.share:.3f} of {rate.of}{'  MISSED' if bad else ''}")
    return int(bad)


# --------------------------------------------------------------------------- clusters and weights

CLUSTERED = tuple(
    (design, harm, differ)
    for design, harm, differ in (
        *(
            (Design(rows=1000, clusters=100, sizes="equal", alike=r), 0.02, 0.06)
            for r in (0, 0.1, 0.3)
        ),
        *(
            (Design(rows=1023, clusters=205, sizes="poisson", alike=r), 0.02, 0.06)
            for r in (0.1, 0.3)
        ),
        *(
            (Design(rows=1004, clusters=100, sizes="zipf", exponent=0.5, alike=r), 0.02, 0.06)
            for r in (0.1, 0.3)
        ),
        *(
            (Design(rows=5021, clusters=502, sizes="zipf", alike=r), m, 0.06)
            for r in (0, 0.3)
            for m in (0.02, 0.05)
        ),
        *(
            (Design(rows=300, clusters=30, sizes="equal", alike=r), m, p)
            for r in (0, 0.1, 0.3)
            for m, p in ((0.05, 0.06), (0.1, 0.1))
        ),
    )
)
LEAST_POWER = 0.75  # of the passes of a plain cluster-robust t, which errs more often


def paired(harm: float, differ: float) -> Callable[[Array], Any]:
    """Scores of a student worse by ``harm``, where ``differ`` of the rows differ."""
    return losses_and_gains(max((differ + harm) / 2, harm), max((differ - harm) / 2, 0.0))


def clusters(sets: int, seed: int) -> int:
    """A student at its margin, and one that is equal, beside a cluster-robust t (CR2)."""
    print("\nClusters: false passes at the margin, passes of an equal student, and CR2 with t")
    missed = 0
    for design, harm, differ in CLUSTERED:
        # Nobody loses power on purpose to a test that errs more often than it says.
        at, plain_at = _passes(design, harm, harm, differ, sets, seed)
        equal, plain = _passes(design, harm, 0.0, differ, sets, seed + 1)
        bad = at.above(BAR_FALSE_PASS)
        error = math.sqrt(equal.share * (1 - equal.share) / equal.of) / max(plain.share, 1e-9)
        weak = equal.share / max(plain.share, 1e-9) < LEAST_POWER - 2 * error
        print(
            f"  {design!s:38} margin {harm:g}: {at.share:.3f} {equal.share:.2f}   "
            f"CR2 {plain_at.share:.3f} {plain.share:.2f}"
            f"{'  MISSED false passes' if bad else ''}{'  MISSED power' if weak else ''}"
        )
        missed += bad + weak
    return missed


def _passes(
    design: Design, limit: float, harm: float, differ: float, sets: int, seed: int
) -> tuple[Rate, Rate]:
    """Passes of kdaudit, and of a plain t."""
    rng = np.random.default_rng([seed, design.rows, design.clusters])
    family = replace(margin(limit, 0.0), scores=paired(harm, differ))
    check = Check(code="X001", limit=Limit.MARGIN, value=limit, min_n=2)
    at_once = max(1, min(sets, 500_000 // design.length()))
    done = passed = plain = 0
    while done < sets:
        some = min(at_once, sets - done)
        done += some
        data = draw(design, some, rng)
        passed += sum(
            decide(check, one, ALPHA).outcome is Outcome.PASS
            for one in findings(family, data, some)
        )
        plain += int(np.sum(_cluster_robust(family, data, some, limit) <= ALPHA))
    return Rate(hits=passed, of=sets, sets=sets), Rate(hits=plain, of=sets, sets=sets)


def _cluster_robust(family: Family, data: Data, sets: int, limit: float) -> Array:
    """(sets,) p-values of a t on means of clusters, residuals over 1 - share (CR2)."""
    student, teacher = family.scores(data.uniform)
    change = student.astype(np.int64) - teacher
    cluster = data.evidence.rows.cluster
    assert cluster is not None
    size = np.bincount(cluster).reshape(sets, -1)
    total = np.bincount(cluster, change).reshape(sets, -1)
    share = size / size.sum(axis=1, keepdims=True)
    mean = total.sum(axis=1) / size.sum(axis=1)
    off = (total - mean[:, None] * size) ** 2 / (1 - share)
    error = np.sqrt(off.sum(axis=1)) / size.sum(axis=1)
    df = 1 / (share**2).sum(axis=1) - 1
    return np.asarray(stdtr(df, -(mean + limit) / np.maximum(error, 1e-300)))


def weights(sets: int, seed: int) -> int:
    """Log-normal weights, and a paired difference."""
    print("\nWeights: false passes at the margin, and passes of an equal student")
    missed = 0
    for rows, spread, harm in ((100, 0.5, 0.05), (300, 1.0, 0.02), (1000, 1.0, 0.02)):
        design = Design(rows=rows, sizes="weighted", spread=spread)
        at, equal = (
            _weighted(design, harm, true, sets, seed + k) for k, true in enumerate((harm, 0.0))
        )
        missed += checked(f"{rows} rows, spread {spread:g}, margin {harm:g}", at, BAR_FALSE_PASS)
        print(f"  {'':62} {equal.share:.2f} passes of an equal one")
    return missed


def _weighted(design: Design, limit: float, harm: float, sets: int, seed: int) -> Rate:
    rng = np.random.default_rng([seed, design.rows])
    family = replace(margin(limit, 0.0), scores=paired(harm, 0.06))
    check = Check(code="X001", limit=Limit.MARGIN, value=limit, min_n=2)
    data = draw(design, sets, rng)
    passed = sum(
        decide(check, one, ALPHA).outcome is Outcome.PASS for one in findings(family, data, sets)
    )
    return Rate(hits=passed, of=sets, sets=sets)


def no_bias_to_repair(sets: int, seed: int) -> int:
    """|S| - |T| at its margin where the teacher has no contrast at all."""
    print("\nThe teacher has no contrast: false passes of a student at the margin")
    missed = 0
    for rows, share, harm in ((300, 1 / 6, 0.1), (1000, 0.25, 0.05), (6000, 0.2, 0.03)):
        rng = np.random.default_rng([seed, rows])
        family = contrast(0.0, harm, share)
        check = Check(code="X001", limit=Limit.MARGIN, value=harm, min_n=2)
        passed = sum(
            decide(check, one, ALPHA).outcome is Outcome.PASS
            for _ in range(sets)
            for one in findings(family, draw(Design(rows=rows), 1, rng), 1)
        )
        name = f"{rows} rows, {share:.0%} in the group, margin {harm:g}"
        missed += checked(name, Rate(hits=passed, of=sets, sets=sets), ALPHA)
    return missed


# ----------------------------------------------------------------------------------------- labels

BASE = 0.5
BORDERS = (
    (0.15, 0.05),
    (0.15, -0.05),
    (0.05, 0.15),
    (-0.05, 0.15),
    (0.10, 0.15),
    (0.15, 0.10),
    (0.10, 0.10),
    (0.15, 0.00),
    (0.00, 0.15),
    (0.05, 0.05),
    (0.00, 0.05),
)
TOLD = ((0.15, 0.06), (0.05, 0.13), (0.03, 0.15), (0.08, -0.04), (0.10, 0.15), (0.12, 0.04))


def true(label: str, t: float, s: float) -> bool:
    """Whether a label is true of two contrasts; words joined by "or" if one of them is."""
    edge = 1e-9
    single: Mapping[str, bool] = {
        "amplified": t * s > 0 and abs(s) > abs(t) + edge,
        "introduced": abs(t) < NEGLIGIBLE - edge and s != 0 and abs(s - t) > edge,
        "reversed": t * s < 0,
        "attenuated": t * s > 0 and abs(s) < abs(t) - edge,
        "repaired": t != 0 and abs(s) < NEGLIGIBLE - edge and (s - t) * t < 0,
        "inherited": t * s > 0 and abs(s - t) < NEGLIGIBLE - edge,
        "at least inherited": t * s > 0,
        "none": abs(t) < NEGLIGIBLE - edge and abs(s) < NEGLIGIBLE - edge,
        "inconclusive": True,
        "not evaluable": True,
    }
    return any(single[word] for word in label.replace(", ", " or ").split(" or "))


def labels(sets: int, seed: int) -> int:
    """Labels of contrasts that lie on the borders of the words, in families of 1, 5 and 20."""
    print("\nLabels on borders: families with a false one (T, S: contrasts of the first group)")
    missed = 0
    for many, rows in ((1, 3000), (5, 6000), (20, 12_000)):
        for t, s in BORDERS:
            rng = _keyed(seed, many, t, s)
            wrong = 0
            for number in range(sets):
                said, truths = _labels(t, s, many, rows, rng, number)
                wrong += any(
                    not true(word, *truth) for word, truth in zip(said, truths, strict=True)
                )
            rate = Rate(hits=wrong, of=sets, sets=sets)
            missed += checked(f"family of {many:2}, T {t:+.2f}, S {s:+.2f}", rate, ALPHA)
    return missed


def _keyed(seed: int, many: int, t: float, s: float) -> np.random.Generator:
    return np.random.default_rng([seed, many, round(1000 * (1 + t)), round(1000 * (1 + s))])


def label_table(sets: int, seed: int) -> int:
    """What is said of known contrasts: the words that need most evidence, and how often."""
    print("\nLabels of known contrasts, a group of 300 in 3,000 rows: the most frequent words")
    for t, s in TOLD:
        for many in (1, 20):
            rng = _keyed(seed, many, t, s)
            said = Counter(_labels(t, s, many, 3000, rng, number)[0][0] for number in range(sets))
            told = ", ".join(f"{word} {n / sets:.2f}" for word, n in said.most_common(3))
            print(f"  {t:+.2f} to {s:+.2f}, family of {many:2}: {told}")
    return 0


def _labels(
    t: float, s: float, many: int, rows: int, rng: np.random.Generator, number: int
) -> tuple[list[str], list[tuple[float, float]]]:
    """Labels of every group, the first of which has the contrasts T and S, and what is true."""
    share = np.array([0.1, *([0.9 / many] * many)])
    group = rng.choice(many + 1, rows, p=share)
    own, u, again = rng.random(rows) < 0.2, rng.random(rows), rng.random(rows)
    rate = BASE + np.where(group == 0, 1.0, 0.0)[:, None] * np.array([t, s])
    teacher, student = u < rate[:, 0], np.where(own, again, u) < rate[:, 1]
    names = tuple(f"g{k:02d}" for k in range(many + 1))
    evidence = Evidence(
        rows=Rows(
            ids=np.zeros(rows, object),
            label=np.full(rows, -1),
            classes=("no", "yes"),
            positive=(1,),
            attributes={"g": Category(group.astype(np.int64), names)},
            sensitive=(("g",),),
        ),
        level=1 - 2 * ALPHA,
        unlabelled=NotMeasured("of no matter here"),
        kinds={Need(kind="predictions"): _pair(student, teacher)},
    )
    (selection, *_) = rates(evidence)
    measured = list(contrasts(selection, evidence, crossings(evidence)))
    # Of two groups each is the other's mirror; of many, the first and the others.
    kept = measured[:1] if many == 1 else measured
    found = labelled(kept, evidence, Streams(seed=number).at("labels"))
    truths = [(t, s)] + [_rest(share, k, t, s) for k in range(1, len(kept))]
    return [one.label for one in found], truths


def _rest(share: Array, k: int, t: float, s: float) -> tuple[float, float]:
    """True contrasts of another group: it has the base rate, and the rest holds the first group."""
    part = share[0] / (1 - share[k])
    return -part * t, -part * s


def _pair(student: Array, teacher: Array) -> Trio:
    def one(answer: Array) -> Predictions:
        return Predictions(
            classes=("no", "yes"), answer=answer.astype(np.int64), probabilities=None
        )

    return Trio(student=one(student), teacher=one(teacher), baseline=NotMeasured("none"))


# ------------------------------------------------------------------------------------ needed rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A check that rows leave open, on rows whose truth is known."""

    name: str
    family: Family
    design: Design


NEEDED = (
    Asked(
        name="ACC001, inside its margin",
        family=replace(margin(0.03, 0.0), scores=paired(0.005, 0.06)),
        design=Design(rows=250),
    ),
    Asked(
        name="ACC001, beyond its margin",
        family=replace(margin(0.01, 0.0), scores=paired(0.05, 0.1)),
        design=Design(rows=150),
    ),
    Asked(
        name="CAL001, inside its margin",
        family=replace(brier(0.1), value=0.25),
        design=Design(rows=100),
    ),
    Asked(
        name="CAL003, beyond its margin",
        family=replace(gap(0.07), value=0.02),
        design=Design(rows=150),
    ),
    Asked(
        name="FAI001, T and S on one side",
        family=replace(contrast(0.2, 0.22, 0.3), value=0.1),
        design=Design(rows=200),
    ),
    Asked(
        name="FAI001, the sign of T open",
        family=replace(contrast(0.0, 0.02, 0.3), value=0.08),
        design=Design(rows=500),
    ),
    Asked(
        name="SLC001, inside its margin",
        family=replace(margin(0.06, 0.0), scores=paired(0.02, 0.12)),
        design=Design(rows=200),
    ),
    Asked(
        name="clusters of five, inside the margin",
        family=replace(margin(0.04, 0.0), scores=paired(0.005, 0.08)),
        design=Design(rows=300, clusters=60, sizes="equal", alike=0.1),
    ),
    Asked(
        name="clusters of five, beyond the margin",
        family=replace(margin(0.01, 0.0), scores=paired(0.06, 0.12)),
        design=Design(rows=150, clusters=30, sizes="equal", alike=0.1),
    ),
)
DECIDED = (0.75, 0.9)


def needed(sets: int, seed: int) -> int:
    """Checks that are left open: at the number of rows that is named, how many are decided."""
    print("\nNeeded rows: share of audits that decide, at the number of rows that is named")
    missed = 0
    for asked in NEEDED:
        rng = np.random.default_rng([seed, asked.design.rows])
        check = Check(
            code="X001",
            limit=asked.family.limit,
            value=asked.family.value,
            min_n=2,
            each=() if asked.family.group else ("set",),
        )
        n, promised = _promise(asked, check, rng)
        if promised is None:
            print(f"  {asked.name:40} no number was named  MISSED")
            missed += 1
            continue
        grown = promised / n
        design = replace(
            asked.design,
            rows=round(asked.design.rows * grown),
            clusters=round(asked.design.clusters * grown),
        )
        at_once = 1 if asked.family.group else max(1, 300_000 // design.length())
        decided = done = 0
        while done < sets:
            some = min(at_once, sets - done)
            done += some
            for one in findings(asked.family, draw(design, some, rng), some):
                verdicts = judge([check], [SuiteResult(suite="s", findings=(one,))], ALPHA)
                decided += verdicts[0].outcome in (Outcome.PASS, Outcome.FAIL)
        rate = Rate(hits=decided, of=sets, sets=sets)
        bad = rate.above(DECIDED[1]) or rate.below(DECIDED[0])
        print(
            f"  {asked.name:40} {n:5} rows, {promised:6} named: {rate.share:.2f} of {sets}"
            f"{'  MISSED' if bad else ''}"
        )
        missed += bad
    return missed


MANY = 200


def _promise(asked: Asked, check: Check, rng: np.random.Generator) -> tuple[int, int | None]:
    """The rows, and the number named, of an audit in which everything is seen as it is.

    It has the shares and spreads of two hundred times as many rows.
    """
    many = replace(
        asked.design, rows=MANY * asked.design.rows, clusters=MANY * asked.design.clusters
    )
    (finding,) = findings(asked.family, draw(many, 1, rng), 1)
    basis = finding.basis
    if isinstance(basis, Table):
        cells = (basis.n11, basis.n10, basis.n01, basis.n00)
        n11, n10, n01, n00 = (round(cell / MANY) for cell in cells)
        some: Table | Means = Table(n11=n11, n10=n10, n01=n01, n00=n00)
    else:
        assert isinstance(basis, Means)
        some = scaled(basis, 1 / MANY)
    (verdict,) = judge(
        [check], [SuiteResult(suite="s", findings=(replace(finding, basis=some),))], ALPHA
    )
    assert isinstance(verdict.measured, Estimate)
    return verdict.measured.n, verdict.needed_n


# --------------------------------------------------------------------------- claims, Holm, looks


def card_claims(pairs: int, seed: int) -> int:
    """Pairs that differ by luck alone: cards on which any harm is claimed that no check limits."""
    print("\nCards of harmless pairs")
    claimed = 0
    for number in range(pairs):
        rng = np.random.default_rng([seed, number])
        n, classes = 1200, np.array(["a", "b", "c"], object)
        label = rng.choice(3, n, p=[0.5, 0.3, 0.2])
        data = pd.DataFrame(
            {
                "id": np.arange(n),
                "label": classes[label],
                "channel": rng.choice(["web", "phone", "post", "shop"], n),
                "region": rng.choice(list("ABCDEF"), n),
                "sex": rng.choice(["f", "m"], n),
                "age": rng.choice(["young", "middle", "old"], n),
            }
        )
        subjects = {who: _subject(label, rng) for who in ("teacher", "student")}
        results = kdaudit.audit(
            data=data,
            **subjects,
            id="id",
            positive="b",
            slices=["channel", "region"],
            sensitive=["sex", "age"],
        )
        claimed += any("and no check limits it" in one.text for one in results.limitations)
    return checked("cards with a claim", Rate(hits=claimed, of=pairs, sets=pairs), ALPHA)


def _subject(label: Array, rng: np.random.Generator) -> pd.DataFrame:
    n = len(label)
    answer = np.where(rng.random(n) < 0.9, label, rng.integers(0, 3, n))
    sure = rng.uniform(0.75, 0.99, n)
    shown = np.repeat(((1 - sure) / 2)[:, None], 3, axis=1)
    shown[np.arange(n), answer] = sure
    return pd.DataFrame(
        {"id": np.arange(n), "p_a": shown[:, 0], "p_b": shown[:, 1], "p_c": shown[:, 2]}
    )


def unequal_entries(sets: int, seed: int) -> int:
    """200 members in entries of 1, 49 and 150, every one exactly at its limit."""
    print("\nWeighted Holm: audits with any false failure")
    rng = np.random.default_rng([seed, 200])
    contract = [
        Check(code="X001", limit=Limit.MARGIN, value=0.05),
        Check(code="X001", limit=Limit.MARGIN, value=0.05, each=("few",)),
        Check(code="X001", limit=Limit.MARGIN, value=0.05, each=("many",)),
    ]
    wheres = [
        (),
        *((("few", f"{k}"),) for k in range(49)),
        *((("many", f"{k}"),) for k in range(150)),
    ]
    failed = 0
    for _ in range(sets):
        counts = rng.multinomial(300, [0.75, 0.05, 0.10, 0.10], size=len(wheres)).tolist()
        made = tuple(
            replace(_of_table(row), where=where) for where, row in zip(wheres, counts, strict=True)
        )
        verdicts = judge(contract, [SuiteResult(suite="s", findings=made)], ALPHA)
        failed += any(one.outcome is Outcome.FAIL for one in verdicts)
    return checked("200 members at their limits", Rate(hits=failed, of=sets, sets=sets), ALPHA)


def looks(sets: int, seed: int) -> int:
    """Nine students at the margin on the same rows: audits in which one of them passes."""
    print("\nRepeated looks: nine students at the margin, one of them passes")
    missed = 0
    check = Check(code="X001", limit=Limit.MARGIN, value=0.02)
    for kind in ("each at alpha", "pocock", "obrien-fleming"):
        rng = np.random.default_rng([seed, 9])
        shares = [ALPHA] * 9
        if kind != "each at alpha":
            gone = [spent(ALPHA, k / 9, kind) for k in range(10)]
            shares = np.diff(gone).tolist()
        passed = 0
        for _ in range(sets):
            counts = rng.multinomial(1000, [0.88, 0.02, 0.04, 0.06], size=9)
            passed += any(
                decide(check, _of_table(row), share).outcome is Outcome.PASS
                for row, share in zip(counts.tolist(), shares, strict=True)
            )
        rate = Rate(hits=passed, of=sets, sets=sets)
        if kind == "each at alpha":
            print(f"  {kind:62} {rate.share:.3f} of {rate.of}  (no promise was made)")
        else:
            missed += checked(kind, rate, ALPHA)
    return missed


def _of_table(row: Sequence[int]) -> Finding:
    n11, n10, n01, n00 = row
    nothing = NotMeasured("by its basis")
    whole = Estimate(value=0, low=0, high=0, n=1000, level=0.9, method="by its basis")
    return ENDPOINT.finding(
        student=nothing,
        teacher=nothing,
        baseline=nothing,
        difference=whole,
        basis=Table(n11=n11, n10=n10, n01=n01, n00=n00),
    )


# ------------------------------------------------------------------- partly labelled, and the drill


def sampled(sets: int, seed: int) -> int:
    """Own accuracy from disagreements and a sample of the rest: intervals that miss the truth."""
    print("\nPartly labelled rows: 95% intervals of own accuracy that miss it")
    missed = 0
    for drawn in (50, 200, 400):
        rng = np.random.default_rng([seed, drawn])
        wrong = 0
        for _ in range(sets):
            rows, apart, right = 3000, rng.random(3000) < 0.06, rng.random(3000)
            correct = np.where(apart, right < 0.5, right < 0.92)
            others = rng.permutation(np.flatnonzero(~apart))[:drawn]
            kept = np.concatenate([np.flatnonzero(apart), others])
            stands = np.where(apart[kept], 1.0, (rows - apart.sum()) / drawn)
            evidence = Evidence(
                rows=Rows(
                    ids=np.zeros(len(kept), object),
                    label=np.zeros(len(kept), np.int64),
                    classes=("a", "b"),
                    weight=stands,
                ),
                level=0.95,
            )
            score = Score(values=correct[kept], valid=np.ones(len(kept), np.bool_))
            scores: Any = {"student": score, "teacher": score, "baseline": NotMeasured("none")}
            (finding,) = mean_findings(
                ENDPOINT, evidence, scores, codes=np.zeros(len(kept), np.int64), wheres=[()]
            )
            assert isinstance(finding.student, Estimate)
            wrong += not finding.student.low <= 0.06 * 0.5 + 0.94 * 0.92 <= finding.student.high
        rate = Rate(hits=wrong, of=sets, sets=sets)
        missed += checked(f"3,000 rows, 180 apart, {drawn} drawn of the others", rate, 0.07)
    return missed


def drilled(audits: int, seed: int) -> int:
    """The drill's 90% interval for the chance that a planted loss is seen, over audits."""
    print("\nThe drill: intervals that hold the true chance of seeing a loss of 5 points")
    missed = 0
    for rows, differ, limit in ((1000, 0.06, 0.02), (300, 0.1, 0.02)):
        truth = _true_power(rows, differ, limit, seed)
        held = 0
        for number in range(audits):
            rng = np.random.default_rng([seed, rows, number])
            low, high = _drill_once(rows, differ, limit, rng)
            held += low <= truth <= high
        rate = Rate(hits=held, of=audits, sets=audits)
        bad = rate.below(0.85)
        name = f"{rows} rows, {differ:g} differ, margin {limit:g}: chance {truth:.2f}"
        print(f"  {name:62} {rate.share:.3f} of {audits}{'  MISSED' if bad else ''}")
        missed += bad
    return missed


def _drawn(rows: int, differ: float, rng: np.random.Generator) -> tuple[Array, Array]:
    student, teacher = losses_and_gains(differ / 2, differ / 2, 0.9)(rng.random((4, rows)))
    return student, teacher


def _true_power(rows: int, differ: float, limit: float, seed: int) -> float:
    """Chance that a loss of five points is shown, and is not without it, by new rows each time."""
    rng = np.random.default_rng([seed, rows, 7])
    check = Check(code="X001", limit=Limit.MARGIN, value=limit)

    def shown(student: Array, teacher: Array) -> bool:
        n10, n01 = int((student & ~teacher).sum()), int((~student & teacher).sum())
        n11 = int((student & teacher).sum())
        finding = _of_table([n11, n10, n01, rows - n11 - n10 - n01])
        (verdict,) = judge([check], [SuiteResult(suite="s", findings=(finding,))], ALPHA)
        return verdict.outcome is Outcome.FAIL

    seen = 0
    for _ in range(4000):
        student, teacher = _drawn(rows, differ, rng)
        lost = student & (rng.random(rows) >= 0.05 / (0.9 * (1 - differ) + differ / 2))
        seen += shown(lost, teacher) and not shown(student, teacher)
    return seen / 4000


def _drill_once(
    rows: int, differ: float, limit: float, rng: np.random.Generator
) -> tuple[float, float]:
    student, teacher = _drawn(rows, differ, rng)
    label = np.arange(rows) % 2
    answer = {
        who: np.where(right, label, 1 - label) for who, right in (("s", student), ("t", teacher))
    }
    evidence = Evidence(
        rows=Rows(
            ids=np.array([f"r{k:05d}" for k in range(rows)], object),
            label=label,
            classes=("a", "b"),
        ),
        level=0.9,
        independent=True,
        kinds={Need(kind="predictions"): _pair(answer["s"], answer["t"])},
    )
    results = _results(rows, Check(code="ACC001", limit=Limit.MARGIN, value=limit))
    found = drill(evidence, (Accuracy(),), results, digest="0" * 64, trials=60)
    (planted,) = (
        one
        for one in found.planted
        if one.kind == AccuracyLoss.kind and one.size == 0.05 and not one.where
    )
    return planted.seen.low, planted.seen.high


def _results(rows: int, check: Check) -> Results:
    """As much of an audit as a drill looks at."""
    return Results(
        name="drilled",
        seed=0,
        alpha=ALPHA,
        versions={},
        inputs=(),
        subjects=(),
        data=DataSummary(
            rows=rows,
            out_of_scope=0,
            clusters=None,
            weighted=False,
            classes=("a", "b"),
            positive=(),
            label_source="human",
            ungrouped={},
            splits={"audit": rows},
            sensitive=(),
            slices=(),
        ),
        suites=(),
        contract=(check,),
        verdicts=(),
        outcome=Outcome.PASS,
        exit_code=0,
        limitations=(),
        card=CardText(),
    )
