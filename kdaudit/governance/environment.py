"""What a run happened on: versions, machine, source commit. No secrets, no paths, no user names."""

import os
import platform
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from kdaudit.governance.commit import commit_of

COMPUTING = ("kdaudit", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "fairlearn")
ALSO = ("torch", "safetensors", "skops", "pydantic", "jinja2")


def versions(packages: Iterable[str] = COMPUTING) -> dict[str, str]:
    """Installed versions; absent packages are left out."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def utc_now() -> str:
    """The time, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def machine() -> dict[str, str]:
    """Python, platform, processor, cores, memory and load, as text."""
    facts = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": str(os.cpu_count() or "unknown"),
    }
    memory = Path("/proc/meminfo")
    if memory.exists():
        kib = int(memory.read_text("utf-8").split()[1])
        facts["memory"] = f"{kib / 2**20:.1f} GiB"
    if hasattr(os, "getloadavg"):
        facts["load"] = f"{os.getloadavg()[0]:.2f}"
    if "torch" in sys.modules:
        facts["torch threads"] = str(sys.modules["torch"].get_num_threads())
    return facts


def source(folder: Path) -> dict[str, str]:
    """Commit of the git checkout that holds ``folder``, or nothing."""
    commit = commit_of(folder)
    return {} if commit is None else {"commit": commit}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
