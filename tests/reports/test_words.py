"""What reports say of a code that was not measured is what its suite declares."""

from kdaudit import registry
from kdaudit_reports.words import ENDPOINTS, SUITES


def test_the_words_are_those_of_the_suites() -> None:
    points = registry.available(registry.GROUPS.suites)
    ours = [name for name, point in points.items() if point.dist and point.dist.name == "kdaudit"]
    declared = {
        endpoint.code: (endpoint.metric, endpoint.unit, endpoint.better)
        for name in ours
        for endpoint in registry.build_suite(name, {}).codes
    }
    assert {code: (e.metric, e.unit, e.better) for code, e in ENDPOINTS.items()} == declared
    assert set(SUITES) == set(ours)
