"""The contract every installed suite signs, ours and a stranger's alike."""

from collections.abc import Callable

import pytest

from kdaudit import registry


@pytest.mark.parametrize("name", sorted(registry.available(registry.GROUPS.suites)))
def test_every_installed_suite_signs_the_contract(
    name: str, signs_the_contract: Callable[[str], None]
) -> None:
    signs_the_contract(name)


def test_no_two_suites_share_a_code() -> None:
    codes = [
        endpoint.code
        for name in registry.available(registry.GROUPS.suites)
        for endpoint in registry.load(registry.GROUPS.suites, name).codes
    ]
    assert codes
    assert len(codes) == len(set(codes))
