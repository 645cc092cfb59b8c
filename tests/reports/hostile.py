"""An audit in which every name, value and sentence that others can write is an attack."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from kdaudit.results import Results
from kdaudit.run import Run

CORPUS = (
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script><style>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "<!--",
    "]]><iframe src=javascript:alert(1)>",
    "{{ 7*7 }}{% raw %}{{ ''.__class__ }}",
    "javascript:alert(1)",
    "https://evil.example/x www.evil.example a@evil.example",
    "&lt;script&gt;&#60;b&#62;",
    "`code` *bold* [link](https://evil.example) ![i](https://evil.example/i.png) | cell |",
    "\n# heading\n- list\n| a | b |\n\n<details>",
    "\u202egnihtemos\u2066 zero\u200bwidth\ufeff",
    "\x00\x07\x1b[31mred\x1b[0m\x7f\x9b\ufffe",
    "lone \ud800 surrogate",
    "%s %(x)s {0} {x} \\u0041 \\",
    "=cmd|'/c calc'!A1",
    "]; url(https://evil.example) } body { display: none",
    "a" * 5_000,
    "Z\u0351\u036b\u0343a\u0363" * 40,
)

# Words the types or the renderers choose among, not text that anyone writes.
KEEP = frozenset(
    {"kind", "role", "chart", "columns", "severity", "against", "small", "scale", "basis", "suite"}
)
KEYED = frozenset({"lineage", "train", "validation"})


def poisoned(results: Results, run: Run, payload: str) -> tuple[Results, Run]:
    """Every text of an audit with a payload before it, addresses still consistent."""
    told = _poison(results, payload, "")
    assert isinstance(told, Results)
    before = [finding.address for finding in results.findings()]
    moved = dict(zip(before, (f.address for f in told.findings()), strict=True))
    verdicts = tuple(
        replace(new, address=moved.get(old.address, payload))
        for new, old in zip(told.verdicts, results.verdicts, strict=True)
    )
    limitations = tuple(
        replace(new, evidence=moved.get(old.evidence, payload))
        for new, old in zip(told.limitations, results.limitations, strict=True)
    )
    told_run = _poison(run, payload, "")
    assert isinstance(told_run, Run)
    return replace(told, verdicts=verdicts, limitations=limitations), told_run


def _poison(value: Any, payload: str, name: str) -> Any:
    if isinstance(value, Enum) or name in KEEP:
        return value
    if isinstance(value, str):
        return payload + value
    if is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _poison(getattr(value, f.name), payload, f.name) for f in fields(value)}
        if "where" in changed:
            changed["where"] = tuple(sorted(changed["where"]))
        return replace(value, **changed)
    if isinstance(value, Mapping):
        keyed = name in KEYED
        return {k if keyed else payload + k: _poison(v, payload, "") for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(_poison(item, payload, "") for item in value)
    return value
