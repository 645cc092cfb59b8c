"""``[policy.NAME]``: which undecided outcomes stop a release, where that policy is asked for."""

from collections.abc import Mapping

from kdaudit.contract import STRICT, Policy
from kdaudit.data.audit_file import PolicyTable
from kdaudit.errors import ConfigError, unknown


def policy_of(known: Mapping[str, PolicyTable], name: str | None) -> Policy:
    """The policy called ``name``; the strict one for None.

    Raises:
        ConfigError: for an unknown name.
    """
    if name is None:
        return STRICT
    if name not in known:
        raise ConfigError(unknown("policy", name, known))
    table = known[name]
    return Policy(
        name=name,
        inconclusive_blocks=table.inconclusive == "block",
        not_evaluable_blocks=table.not_evaluable == "block",
    )
