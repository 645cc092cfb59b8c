"""Numbered limitations, generated from findings and verdicts: each points to its evidence."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from kdaudit.claims import Claim, claim_own, claim_worse
from kdaudit.contract import members
from kdaudit.estimate import Estimate, Measurement, NotMeasured
from kdaudit.results import (
    Better,
    Check,
    DataSummary,
    Finding,
    Limit,
    Limitation,
    Outcome,
    Results,
    Severity,
    Subject,
    SuiteResult,
    Verdict,
)
from kdaudit.stats.holm import holm

Weight = Literal["high", "medium", "low"]
WEIGHTS: tuple[Weight, ...] = ("high", "medium", "low")
SMALL = 50
LEARNT = 0.05  # share of audited rows that stand in the transfer rows, and weigh
ANEW = (
    "These results were measured and first decided by an earlier version of kdaudit. Verdicts and "
    "limitations here follow from its findings by the rules of this version, and may differ from "
    "those that were told then."
)


@dataclass(frozen=True, slots=True)
class _Draft:
    weight: Weight
    text: str
    evidence: str


def limitations(results: Results, verdicts: Sequence[Verdict]) -> tuple[Limitation, ...]:
    """Every limitation of an audit, the gravest first, numbered from L-001.

    Args:
        results: what was measured; the verdicts and limitations it has are not looked at.
        verdicts: what its contract says of it.
    """
    contract, suites, alpha = results.contract, results.suites, results.alpha
    roles = {str(subject.role) for subject in results.subjects}
    drafts = [
        *_of_verdicts(contract, verdicts),
        *_of_contract(contract),
        *_of_suites(suites),
        *_of_teacher(contract, suites, alpha, roles),
        *_of_absent(suites),
        *_of_findings(suites, {verdict.address for verdict in verdicts}, alpha),
        *_of_labels(suites),
        *_of_data(results.data, results.subjects),
        *([_Draft("medium", ANEW, "data")] if results.format == 1 else ()),
        *(_Draft("medium", text, "owner") for text in results.card.limitations),
    ]
    ordered = sorted(drafts, key=lambda draft: WEIGHTS.index(draft.weight))
    return tuple(
        Limitation(id=f"L-{n:03d}", text=d.text, evidence=d.evidence, severity=d.weight)
        for n, d in enumerate(ordered, 1)
    )


def _of_verdicts(contract: Sequence[Check], verdicts: Sequence[Verdict]) -> Iterable[_Draft]:
    said = {
        Outcome.FAIL: "does not meet its limit",
        Outcome.INCONCLUSIVE: "is not shown to meet its limit",
        Outcome.NOT_EVALUABLE: "could not be judged",
        Outcome.ERROR: "could not be measured",
    }
    for verdict in verdicts:
        if verdict.outcome is Outcome.PASS:
            continue
        weight: Weight = (
            "high"
            if contract[verdict.check].severity is Severity.BLOCK and verdict.blocks
            else "medium"
        )
        yield _Draft(
            weight,
            f"{verdict.address} {said[verdict.outcome]}: {verdict.reason}.",
            verdict.address,
        )


# What declining everything leaves good, and what sees it.
DECLINED, ATTEMPTED = "HAL001", frozenset(("HAL002", "HAL004", "HAL010"))


def _of_contract(contract: Sequence[Check]) -> Iterable[_Draft]:
    """What a contract lets pass, whatever was measured."""
    codes = {check.code for check in contract if check.severity is Severity.BLOCK}
    if DECLINED in codes and not codes & (ATTEMPTED | {"ACC001", "ACC002"}):
        yield _Draft(
            "high",
            "The contract limits wrong answers (HAL001) and not how often the student declines: "
            "one that declines every question would pass. HAL002 holds the right answers.",
            "contract",
        )


def _of_suites(suites: Sequence[SuiteResult]) -> Iterable[_Draft]:
    for suite in suites:
        if suite.error:
            yield _Draft("high", f"The suite {suite.suite} crashed: {suite.error}.", suite.suite)


def _of_teacher(
    contract: Sequence[Check], suites: Sequence[SuiteResult], alpha: float, roles: set[str]
) -> Iterable[_Draft]:
    """Fixed limits that the teacher itself is shown to exceed: imitation cannot meet them."""
    if "student" not in roles:
        return
    findings = [finding for suite in suites for finding in suite.findings]
    for check in contract:
        if check.limit not in (Limit.AT_MOST, Limit.AT_LEAST) or not check.declared:
            continue
        for finding in members(check, findings):
            claim = claim_own(finding, check.value, alpha, "teacher")
            if isinstance(claim, NotMeasured) or claim.estimate.n < check.min_n:
                continue
            own = claim.estimate
            floor = check.limit is Limit.AT_LEAST
            if not (own.high < check.value if floor else own.low > check.value):
                continue
            yield _Draft(
                "medium",
                f"The teacher itself does not meet {finding.address} {check.limit} "
                f"{check.value:g}: its own {finding.metric} is {own.value:.4g} [{own.low:.4g}, "
                f"{own.high:.4g}]{_student(finding)}. A student that imitates it cannot meet it.",
                finding.address,
            )


def _student(finding: Finding) -> str:
    measured = finding.student
    if isinstance(measured, NotMeasured):
        return ""
    ends = f"[{measured.low:.4g}, {measured.high:.4g}]"
    return f", the student's {measured.value:.4g} {ends}"


def _of_absent(suites: Sequence[SuiteResult]) -> Iterable[_Draft]:
    """What was not measured, a limitation for each reason: many codes may share one."""
    absent: dict[str, dict[str, list[Finding]]] = {}
    for suite in suites:
        for finding in suite.findings:
            reason = _absence(finding)
            if reason is not None:
                absent.setdefault(reason, {}).setdefault(finding.code, []).append(finding)
    for reason, codes in absent.items():
        first = next(iter(codes))
        if len(codes) == 1:
            yield _Draft(
                "medium", f"{_name(first, codes[first])} was not measured: {reason}.", first
            )
        else:
            named = ", ".join(_name(code, findings) for code, findings in codes.items())
            yield _Draft("medium", f"Not measured, since {reason}: {named}.", first)


def _absence(finding: Finding) -> str | None:
    """Why a finding has no number, neither of the pair nor of the student."""
    if isinstance(finding.difference, NotMeasured) and isinstance(finding.student, NotMeasured):
        return finding.student.reason
    return None


def _of_findings(suites: Sequence[SuiteResult], judged: set[str], alpha: float) -> Iterable[_Draft]:
    """Harm that no check limits, and groups in which harm could go unseen."""
    every = [finding for suite in suites for finding in suite.findings]
    harms: dict[tuple[str, str], list[Finding]] = {}
    for finding, harm in _shown([f for f in every if f.address not in judged], alpha):
        harms.setdefault((finding.code, harm), []).append(finding)
    for (code, harm), findings in harms.items():
        label = findings[0].label
        inherited = label is not None and label.says == harm and label.inherited
        yield _Draft(
            "low" if inherited else "medium",
            f"{_places(code, findings)}: {harm or _worse(findings)}, and no check limits it.",
            findings[0].address if len(findings) == 1 else code,
        )
    small: dict[str, list[Finding]] = {}
    for finding in every:
        if finding.where and _few(finding.student):
            small.setdefault(finding.code, []).append(finding)
    for code, findings in small.items():
        yield _Draft(
            "low",
            f"{_places(code, findings)}: fewer than {SMALL} rows; harm there could go unseen.",
            code,
        )


def _places(code: str, findings: Sequence[Finding], most: int = 6) -> str:
    """The addresses, the first few of many."""
    if len(findings) == 1:
        return findings[0].address
    shown = " ".join(f.address.removeprefix(code) or "[all rows]" for f in findings[:most])
    more = f" and {len(findings) - most} more" if len(findings) > most else ""
    return f"{code} in {len(findings)} groups, {shown}{more}"


def _worse(findings: Sequence[Finding]) -> str:
    changes = [f.difference for f in findings if isinstance(f.difference, Estimate)]
    worst = max(changes, key=lambda change: abs(change.value))
    by = f"{abs(worst.value):.4g} [{_ends(worst)}]"
    where = "by" if len(findings) == 1 else "by up to"
    return f"the student is worse than the teacher in {findings[0].metric} {where} {by}"


def _ends(change: Estimate) -> str:
    low, high = sorted((abs(change.low), abs(change.high)))
    return f"{low:.4g}, {high:.4g}"


def _few(measured: Measurement) -> bool:
    return isinstance(measured, Estimate) and measured.n < SMALL and not _exact(measured)


def _exact(estimate: Estimate) -> bool:
    return estimate.level == 1


def _name(code: str, findings: Sequence[Finding]) -> str:
    places = len(findings)
    return f"{code} ({findings[0].metric})" + (f" in {places} groups" if places > 1 else "")


def _shown(findings: Sequence[Finding], alpha: float) -> Iterator[tuple[Finding, str]]:
    """Findings with the harm that is shown there: what its label says, or nothing: it is worse.

    Hundreds of groups and rates are hundreds of chances to be struck by noise, so everything that a
    card says unasked is one family (Holm): of harmless students one in twenty gets any such word.
    """
    claims: list[tuple[Finding, str]] = []
    p: list[float] = []
    for finding in findings:
        label = finding.label
        if label is not None and label.harm and label.p is not None:
            claims.append((finding, label.says))
            p.append(label.p)
        if finding.better is not Better.ZERO and _is_comparison(finding):
            claim = claim_worse(finding, "teacher", 0.0, alpha)
            if isinstance(claim, Claim):
                claims.append((finding, ""))
                p.append(claim.p_above)
    yield from (one for one, q in zip(claims, holm(p), strict=True) if q <= alpha)


def _is_comparison(finding: Finding) -> bool:
    """Whether two measured values are compared: not with a value that holds by definition."""
    return all(
        isinstance(one, Estimate) and not _exact(one)
        for one in (finding.teacher, finding.difference)
    )


def _of_labels(suites: Sequence[SuiteResult]) -> Iterable[_Draft]:
    """Labels that a subject never, or hardly ever, misses: it is right, or they were made of it."""
    for finding in (finding for suite in suites for finding in suite.findings):
        if finding.code != "ACC001":
            continue
        wrong = {
            who: _wrong(one)
            for who in ("student", "teacher")
            if isinstance(one := getattr(finding, who), Estimate)
        }
        for who, count in wrong.items():
            other = max((n for role, n in wrong.items() if role != who), default=0)
            n = finding.student.n if isinstance(finding.student, Estimate) else 0
            if count and not (
                who == "student" and count <= n / 200 and other >= max(20, 10 * count)
            ):
                continue
            rows = "every row" if not count else f"all but {count} of {n:,} rows"
            yield _Draft(
                "medium",
                f"The labels are the {who}'s answers on {rows}. Had they been made from its "
                "answers, accuracy and all that rests on labels would measure imitation.",
                finding.address,
            )


def _wrong(right: Estimate) -> int:
    """Rows that are wrong; of weighted rows not fewer than one where any is."""
    wrong = 1 - right.value
    return 0 if wrong < 1e-12 else max(1, round(wrong * right.n))


def _of_rows(data: DataSummary) -> Iterable[_Draft]:
    """Which rows are labelled, and which a student may have seen."""
    if data.alone:
        yield _Draft(
            "medium",
            f"{data.alone:,} of the {data.labelled or 0:,} labelled rows stand for themselves "
            "only, though all subjects answer them alike. Rows on which another student differs do "
            "so; drawn rows do not, and own values would be wrong if these were drawn.",
            "data",
        )
    if data.learnt:
        yield _Draft(
            "high" if data.learnt > LEARNT * data.rows else "medium",
            f"{data.learnt:,} of the audited rows have the very inputs of transfer or validation "
            f"rows ({data.learnt / max(data.rows + data.out_of_scope, 1):.1%}): on them a student "
            "may know answers that it could not have found.",
            "data",
        )


def _of_data(data: DataSummary, subjects: Sequence[Subject]) -> Iterable[_Draft]:
    yield from _of_rows(data)
    if data.label_source is None:
        yield _Draft("medium", "Who or what labelled the rows is NOT PROVIDED.", "data")
    elif data.label_source.startswith("model:"):
        yield _Draft(
            "high",
            f"Labels come from {data.label_source}; every comparison with labels measures "
            "agreement with that model, not truth.",
            "data",
        )
    if data.labelled is not None:
        yield _Draft(
            "medium",
            f"{data.labelled:,} of {data.rows:,} rows have a label. Differences between the "
            "subjects rest on all rows, since where all answer alike a label changes none; all "
            "else that needs labels rests on the labelled rows, or was not measured.",
            "data",
        )
    for column, rows in data.ungrouped.items():
        yield _Draft(
            "medium", f"{column} is empty in {rows:,} rows; they are in none of its groups.", "data"
        )
    by_role = {subject.role: subject for subject in subjects}
    if "student" in by_role and by_role["teacher"].digest == by_role["student"].digest:
        yield _Draft(
            "high",
            "Teacher and student are the same, byte for byte: the audit compares a model with "
            "itself.",
            "student",
        )
    if data.clusters is None:
        yield _Draft(
            "low",
            "Rows are taken to be independent: no cluster column is declared. Rows that share a "
            "user or a source would make every interval too narrow.",
            "data",
        )
    if not data.sensitive:
        yield _Draft("medium", "No sensitive column is declared; bias was not looked at.", "data")
    if not data.slices:
        yield _Draft("low", "No slice is declared; only class recall shows rare cases.", "data")
    yield _Draft(
        "low",
        f"All numbers hold for rows drawn as the {data.rows:,} audited ones were; other traffic, "
        "later traffic and adversarial inputs were not measured.",
        "data",
    )
    yield from _of_subjects(subjects)


def _of_endpoint(subject: Subject) -> Iterable[_Draft]:
    """What is not seen of a model behind an address."""
    said = subject.details
    yield _Draft(
        "low",
        f"The {subject.role} answers behind {said['url']}; that it is {said['model']}, revision "
        f"{said['revision']}, is declared by the owner and was not measured.",
        subject.role,
    )
    names = said.get("answered as", "").split("; ")
    if len(names) > 1:
        yield _Draft(
            "medium",
            f"What answered as the {subject.role} called itself by {len(names)} names "
            f"({', '.join(names[:3])}{' …' if len(names) > 3 else ''}): the model may have changed "
            "within this audit.",
            subject.role,
        )


def _of_subjects(subjects: Sequence[Subject]) -> Iterable[_Draft]:
    for subject in subjects:
        if "not converged" in subject.details:
            yield _Draft(
                "medium",
                f"The training of the {subject.role} is not taken to have converged: "
                f"{subject.details['not converged']}.",
                subject.role,
            )
        if "answers no class" in subject.details:
            counted = (
                "each counts as wrong"
                if subject.role == "student"
                else "each counts as a missing answer, for it and against the student"
            )
            yield _Draft(
                "medium",
                f"The {subject.role} answers {subject.details['answers no class']}, which no "
                f"label is called: {counted}.",
                subject.role,
            )
        if "declared" in subject.details:
            yield from _of_endpoint(subject)
        if "related judge" in subject.details:
            yield _Draft(
                "high",
                f"The {subject.role}'s answers were graded by {subject.details['judge']}, a "
                f"relative of its: {subject.details['related judge']}. Judges favour what is like "
                "them; have people label a part.",
                subject.role,
            )
        if "judge of unknown relation" in subject.details:
            yield _Draft(
                "medium",
                f"Whether {subject.details['judge']}, which graded the {subject.role}'s answers, "
                "is a relative of its is NOT PROVIDED.",
                subject.role,
            )
        if subject.adapter in ("predictions", "generations"):
            yield _Draft(
                "low",
                f"The {subject.role} was not run here: its answers were read from {subject.name}; "
                "that they are the answers of the model to be released is not verified.",
                subject.role,
            )
