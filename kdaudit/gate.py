"""The gate: decide stored results again, from each finding's basis alone.

No rows, no models, no suites: whoever holds ``results.json`` can check that its verdicts follow
from its findings, or hold the same findings against another contract.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from kdaudit.closing import closing
from kdaudit.contract import Policy
from kdaudit.data.audit_file import AuditFile, AuditTable, read_audit_file
from kdaudit.decision import decided
from kdaudit.declared import stored_checks
from kdaudit.errors import ConfigError, DamagedError, DataError
from kdaudit.evidence.store import Store
from kdaudit.governance.digest import file_digest
from kdaudit.governance.environment import utc_now
from kdaudit.policies import policy_of
from kdaudit.results import Look, Results
from kdaudit.results_file import contract_digest, load
from kdaudit.run import Run
from kdaudit.run_folder import RunFolder
from kdaudit.stored import rule_of, verified
from kdaudit.wear import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """Stored results, decided again.

    Attributes:
        results: with the contract, verdicts, outcome and limitations of this decision.
        run: the circumstances of the measurement, and which contract decided now.
        path: the results file.
        closing: the word for the last line.
    """

    results: Results
    run: Run
    path: Path
    closing: str


def gate(target: Path, contract: Path | None = None, policy: str | None = None) -> Gated:
    """Decide again.

    Args:
        target: a run folder, or a results file.
        contract: an audit file, whose ``[[contract]]``, alpha and policies decide; without it the
            stored contract does, and must agree with the stored verdicts.
        policy: apply ``[policy.NAME]``: of ``contract``, else of the audit file in the run folder.

    Raises:
        ConfigError: for a contract or policy that cannot be applied.
        DataError: if there are no results at ``target``.
        DamagedError: if the stored verdicts do not follow from the stored findings.
    """
    path = target / "results.json" if target.is_dir() else target
    stored = _stored(target)
    file = None if contract is None else read_audit_file(contract)
    rule = _rule(stored, path, file, policy)
    if file is None:
        asked = stored
        by = "the stored contract"
    else:
        assert contract is not None
        checks = stored_checks(file.contract, stored.suites)
        alpha = file.audit.alpha
        digest = contract_digest(stored.contract, stored.declared_alpha)
        same = contract_digest(checks, alpha) == digest
        _refuse_other_looks(file.audit, stored.look, contract.name, same=same)
        asked = stored if same else replace(stored, contract=checks, alpha=alpha, lock=None)
        by = f"the contract of {contract.name} (sha256 {file_digest(contract)[:12]}…)"
    again = decided(asked, rule)
    before = _run(path)
    run = replace(
        before,
        decided_by=f"by {by}, from stored findings; nothing was measured again",
        drill=None if file is not None else before.drill,  # of the stored contract
    )
    store = _store(path)
    if store is not None:
        run = replace(run, wear=Ledger.of(store).record(again, utc_now()))
    return Gated(results=again, run=run, path=path, closing=closing(again))


def _refuse_other_looks(audit: AuditTable, look: Look | None, name: str, *, same: bool) -> None:
    """Refuse to decide at another share of alpha than the findings were measured for.

    Raises:
        ConfigError: unless the looks are those of the stored results, and so is the contract.
    """
    promised = None if audit.looks is None else (audit.looks, audit.spending)
    taken = None if look is None else (look.of, look.spending)
    if promised != taken:
        told = "no [audit] looks" if look is None else f"look {look.number} of {look.of}"
        raise ConfigError(
            f"{name} says looks = {audit.looks}, and the stored results were measured with {told}; "
            "measure again with `kdaudit run`"
            if audit.looks is not None
            else f"{name} promises no looks, and the stored results are {told}, measured at its "
            "share of alpha; measure again with `kdaudit run`"
        )
    if look is not None and not same:
        raise ConfigError(
            f"{name} holds another contract than the stored results, which would be another look "
            f"of {look.of}; a look spends its alpha as it measures: `kdaudit run {name}`"
        )


def _stored(target: Path) -> Results:
    if target.is_dir():
        return _with_known_policy(RunFolder(target).results(), target / "results.json")
    if not target.exists():
        raise DataError(f"there are no results {target}; `kdaudit run` makes some")
    return _with_known_policy(verified(load(Results, target), target), target)


def _with_known_policy(results: Results, path: Path) -> Results:
    """The results, if the audit file beside them has the policy that they name.

    Raises:
        DamagedError: if it has not.
    """
    beside = path.parent / "audit.toml"
    if results.policy is not None and beside.exists():
        known = read_audit_file(beside).policy
        if results.policy not in known:
            raise DamagedError(
                f"{path} names the policy {results.policy!r}, and {beside.name} beside it has "
                f"{', '.join(map(repr, known)) or 'none'}; run the audit again"
            )
    return results


def _rule(stored: Results, path: Path, file: AuditFile | None, name: str | None) -> Policy:
    """The policy that decides: the named one, or that of the stored decision."""
    if name is None:
        rule = Policy() if file is not None else rule_of(stored)
        assert rule is not None  # the stored verdicts were verified
        return rule
    if file is None:
        beside = path.parent / "audit.toml"
        if not beside.exists():
            raise ConfigError(
                f"--policy {name}: no audit.toml lies beside {path.name}; name the audit file "
                "that holds the policy with --contract"
            )
        file = read_audit_file(beside)
    return policy_of(file.policy, name)


def _run(path: Path) -> Run:
    """The circumstances of the measurement, where they lie beside the results."""
    beside = path.parent / "run.json"
    if beside.exists():
        return RunFolder(path.parent).run()
    return Run(
        started="an unknown time: run.json is not at hand", seconds={}, environment={}, packages={}
    )


def _store(path: Path) -> Store | None:
    """The store that counts decisions: the named one, or that beside the audit file above."""
    if os.environ.get("KDAUDIT_STORE"):
        return Store.beside(path.parent)
    above = path.resolve().parents
    return next((Store(up / ".kdaudit") for up in above if (up / ".kdaudit").is_dir()), None)
