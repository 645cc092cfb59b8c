"""What an audit file asks for, checked against the installed suites before any model runs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kdaudit import registry
from kdaudit.data.audit_file import AuditFile, DataTable
from kdaudit.declared import checks
from kdaudit.errors import ConfigError, unknown
from kdaudit.results import Check, Endpoint, Lock, Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An audit that can be run.

    Attributes:
        file: the audit file.
        base: the folder its paths are relative to.
        suites: built, with their options.
        contract: the checks, the default one included.
        only: audit this subject alone, against the fixed limits.
        lock: the lock that the audit is held to, if any.
    """

    file: AuditFile
    base: Path
    suites: tuple[Suite, ...]
    contract: tuple[Check, ...]
    only: Literal["teacher"] | None = None
    lock: Lock | None = None

    def at(self, alpha: float) -> "Plan":
        """The same audit at another one-sided level."""
        audit = self.file.audit.model_copy(update={"alpha": alpha})
        return replace(self, file=self.file.model_copy(update={"audit": audit}))


def make_plan(
    file: AuditFile,
    base: Path,
    *,
    only: Literal["teacher"] | None = None,
    lock: Lock | None = None,
) -> Plan:
    """Build the suites and the contract.

    Ours run unless a plugin is named: a third party's suite runs only where ``[suites.NAME]`` asks
    for it, since a plugin is code. A suite may name others in an attribute ``displaces``: they
    would take the rows for what they are not, and run only where the file names them too. Another,
    ``names_columns``, lists those of its options that name a column.

    Raises:
        ConfigError: for anything the audit file names that does not exist.
    """
    known = registry.available(registry.GROUPS.suites)
    names = {n for n, point in known.items() if point.dist and point.dist.name == "kdaudit"}
    suites = tuple(
        registry.build_suite(name, file.suites.get(name, {}))
        for name in sorted(names | set(file.suites))
    )
    suites = _welcome(suites, file)
    endpoints: dict[str, Endpoint] = {}
    for suite in suites:
        _refuse_strange_columns(suite, file.data)
        for endpoint in suite.codes:
            if endpoint.code in endpoints:
                raise ConfigError(f"two suites report {endpoint.code}; take one out")
            endpoints[endpoint.code] = endpoint
    return Plan(
        file=file,
        base=base,
        suites=suites,
        contract=checks(file.contract, endpoints, file.data),
        only=only,
        lock=lock,
    )


def _welcome(suites: tuple[Suite, ...], file: AuditFile) -> tuple[Suite, ...]:
    """The suites that no other displaces, and those that the file names.

    Raises:
        ConfigError: for a check of a suite that is displaced.
    """
    by = {name: suite.name for suite in suites for name in getattr(suite, "displaces", ())}
    gone = [suite for suite in suites if suite.name in by and suite.name not in file.suites]
    asked = [table.check for table in file.contract]
    for suite in gone:
        for endpoint in suite.codes:
            if endpoint.code in asked:
                raise ConfigError(
                    f"[[contract]] {endpoint.code}: [suites.{by[suite.name]}] takes the rows for "
                    f"something that the suite {suite.name} does not measure; write "
                    f"[suites.{suite.name}] to have both"
                )
    return tuple(suite for suite in suites if suite not in gone)


def _refuse_strange_columns(suite: Suite, data: DataTable) -> None:
    """Refuse options of a suite's ``names_columns`` that name no column of groups or slices."""
    named = {option: getattr(suite, option) for option in getattr(suite, "names_columns", ())}
    known = {*data.sensitive, *data.slice_columns}
    known |= set(data.protected.slices) if data.protected is not None else set()
    for option, column in named.items():
        if column is not None and column not in known:
            said = unknown("column of `slices` or `sensitive`", column, known)
            raise ConfigError(f"[suites.{suite.name}] {option}: {said}")
