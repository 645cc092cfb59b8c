"""From the audit file's ``[[contract]]`` to checks, refused before any model runs."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from kdaudit.contract import COMPLETE
from kdaudit.data.audit_file import CheckTable, DataTable
from kdaudit.errors import ConfigError, unknown
from kdaudit.results import Better, Check, Endpoint, Limit, Severity, SuiteResult, address


def checks(
    tables: Sequence[CheckTable], endpoints: Mapping[str, Endpoint], data: DataTable
) -> tuple[Check, ...]:
    """Checks in the order of the file, and the one that every audit has.

    Raises:
        ConfigError: for an unknown code or column, or a limit that asks for a worse student.
    """
    declared = tuple(_check(table, n, endpoints, data) for n, table in enumerate(tables, 1))
    if any(check.code == COMPLETE.code for check in declared) or COMPLETE.code not in endpoints:
        return declared
    return (*declared, COMPLETE)


def stored_checks(tables: Sequence[CheckTable], suites: Sequence[SuiteResult]) -> tuple[Check, ...]:
    """Checks for findings that are there already, and the one that every audit has.

    What was not measured is for the decision to say; a limit that asks for a worse student is
    refused all the same.

    Raises:
        ConfigError: for a limit that asks for a worse student, or is off the scale.
    """
    examples = {finding.code: finding for suite in suites for finding in suite.findings}
    for number, table in enumerate(tables, 1):
        example = examples.get(table.check)
        if example is not None:
            endpoint = Endpoint(
                code=example.code, metric=example.metric, unit=example.unit, better=example.better
            )
            _refuse_wrong_way(endpoint, *_limit(table), f"[[contract]] number {number}")
    declared = tuple(map(_as_check, tables))
    measured = {code for suite in suites for code in suite.codes}
    if any(check.code == COMPLETE.code for check in declared) or COMPLETE.code not in measured:
        return declared
    return (*declared, COMPLETE)


def _check(
    table: CheckTable, number: int, endpoints: Mapping[str, Endpoint], data: DataTable
) -> Check:
    place = f"[[contract]] number {number}"
    if table.check not in endpoints:
        raise ConfigError(f"{place}: {unknown('check', table.check, endpoints)}")
    endpoint = endpoints[table.check]
    if endpoint.searched:
        raise ConfigError(
            f"{place}: {endpoint.code} ({endpoint.metric}) names what a search finds, so there is "
            "nothing to check before it has, and nothing where it finds no harm; hold declared "
            "slices with SLC001, or pin what was confirmed with `kdaudit pin`"
        )
    if table.pairs and not (endpoint.pairs and len(table.each) == 1):
        known = ", ".join(code for code, one in endpoints.items() if one.pairs)
        raise ConfigError(
            f"{place}: pairs = true holds each group of one column against each other one: give "
            f'each = ["COLUMN"] and one of {known}'
        )
    _refuse_wrong_way(endpoint, *_limit(table), place)
    _refuse_wrong_place(endpoint, table, data, place)
    return _as_check(table)


def _limit(table: CheckTable) -> tuple[Limit, float]:
    return next(
        (limit, value) for limit in Limit if (value := getattr(table, limit.value)) is not None
    )


def _as_check(table: CheckTable) -> Check:
    limit, value = _limit(table)
    return Check(
        code=table.check,
        where=tuple(sorted((column, _text(cell)) for column, cell in table.where.items())),
        each=table.each,
        limit=limit,
        value=value,
        against=table.against or "teacher",
        min_n=table.min_n,
        small=table.small,
        pairs=table.pairs,
        severity=Severity(table.severity),
    )


def _refuse_wrong_way(endpoint: Endpoint, limit: Limit, value: float, place: str) -> None:
    what = f"{endpoint.code} ({endpoint.metric}, {endpoint.better} is better)"
    if endpoint.better is Better.HIGHER and limit is Limit.AT_MOST:
        raise ConfigError(f"{place}: at_most would ask for a worse student in {what}; use at_least")
    if endpoint.better is not Better.HIGHER and limit is Limit.AT_LEAST:
        raise ConfigError(f"{place}: at_least would ask for a worse student in {what}; use at_most")
    if endpoint.better is not Better.HIGHER and limit is Limit.KEEP:
        raise ConfigError(f"{place}: keep is a share of a score; for {what} use margin or at_most")
    share = endpoint.unit.startswith("share")
    if limit is Limit.KEEP and value > 1:
        raise ConfigError(
            f"{place}: keep = {value:g} asks for more than the reference; write 0.97 for 97 %"
        )
    if share and limit is not Limit.KEEP and not 0 <= value <= 1:
        raise ConfigError(
            f"{place}: {limit} = {value:g} is off the scale of {what}, a share from 0 to 1; write "
            "0.03 for three points"
        )
    if endpoint.better is Better.ZERO and value < 0:
        raise ConfigError(f"{place}: the limit of a contrast cannot be negative, got {value}")


def _refuse_wrong_place(endpoint: Endpoint, table: CheckTable, data: DataTable, place: str) -> None:
    roles = {"@slices": data.slice_columns, "@sensitive": data.sensitive}
    columns = [c for key in endpoint.keys for c in roles.get(key, (key,))]
    asked = [*table.where, *table.each]
    for column in asked:
        if column not in columns:
            known = unknown(f"column {'in where' if table.where else 'in each'}", column, columns)
            role = " or ".join(key.removeprefix("@") for key in endpoint.keys if key in roles)
            hint = f" (columns named as {role} under [data])" if role else ""
            raise ConfigError(f"{place}: {known} for {endpoint.code}{hint}")
    if not asked and endpoint.keys and not endpoint.whole:
        example = columns[0] if columns else endpoint.keys[0].removeprefix("@")
        if not columns:
            raise ConfigError(
                f"{place}: {endpoint.code} ({endpoint.metric}) needs columns: name them as "
                f"{example} under [data]"
            )
        raise ConfigError(
            f'{place}: {endpoint.code} is measured per group: say each = ["{example}"] or '
            f'where = {{ {example} = "…" }}, as in {address(endpoint.code, ((example, "…"),))}'
        )


def _text(cell: str | float | bool) -> str:  # noqa: FBT001  # a TOML value
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


MOST_GROUPS = 64  # that two columns may make and still be crossed without being asked


def pools(contract: Sequence[Check]) -> dict[str, dict[tuple[str, ...], tuple[int, ...]]]:
    """By code and columns, the ``min_n`` of checks with a member for each group.

    >>> from kdaudit.results import Check, Limit
    >>> pools([Check(code="SLC001", each=("town",), limit=Limit.MARGIN, value=0.03)])
    {'SLC001': {('town',): (50,)}}
    """
    found: dict[str, dict[tuple[str, ...], tuple[int, ...]]] = {}
    for check in contract:
        if check.each:
            of_code, columns = found.setdefault(check.code, {}), tuple(sorted(check.each))
            of_code[columns] = tuple(sorted({*of_code.get(columns, ()), check.min_n}))
    return found


def crosses(
    contract: Sequence[Check],
    columns: Sequence[str],
    also: Sequence[str] = (),
    *,
    values: Mapping[str, int] | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Groups of columns to measure: each alone, and the crossings that the contract asks for.

    Args:
        contract: the checks.
        columns: each of them is measured alone.
        also: these are measured only where a check asks, alone or crossed.
        values: how many values each column has; then every two columns are crossed as well, as
            long as that makes few groups.

    >>> from kdaudit.results import Check, Limit
    >>> both = Check(code="FAI001", each=("sex", "race"), limit=Limit.MARGIN, value=0.03)
    >>> crosses([both], ["race", "sex"])
    (('race',), ('sex',), ('race', 'sex'))
    >>> crosses([], ["sex", "age", "town"], values={"sex": 2, "age": 4, "town": 300})
    (('sex',), ('age',), ('town',), ('age', 'sex'))
    """
    alone = tuple((column,) for column in columns)
    asked = {tuple(sorted(c.each)) for c in contract if c.each}
    asked |= {tuple(column for column, _ in c.where) for c in contract if c.where}
    if values is not None:
        pairs = combinations(sorted(columns), 2)
        asked |= {pair for pair in pairs if values[pair[0]] * values[pair[1]] <= MOST_GROUPS}
    known = {*columns, *also}
    return (*alone, *sorted(group for group in asked - {*alone} if set(group) <= known))
