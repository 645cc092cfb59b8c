"""What serving costs at the declared prices, and when distillation is paid for."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.evidence.kinds import Floats, Grades, Predictions
from kdaudit.evidence.prices import Price, Prices
from kdaudit.evidence.serving import OFFLINE, SERVER, SINGLE, Serving
from kdaudit.evidence.view import GRADES, PREDICTIONS, Evidence
from kdaudit.grading.grade import Grade
from kdaudit.measure import ends, not_measured
from kdaudit.results import Figure, Finding, Fixed, Means
from kdaudit.score_bases import FEWEST_CLUSTERS, too_few
from kdaudit.scores import Score, Scores
from kdaudit.stats.delta import fieller_interval
from kdaudit.stats.means import joint_means
from kdaudit_suites.latency.endpoints import LAT005, LAT015
from kdaudit_suites.latency.means import mean_of_amounts
from kdaudit_suites.latency.served import Served, first_of, machine_time
from kdaudit_suites.latency.timed import noise_note, unless_noisy

NO_PRICES = "prices are NOT PROVIDED: the audit file has no [cost]"
OF_STUDENT = NotMeasured("only the student was distilled here")
THOUSAND, MILLION, HOUR = 1e3, 1e6, 3600.0


def costs(evidence: Evidence, served: Mapping[str, Served]) -> tuple[list[Finding], list[Figure]]:
    """LAT005, LAT015 and the table of prices."""
    prices = evidence.prices
    if prices is None:
        return [not_measured(code, (), NO_PRICES) for code in (LAT005, LAT015)], []
    by_hour = any(price.hourly is not None for price in prices.subjects.values())
    # Under load a machine also waits for requests: its hours say nothing of one request.
    one = (
        first_of(served, OFFLINE, SINGLE) if by_hour else first_of(served, OFFLINE, SINGLE, SERVER)
    )
    if one is None:
        reason = f"a price by the hour needs requests of scenario {OFFLINE} or {SINGLE}"
        return [not_measured(code, (), reason) for code in (LAT005, LAT015)], []
    each = _costs(one, prices)
    note = f"in {prices.currency}, {prices.source}; requests of scenario {one.scenario}"
    cost = mean_of_amounts(LAT005, one, each, note)
    if by_hour:
        cost = replace(
            cost,
            basis=unless_noisy(cost.basis, one.noisy),
            note="; ".join(part for part in (note, noise_note(one.noisy)) if part),
        )
    paid = _break_even(cost, prices, evidence.level)
    if isinstance(paid.basis, NotMeasured) and not one.complete:
        paid = replace(paid, basis=Fixed(level=evidence.level, incomplete=True))
    return [cost, paid], [_table(evidence, one, prices, one.scores_of(each))]


def _costs(served: Served, prices: Prices) -> dict[Subject, Floats | NotMeasured]:
    """Each subject's cost of a request, times a thousand."""
    values: dict[Subject, Floats | NotMeasured] = {}
    for who, one in served.present.items():
        price = prices.subjects.get(who)
        cost = (
            NotMeasured(f"its price is NOT PROVIDED: there is no [cost.{who}]")
            if price is None
            else _price(one, price)
        )
        values[who] = cost if isinstance(cost, NotMeasured) else cost * THOUSAND
    return values


def _price(one: Serving, price: Price) -> Floats | NotMeasured:
    """(R,) what each request cost; NaN without an answer."""
    cost = np.where(one.answered, 0.0, np.nan)
    if price.hourly is not None:
        cost = cost + machine_time(one) * price.hourly / (HOUR * price.utilisation)
    if price.by_token:
        tokens = one.tokens_in * price.per_million_in + one.tokens_out * price.per_million_out
        if np.isnan(tokens[one.answered]).any():
            return NotMeasured("it is paid by the token, and tokens were not recorded throughout")
        cost = cost + tokens / MILLION
    return np.asarray(cost, np.float64)


def _break_even(cost: Finding, prices: Prices, level: float) -> Finding:
    """Requests after which what they save has paid for distillation."""
    made, saved = prices.distillation, cost.difference
    reason: str | None = None
    if isinstance(made, NotMeasured):
        reason = made.reason
    elif isinstance(saved, NotMeasured):
        reason = saved.reason
    elif not saved.high < 0:
        reason = "the student is not shown to be cheaper, so no number of requests is shown to pay"
    if reason is not None:
        return not_measured(LAT015, (), reason)
    assert isinstance(saved, Estimate)
    assert not isinstance(made, NotMeasured)
    value, low, high = (-made * THOUSAND / end for end in (saved.value, saved.low, saved.high))
    return LAT015.finding(
        student=Estimate(
            value=value,
            low=low,
            high=high,
            n=saved.n,
            level=level,
            method="from the interval of the difference in cost",
        ),
        teacher=OF_STUDENT,
        baseline=OF_STUDENT,
        difference=OF_STUDENT,
        basis=cost.basis
        if isinstance(cost.basis, NotMeasured)
        else Fixed(
            level=level,
            df=cost.basis.df if isinstance(cost.basis, Means) else None,
            least_p=0.0,
        ),
        note=f"distillation: {made:g} {prices.currency} ({prices.distillation_by})",
    )


def _table(evidence: Evidence, served: Served, prices: Prices, scores: Scores) -> Figure:
    rows = [
        (
            f"{who}, {what}",
            *ends(measured),
            None if isinstance(measured, Estimate) else measured.reason,
        )
        for who in ORDER
        if isinstance(scores[who], Score)
        for what, measured in _ratios(evidence, served, scores, who)
    ]
    return Figure(
        name="cost",
        chart="table",
        title=f"What serving costs, in {prices.currency} ({evidence.level:.0%} intervals)",
        columns=("price of", "value", "low", "high", "not measured"),
        rows=tuple(rows),
    )


def _ratios(
    evidence: Evidence, served: Served, scores: Scores, who: Subject
) -> Iterator[tuple[str, Measurement]]:
    """Of one subject: what a million tokens written cost, and a thousand correct answers."""
    score, one = scores[who], served.present[who]
    assert isinstance(score, Score)
    cluster = served.requests().rows.cluster
    kept = score.valid & ~np.isnan(one.tokens_out)
    name = "a million tokens written"
    joint = None
    if kept.any():
        joint = joint_means(
            [score.values[kept] / THOUSAND, one.tokens_out[kept]],
            clusters=None if cluster is None else cluster[kept],
        )
    if joint is None or too_few(joint.effective):
        few = f"tokens were recorded of fewer than {FEWEST_CLUSTERS} batches or requests"
        yield name, NotMeasured(few)
    else:
        yield (
            name,
            _ratio(
                float(joint.mean[0]) * MILLION,
                float(joint.mean[1]),
                joint.covariance * np.array([[MILLION**2, MILLION], [MILLION, 1.0]]),
                (joint.df, joint.n, evidence.level),
            ),
        )
    name = "a thousand correct answers"
    right, rows = _correct(evidence, who), evidence.rows
    if isinstance(right, NotMeasured):
        yield name, right
        return
    cost = joint_means([np.where(score.valid, score.values, score.low)], clusters=cluster)
    share = joint_means([right], clusters=rows.cluster, weights=rows.weight)
    if any(found is None or too_few(found.effective) for found in (cost, share)):
        few = f"fewer than {FEWEST_CLUSTERS} batches or requests, or independent rows"
        yield name, NotMeasured(few)
        return
    assert cost is not None
    assert share is not None
    # Requests were drawn apart from the audited rows: their errors are taken as independent.
    covariance = np.diag([float(cost.covariance[0, 0]), float(share.covariance[0, 0])])
    yield (
        name,
        _ratio(
            float(cost.mean[0]),
            float(share.mean[0]),
            covariance,
            (min(cost.df, share.df), share.n, evidence.level),
        ),
    )


def _ratio(
    top: float, bottom: float, covariance: Floats, facts: tuple[float, int, float]
) -> Measurement:
    df, n, level = facts
    found = fieller_interval(top, bottom, covariance, df, level)
    if found is None or not bottom > 0:
        return NotMeasured("what it is divided by is not shown to be above 0")
    return Estimate(
        value=top / bottom, low=found.low, high=found.high, n=n, level=level, method="Fieller"
    )


def _correct(evidence: Evidence, who: Subject) -> Floats | NotMeasured:
    """(N,) 1 for a correct answer on the audited rows, graded or against the label.

    It takes what is recorded for other suites, and asks for nothing by itself. A missing answer is
    wrong for the student and right for its references.
    """
    grades, answers = evidence[GRADES].of(who), evidence[PREDICTIONS].of(who)
    missing = who != "student"
    if isinstance(grades, Grades):
        right = Score(values=grades.grade == Grade.CORRECT, valid=grades.valid)
        return right.right(missing=missing).astype(np.float64)
    if isinstance(answers, Predictions):
        right = Score(values=answers.answer == evidence.rows.label, valid=answers.valid)
        return right.right(missing=missing).astype(np.float64)
    return NotMeasured("no answers of the audited rows are known to be correct")
