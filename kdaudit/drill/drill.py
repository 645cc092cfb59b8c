"""The audit drill: how often this audit, on rows like these, would see each known harm.

A trial draws the audited rows anew, makes student and teacher alike (`kdaudit.drill.equal`),
measures what the contract checks and decides, once as they are and once with each harm. What a
check says of the harmed student and not of the unharmed one, on the same rows, is due to the harm.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kdaudit.contract import judge, overall
from kdaudit.drill.derive import harms_of
from kdaudit.drill.drilled import Drill, Planted, Sighting
from kdaudit.drill.equal import Coins, exchanged
from kdaudit.drill.harms import Harm
from kdaudit.drill.sample import Sample
from kdaudit.errors import ConfigError
from kdaudit.estimate import Estimate
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.progress import Progress, silent
from kdaudit.results import Check, Outcome, Results, Suite, SuiteResult, Verdict
from kdaudit.stats.proportions import wilson
from kdaudit.stats.random import stream

TRIALS = 100
FEWEST = 30  # so that seen in all of them is sure to be above 0.8, whatever alpha is declared
MANY_ROWS = 20_000  # beyond which there are fewer trials: large audits see what they look at
MOST_SIGHTINGS = 3
# All trials draw from the same rows, and how often two subjects differ there is luck as well: the
# shares vary from audit to audit as if they were of so many trials, however many there are.
SAME_ROWS = 300

Outcomes = dict[tuple[int, str], Outcome]


def trials_for(rows: int) -> int:
    """How many trials are worth their time: 100, and fewer of more than 20,000 rows.

    >>> [trials_for(n) for n in (500, 20_000, 40_000, 1_000_000)]
    [100, 100, 50, 30]
    """
    return max(FEWEST, min(TRIALS, TRIALS * MANY_ROWS // max(rows, 1)))


def drill(
    evidence: Evidence,
    suites: Sequence[Suite],
    results: Results,
    *,
    digest: str,
    trials: int | None = None,
    progress: Progress = silent,
) -> Drill:
    """Drill an audit.

    Args:
        evidence: what its suites were given.
        suites: as the audit ran them.
        results: of the audit, for its contract, level and seed.
        digest: of its ``results.json``.
        trials: resamples; default `trials_for` the rows.
        progress: told what goes on.

    Raises:
        ConfigError: if no check is declared, only the teacher was audited, or a suite crashed.
        ValueError: for fewer than one trial.
    """
    _refuse(results)
    count = trials_for(len(evidence.rows)) if trials is None else trials
    if count < 1:
        raise ValueError(f"a drill needs at least one trial, got {count}")
    harms, omitted = harms_of(evidence)
    other_way = exchanged(evidence)
    bench = _Bench.of(evidence, suites, results)
    tallies = [_Tally() for _ in harms]
    met = 0
    advance = progress("planting harms", count * max(len(harms), 1))
    for number in range(count):
        sample = Sample.draw(evidence, stream(results.seed, "drill", "rows", str(number)))
        drawn = sample.of(bench.evidence)
        coins = Coins.toss(drawn, stream(results.seed, "drill", "equal", str(number)))
        unharmed, passed = bench.decide(coins.student(drawn, drawn, exchanged(drawn)))
        met += passed
        for harm, tally in zip(harms, tallies, strict=True):
            rng = stream(results.seed, "drill", harm.said, str(number))
            one, other = (
                sample.with_student(plain, subjects, harm.inject(subjects, rng))
                for plain, subjects in ((drawn, evidence), (exchanged(drawn), other_way))
            )
            student = coins.student(drawn, one, other)
            tally.count(unharmed, bench.decide(student)[0])
            advance(1, harm.said)
    share = _Share(trials=count, level=evidence.level)
    return Drill(
        results=digest,
        seed=results.seed,
        trials=count,
        level=evidence.level,
        unharmed=share.of(met),
        planted=tuple(
            _planted(harm, tally, evidence, share)
            for harm, tally in zip(harms, tallies, strict=True)
        ),
        omitted=omitted,
    )


def _refuse(results: Results) -> None:
    if results.only is not None:
        raise ConfigError("harm is done to a student, and only the teacher was audited")
    if not any(check.declared for check in results.contract):
        raise ConfigError("the audit file declares no check, so nothing would see any harm")
    crashed = [suite.suite for suite in results.suites if suite.error is not None]
    if crashed:
        raise ConfigError(f"the suite {crashed[0]} crashed in this audit; mend that first")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bench:
    """What is measured and decided in every trial.

    Attributes:
        evidence: of all rows, cut to what the checks ask for.
        suites: whose codes the contract checks.
        constant: results of suites that neither rows nor answers can change.
        results: of the audit, for its contract.
    """

    evidence: Evidence
    suites: tuple[Suite, ...]
    constant: tuple[SuiteResult, ...]
    results: Results

    @classmethod
    def of(cls, evidence: Evidence, suites: Sequence[Suite], results: Results) -> "_Bench":
        """Measure what is checked, and no more, as long as that leaves every verdict as it is."""
        codes = {check.code for check in results.contract}
        checked = [suite for suite in suites if codes & {one.code for one in suite.codes}]
        moved = tuple(suite for suite in checked if _sees_rows(suite))
        still = tuple(suite for suite in checked if not _sees_rows(suite))
        constant = tuple(_run(suite, evidence, results.seed) for suite in still)
        asked = _asked(evidence, frozenset(codes))
        benches = [
            cls(evidence=seen, suites=moved, constant=constant, results=results)
            for seen in (_cut(asked, checked, results.contract), asked, evidence)
        ]
        decided = _held(results.verdicts)
        # The last is the whole evidence; that its verdicts are these was seen to in the audit.
        return next((one for one in benches[:-1] if one.held() == decided), benches[-1])

    def held(self) -> list[tuple[object, ...]]:
        """What the verdicts of all rows rest on."""
        return _held(self._judged(self._measured(self.evidence)))

    def decide(self, evidence: Evidence) -> tuple[Outcomes, bool]:
        """The outcome of every check at every address, and whether the contract is met."""
        made = self._measured(evidence)
        verdicts = self._judged(made)
        outcome, _ = overall(self.results.contract, verdicts, made)
        found = {(verdict.check, verdict.address): verdict.outcome for verdict in verdicts}
        return found, outcome is Outcome.PASS

    def _measured(self, evidence: Evidence) -> tuple[SuiteResult, ...]:
        run = (_run(suite, evidence, self.results.seed) for suite in self.suites)
        return (*run, *self.constant)

    def _judged(self, made: Sequence[SuiteResult]) -> tuple[Verdict, ...]:
        return judge(self.results.contract, made, self.results.alpha)


def _sees_rows(suite: Suite) -> bool:
    """Whether a suite reads more than times, which are of requests and not of these rows."""
    return any(need.kind not in ("timings", "serving") for need in suite.needs())


def _run(suite: Suite, evidence: Evidence, seed: int) -> SuiteResult:
    codes = tuple(endpoint.code for endpoint in suite.codes)
    return replace(suite.run(evidence, Streams(seed)), suite=suite.name, codes=codes)


def _asked(evidence: Evidence, codes: frozenset[str]) -> Evidence:
    """The same evidence, with word that only these codes are waited for."""

    def view(part: Evidence | None) -> Evidence | None:
        return None if part is None else _asked(part, codes)

    return replace(
        evidence, asked=codes, outside=view(evidence.outside), validation=view(evidence.validation)
    )


def _cut(evidence: Evidence, suites: Sequence[Suite], contract: Sequence[Check]) -> Evidence:
    """The evidence with no other groups than checks ask for."""
    keys = {one.code: one.keys for suite in suites for one in suite.codes}
    groups = {
        tuple(sorted(check.each or [column for column, _ in check.where]))
        for check in contract
        if any(key.startswith("@") for key in keys.get(check.code, ()))
    }
    rows = evidence.rows
    return replace(
        evidence,
        rows=replace(
            rows,
            slices=tuple(one for one in rows.slices if tuple(sorted(one)) in groups),
            sensitive=tuple(one for one in rows.sensitive if tuple(sorted(one)) in groups),
        ),
    )


def _held(verdicts: Iterable[Verdict]) -> list[tuple[object, ...]]:
    """What a verdict rests on; whether it blocks is for a policy to say."""
    return [(one.check, one.address, one.outcome, one.measured) for one in verdicts]


class _Tally:
    """How often one harm was noticed, and by which checks."""

    def __init__(self) -> None:
        self.seen = 0
        self.stopped = 0
        self.seen_by: Counter[tuple[int, str]] = Counter()
        self.stopped_by: Counter[tuple[int, str]] = Counter()

    def count(self, unharmed: Outcomes, harmed: Outcomes) -> None:
        """Count one trial."""
        failed = {
            key
            for key, outcome in harmed.items()
            if outcome is Outcome.FAIL and unharmed.get(key) is not Outcome.FAIL
        }
        held = {
            key
            for key, outcome in unharmed.items()
            if outcome is Outcome.PASS and harmed.get(key) is not Outcome.PASS
        }
        self.seen += bool(failed)
        self.stopped += bool(held)
        self.seen_by.update(failed)
        self.stopped_by.update(held)

    def sightings(self) -> tuple[Sighting, ...]:
        """The checks that noticed it most often."""
        known = sorted(
            self.seen_by.keys() | self.stopped_by.keys(),
            key=lambda key: (-self.seen_by[key], -self.stopped_by[key], key),
        )
        return tuple(
            Sighting(
                check=key[0],
                address=key[1],
                seen=self.seen_by[key],
                stopped=self.stopped_by[key],
            )
            for key in known[:MOST_SIGHTINGS]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    trials: int
    level: float

    def of(self, count: int) -> Estimate:
        """A count of trials as a share of them."""
        share = count / self.trials
        worth = 1 / (1 / self.trials + 1 / SAME_ROWS)
        low, high = wilson(share * worth, worth, self.level)
        return Estimate(
            value=share,
            low=low,
            high=high,
            n=self.trials,
            level=self.level,
            method=f"Wilson score, worth {worth:.3g} trials",
        )


def _planted(harm: Harm, tally: _Tally, evidence: Evidence, share: _Share) -> Planted:
    return Planted(
        kind=harm.kind,
        harm=harm.said,
        where=harm.where,
        size=harm.size,
        rows=harm.rows(evidence),
        seen=share.of(tally.seen),
        stopped=share.of(tally.stopped),
        by=tally.sightings(),
    )
