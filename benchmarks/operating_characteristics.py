"""How often the audit errs, and how often it sees: simulated, through the code that decides.

Every replicate is a data set whose truth is known. Its rows go through `kdaudit.measure` to
findings and through `kdaudit.contract` to verdicts, as in an audit. Printed are

* false passes: a student exactly at its limit, for every kind of limit and family of endpoints,
  over independent, weighted and clustered rows. Bar: 0.06 plus two Monte-Carlo errors at
  alpha = 0.05, wherever at least one replicate in ten is evaluable.
* family-wise false fails of 200 checks when student and teacher are equally good in every respect
  and err independently on 6% of the rows. Bar: 0.05 plus two Monte-Carlo errors.
* coverage of the printed 95% intervals. Bar: 0.93 to 0.97, give or take two errors; above it where
  the method says "conservative". CAL004, which can be checked at its own level only, at 90%.
* decisions (`decision_cells.py`): clusters and weights beside plain tests, labels on the borders of
  their words, the number of rows that a check is said to need, cards of harmless pairs, unequal
  entries under weighted Holm, repeated looks, partly labelled rows, the drill.
* power: amplified bias and a planted slice, beside percentile bootstrap and unadjusted scans.

    python benchmarks/operating_characteristics.py --quick     about 5 minutes on two cores
    python benchmarks/operating_characteristics.py             about an hour

Exit code 1 where a bar is missed.
"""

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from decision_cells import (
    card_claims,
    clusters,
    drilled,
    label_table,
    labels,
    looks,
    needed,
    no_bias_to_repair,
    sampled,
    unequal_entries,
    weights,
)
from simulated import (
    ALPHA,
    BAR_FALSE_FAIL,
    BAR_FALSE_PASS,
    LEVEL,
    ROWS_AT_ONCE,
    Array,
    Design,
    Family,
    Rate,
    brier,
    contrast,
    draw,
    findings,
    gap,
    incorrect,
    keep,
    margin,
    own,
    sliced,
)

from kdaudit.contract import decide, judge
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import Category, Evidence, Streams, Trio
from kdaudit.measure import contrast_findings, mean_findings
from kdaudit.results import (
    Better,
    Check,
    Endpoint,
    Finding,
    Limit,
    Need,
    Outcome,
    SuiteResult,
    Where,
)
from kdaudit.scores import Score
from kdaudit_suites.calibration import Calibration
from kdaudit_suites.fairness import Fairness

CORES = 2
MOST_ROWS = 5_000_000  # of a cell: of large data sets a thousand are enough


# ----------------------------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One family over one design.

    Attributes:
        passes: false passes.
        covered: intervals of the printed quantity that hold the truth: of the difference, or of
            the student's own value where there is none.
        conservative: whether their method says so in most data sets.
        level: of the intervals.
    """

    family: str
    design: str
    passes: Rate
    covered: Rate
    conservative: bool
    level: float = LEVEL


def simulate(family: Family, design: Design, sets: int, seed: int) -> Cell:
    """Let an audit decide many data sets of one kind."""
    rng = np.random.default_rng([seed, design.rows, design.clusters])
    check = Check(code="X001", limit=family.limit, value=family.value, min_n=2)
    at_once = 1 if family.group else max(1, min(sets, ROWS_AT_ONCE // design.length()))
    passed = evaluable = covered = named = 0
    done = 0
    while done < sets:
        some = min(at_once, sets - done)
        done += some
        for finding in findings(family, draw(design, some, rng), some):
            outcome = decide(check, finding, ALPHA).outcome
            if outcome is Outcome.NOT_EVALUABLE:
                continue
            evaluable += 1
            passed += outcome is Outcome.PASS
            alone = family.limit in (Limit.AT_MOST, Limit.AT_LEAST)
            shown = finding.student if alone else finding.difference
            assert isinstance(shown, Estimate)
            covered += shown.low - 1e-12 <= family.truth <= shown.high + 1e-12
            named += "conservative" in shown.method
    return Cell(
        family=family.name,
        design=str(design),
        passes=Rate(hits=passed, of=evaluable, sets=sets),
        covered=Rate(hits=covered, of=evaluable, sets=sets),
        conservative=named > evaluable / 2,
    )


def designs(*, quick: bool) -> list[Design]:
    """Of 30 to 5,000 rows: alone, weighted, in equal and in Zipf clusters."""
    if quick:
        return [
            *(Design(rows=n) for n in (30, 134, 300, 1000)),
            Design(rows=1000, sizes="weighted"),
            Design(rows=80, clusters=8, sizes="equal", alike=1.0),
            Design(rows=300, clusters=30, sizes="equal", alike=0.0),
            Design(rows=1000, clusters=100, sizes="equal", alike=0.3),
            Design(rows=300, clusters=30, sizes="zipf", alike=1.0),
            Design(rows=1000, clusters=100, sizes="zipf", alike=0.3),
            Design(rows=1000, clusters=1000, sizes="zipf", alike=1.0, exponent=0.8),
            Design(rows=5000, clusters=1000, sizes="zipf", alike=1.0),
        ]
    shapes = [(300, 30), (1000, 100), (1000, 1000), (5000, 1000)]
    alone = [Design(rows=n) for n in (30, 60, 134, 300, 1000, 5000)]
    weighted = [Design(rows=n, sizes="weighted") for n in (100, 1000)]
    equal = [
        Design(rows=n, clusters=c, sizes="equal", alike=icc)
        for n, c in ((80, 8), *shapes)
        if n > c
        for icc in (0.0, 0.3, 1.0)
    ]
    zipf = [
        Design(rows=n, clusters=c, sizes="zipf", alike=icc, exponent=e)
        for n, c in shapes
        for e in (0.5, 0.8, 1.0, 1.2)
        for icc in (0.0, 0.3, 1.0)
    ]
    return alone + weighted + equal + zipf


FAMILIES = (
    margin(0.05, 0.0),
    margin(0.02, 0.03),
    margin(0.1, 0.05),
    sliced(0.05, 0.02, 0.3),
    incorrect(0.05, 0.02),
    keep(0.05, 0.0),
    keep(0.08, 0.02),
    own(0.05, Better.LOWER),
    own(0.1, Better.HIGHER),
    brier(0.02),
    brier(0.1),
    gap(0.05),
    contrast(0.0, 0.1, 0.2),
    contrast(0.1, 0.2, 0.2),
    contrast(-0.1, 0.2, 0.5),
)


RATIOS = (
    Design(rows=300),
    Design(rows=1000),
    Design(rows=1000, sizes="weighted"),
    Design(rows=1000, clusters=100, sizes="equal", alike=0.3),
    Design(rows=1000, clusters=100, sizes="zipf", alike=0.3, exponent=0.5),
    Design(rows=1000, clusters=1000, sizes="zipf", alike=1.0, exponent=0.8),
)


def calibration_error(rows: int, sets: int, seed: int) -> Cell:
    """CAL004: a calibrated teacher, and a student that claims 0.1 more for the same answers."""
    endpoint = next(code for code in Calibration.codes if code.code == "CAL004")
    check = Check(code=endpoint.code, limit=Limit.MARGIN, value=0.01, min_n=2)
    rng = np.random.default_rng([seed, rows])
    passed = evaluable = covered = named = 0
    for number in range(sets):
        claimed = rng.uniform(0.55, 0.85, rows)
        label = (rng.random(rows) >= claimed).astype(np.int64)
        trio = Trio(
            student=_claims(claimed + 0.1), teacher=_claims(claimed), baseline=NotMeasured("none")
        )
        evidence = Evidence(
            rows=replace(draw(Design(rows=rows), 1, rng).evidence.rows, label=label),
            level=1 - 2 * ALPHA,  # a bootstrap interval is checked at the level it was made for
            kinds={Need(kind="predictions"): trio},
        )
        result = Calibration(replicates=400).run(evidence, Streams(seed=number))
        finding = next(f for f in result.findings if f.code == endpoint.code and not f.where)
        outcome = decide(check, finding, ALPHA).outcome
        if outcome is Outcome.NOT_EVALUABLE:
            continue
        assert isinstance(finding.difference, Estimate)
        evaluable += 1
        passed += outcome is Outcome.PASS
        covered += finding.difference.low <= 0.01 <= finding.difference.high
        named += "conservative" in finding.difference.method
    return Cell(
        family="CAL004 margin 0.01",
        design=f"{rows} independent",
        passes=Rate(hits=passed, of=evaluable, sets=sets),
        covered=Rate(hits=covered, of=evaluable, sets=sets),
        conservative=named > evaluable / 2,
        level=1 - 2 * ALPHA,
    )


def impact_ratio(design: Design, limit: Limit, sets: int, seed: int) -> Cell:
    """FAI011: a group selected 0.75 times as often, and 0.9 times as often as by the teacher."""
    endpoint = next(code for code in Fairness.codes if code.code == "FAI011")
    truth, kept, share = 0.675, 0.9, 0.4
    value = kept if limit is Limit.KEEP else truth
    check = Check(code=endpoint.code, limit=limit, value=value, min_n=2)
    rng = np.random.default_rng([seed, design.rows, design.clusters])
    passed = evaluable = covered = named = 0
    for number in range(sets):
        data = draw(design, 1, rng)
        group = data.uniform[2] < share
        teacher = data.uniform[0] < np.where(group, 0.3, 0.4)
        student = teacher & ~(group & (data.uniform[1] < 1 - kept))
        trio = Trio(
            student=_answers(student), teacher=_answers(teacher), baseline=NotMeasured("none")
        )
        column = Category(group.astype(np.int64), ("others", "some"))
        rows = replace(
            data.evidence.rows,
            positive=(1,),
            attributes={"group": column},
            sensitive=(("group",),),
        )
        evidence = replace(
            data.evidence,
            rows=rows,
            kinds={Need(kind="predictions"): trio},
            asked=frozenset({endpoint.code}),
        )
        result = Fairness().run(evidence, Streams(seed=number))
        finding = next(f for f in result.findings if f.address == f"{endpoint.code}[group=some]")
        outcome = decide(check, finding, ALPHA).outcome
        if outcome is Outcome.NOT_EVALUABLE:
            continue
        assert isinstance(finding.student, Estimate)
        evaluable += 1
        passed += outcome is Outcome.PASS
        covered += finding.student.low <= truth <= finding.student.high
        named += "conservative" in finding.student.method
    return Cell(
        family=f"FAI011 {limit} {value:g}",
        design=str(design),
        passes=Rate(hits=passed, of=evaluable, sets=sets),
        covered=Rate(hits=covered, of=evaluable, sets=sets),
        conservative=named > evaluable / 2,
    )


def _answers(selected: Array) -> Predictions:
    return Predictions(classes=("a", "b"), answer=selected.astype(np.int64), probabilities=None)


def _claims(confidence: Array) -> Predictions:
    return Predictions(
        classes=("a", "b"),
        answer=np.zeros(len(confidence), np.int64),
        probabilities=np.stack([confidence, 1 - confidence], axis=1),
    )


# ---------------------------------------------------------------------------- many checks at once

COLUMNS = {"channel": 20, "region": 15, "product": 15}
SLICED = Endpoint(code="SLC001", metric="accuracy", unit="share", better=Better.HIGHER)
SELECTED = Endpoint(code="FAI001", metric="selection rate", unit="share", better=Better.ZERO)
FAVOURED = Endpoint(code="FAI004", metric="accuracy", unit="share", better=Better.ZERO)
CLAIMED = Endpoint(code="CAL003", metric="confidence gap", unit="share", better=Better.ZERO)


def family_wise(design: Design, sets: int, seed: int) -> tuple[Rate, int]:
    """False fails of 200 checks with margin 0, where student and teacher are equally good.

    They err independently. Slices follow Zipf's law, so that some are too small to be judged.
    """
    rng = np.random.default_rng([seed, design.rows, design.clusters])
    contract = [
        Check(code=code, each=(column,), limit=Limit.MARGIN, value=0.0)
        for code in ("SLC001", "FAI001", "FAI004", "CAL003")
        for column in COLUMNS
    ]
    failed, checks = 0, 0
    for _ in range(sets):
        data = draw(design, 1, rng)
        positive = data.uniform[2] < 0.4
        right = {"student": data.uniform[0] >= 0.06, "teacher": data.uniform[1] >= 0.06}
        made: list[Finding] = []
        for column, values in COLUMNS.items():
            odds = 1 / np.arange(1, values + 1)
            codes = rng.choice(values, len(positive), p=odds / odds.sum())
            wheres: list[Where] = [((column, str(value)),) for value in range(values)]
            of = {
                SLICED: {who: (ok, 0.0) for who, ok in right.items()},
                FAVOURED: {who: (ok, 0.0) for who, ok in right.items()},
                SELECTED: {who: (ok == positive, 0.0) for who, ok in right.items()},
                CLAIMED: {who: (0.94 - ok, -1.0) for who, ok in right.items()},
            }
            for endpoint, subjects in of.items():
                scores: Any = {
                    who: Score(values=values, valid=np.ones(len(positive), np.bool_), low=low)
                    for who, (values, low) in subjects.items()
                } | {"baseline": NotMeasured("none")}
                many = contrast_findings if endpoint.code.startswith("FAI") else mean_findings
                made += many(endpoint, data.evidence, scores, codes=codes, wheres=wheres)
        suite = SuiteResult(suite="all", findings=tuple(made))
        verdicts = judge(contract, [suite], ALPHA)
        checks = len(verdicts)
        failed += any(verdict.outcome is Outcome.FAIL for verdict in verdicts)
    return Rate(hits=failed, of=sets, sets=sets), checks


# ------------------------------------------------------------------------------------------ power


def amplification(more: float, sets: int, seed: int) -> dict[str, float]:
    """How often a bias of 5 points that the student amplifies is seen, in 300 of 3,000 rows."""
    rng = np.random.default_rng([seed, int(1000 * more)])
    family = contrast(0.05, 0.05 + more, 0.1)
    seen = bootstrap = 0
    for _ in range(sets):
        data = draw(Design(rows=3000), 1, rng)
        (finding,) = findings(family, data, 1)
        verdict = decide(Check(code="X001", limit=Limit.MARGIN, value=0.0, min_n=2), finding, ALPHA)
        seen += verdict.p_exceeded is not None and verdict.p_exceeded <= ALPHA
        # Six groups, as fairness tools compare them: the widest gap between any two.
        group = np.where(data.uniform[2] < 0.1, 5, rng.integers(0, 5, 3000))
        student, teacher = family.scores(data.uniform)
        cells = np.bincount(4 * group + 2 * student + teacher, minlength=24) / 3000
        drawn = rng.multinomial(3000, cells, 500).reshape(500, 6, 4)
        n = np.maximum(drawn.sum(axis=2), 1)
        wider = np.ptp((drawn[..., 2] + drawn[..., 3]) / n, axis=1)
        wider = wider - np.ptp((drawn[..., 1] + drawn[..., 3]) / n, axis=1)
        bootstrap += np.quantile(wider, ALPHA) > 0
    return {"kdaudit": seen / sets, "percentile bootstrap of the gap": bootstrap / sets}


def planted(loss: float, sets: int, seed: int) -> dict[str, float]:
    """How often a slice of 250 rows in 5,000 is found, and other slices are accused, out of 100."""
    rng = np.random.default_rng([seed, int(1000 * loss)])
    counts = dict.fromkeys(("found", "found unadjusted", "accused", "accused unadjusted"), 0)
    # The other slices hold a twentieth of the planted one's rows, and lose as much of its harm.
    contract = [Check(code="SLC001", each=(c,), limit=Limit.MARGIN, value=0.01) for c in "abcde"]
    for _ in range(sets):
        data = draw(Design(rows=5000), 1, rng)
        columns = rng.integers(0, 20, (5, 5000))
        lost = np.where(columns[0] == 0, 0.03 + loss, 0.03)
        student, teacher = data.uniform[0] >= lost, data.uniform[1] >= 0.03
        scores: Any = {
            who: Score(values=ok, valid=np.ones(5000, np.bool_))
            for who, ok in (("student", student), ("teacher", teacher))
        } | {"baseline": NotMeasured("none")}
        made: list[Finding] = []
        for name, codes in zip("abcde", columns, strict=True):
            wheres: list[Where] = [((name, f"{value:02d}"),) for value in range(20)]
            made += mean_findings(SLICED, data.evidence, scores, codes=codes, wheres=wheres)
        verdicts = judge(contract, [SuiteResult(suite="slices", findings=tuple(made))], ALPHA)
        for wanted, word in ((True, "found"), (False, "accused")):
            some = [v for v in verdicts if (v.address == "SLC001[a=00]") is wanted]
            counts[word] += any(v.outcome is Outcome.FAIL for v in some)
            low = [v for v in some if v.p_exceeded is not None and v.p_exceeded <= ALPHA]
            counts[f"{word} unadjusted"] += bool(low)
    return {word: count / sets for word, count in counts.items()}


# ---------------------------------------------------------------------------------------- printing


def missed(cell: Cell) -> list[str]:
    """Which bars a cell misses."""
    said = []
    if cell.passes.above(BAR_FALSE_PASS):
        said.append("false passes")
    if cell.covered.below(cell.level - 0.02):
        said.append("coverage too low")
    if cell.covered.above(cell.level + 0.02) and not cell.conservative:
        said.append("coverage too high, and not named conservative")
    return said


def report(cells: list[Cell]) -> int:
    """Print one family, worst cells first; give the number of missed bars."""
    judged = [cell for cell in cells if cell.passes.evaluable]
    if not judged:
        print(f"{cells[0].family:38} not evaluable in any of {len(cells)} designs")
        return 0
    worst = max(judged, key=lambda cell: cell.passes.share)
    least = min(judged, key=lambda cell: cell.covered.share)
    plain = [cell.covered.share for cell in judged if not cell.conservative]
    most = f"{max(plain):.3f}" if plain else "  -  "
    print(
        f"{worst.family:38} {len(judged):3}/{len(cells):<3} {worst.passes.share:.3f} "
        f"{worst.design:34} {least.covered.share:.3f} {most}"
    )
    bad = [(cell, bar) for cell in judged for bar in missed(cell)]
    for cell, bar in bad:
        print(
            f"    MISSED {bar}: {cell.design}: passes {cell.passes.share:.3f}, "
            f"coverage {cell.covered.share:.3f} of {cell.passes.of}"
        )
    return len(bad)


def _cell(asked: tuple[int, Design, int, int]) -> Cell:
    number, design, sets, seed = asked
    return simulate(FAMILIES[number], design, min(sets, MOST_ROWS // design.length()), seed)


def main(arguments: list[str]) -> int:
    """Print every table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer designs and replicates")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    sets = 300 if given.quick else 2000
    failures = 0
    print(f"False passes at the limit, and coverage at 95%: {sets} data sets a cell")
    print(f"{'family':38} cells   worst in{'':31} least most (not conservative)")
    some = designs(quick=given.quick)
    with ProcessPoolExecutor(CORES) as pool:
        for number in range(len(FAMILIES)):
            failures += report(list(pool.map(_cell, ((number, d, sets, given.seed) for d in some))))
    sizes = (300, 1000) if given.quick else (100, 300, 1000, 5000)
    failures += report([calibration_error(n, sets // 4, given.seed) for n in sizes])
    for limit in (Limit.AT_LEAST, Limit.KEEP):
        cells = [impact_ratio(d, limit, sets // 2, given.seed) for d in RATIOS]
        failures += report(cells)
    print("\nFamily-wise false fails, margin 0, errors on 6% of the rows")
    for design in (
        Design(rows=4000),
        Design(rows=4000, clusters=400, sizes="equal", alike=0.3),
        Design(rows=4000, clusters=400, sizes="zipf", alike=0.3, exponent=0.5),
    ):
        rate, checks = family_wise(design, sets // 8, given.seed)
        print(f"  {checks} checks, {design!s:38} {rate.share:.3f} of {rate.of}")
        if rate.above(BAR_FALSE_FAIL):
            failures += 1
            print("    MISSED")
    for cell, many in (
        (clusters, sets),
        (weights, sets),
        (no_bias_to_repair, 2 * sets),
        (labels, sets // 5),
        (label_table, sets // 10),
        (needed, sets // 2),
        (card_claims, max(40, sets // 5)),
        (unequal_entries, sets // 8),
        (looks, sets),
        (sampled, sets),
        (drilled, max(30, sets // 20)),
    ):
        failures += cell(many, given.seed)
    print("\nPower: bias of 5 points in 300 of 3,000 rows, amplified by")
    for more in (0.0, 0.05, 0.1, 0.15):
        told = amplification(more, sets // 5, given.seed)
        print(f"  {more:4.2f}  " + "  ".join(f"{word} {share:.2f}" for word, share in told.items()))
    print("Power: one of 100 slices loses, against a margin of 0.01")
    for loss in (0.0, 0.05, 0.1, 0.2):
        told = planted(loss, sets // 10, given.seed)
        print(f"  {loss:4.2f}  " + "  ".join(f"{word} {share:.2f}" for word, share in told.items()))
    print(f"\n{failures} bars missed; {time.perf_counter() - started:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
