"""What an installed module's code is made of: its own file, and those beside it that it imports.

People keep models in a package: the layers in one file, the activation in another. A change in any
of them is another model, so all of them are part of what answers are kept under. Which files a
module imports is read from its source, so that it does not depend on what else a process loaded.
"""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import ModuleType

OWN = "kdaudit"  # its modules name themselves what they consist of


def package_sources(module: ModuleType) -> bytes:
    """Digests of all files of its package, and beside that, that a module imports; or a version.

    Of a distribution that is installed as it was released, its version stands for all files.

    Args:
        module: an installed module.
    """
    root = module.__name__.partition(".")[0]
    if root == OWN:
        return b""
    origin = Path(str(module.__file__))
    released = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")}
    if any(place in origin.parents for place in released):
        return _version(root).encode()
    packages = getattr(sys.modules[root], "__path__", None)
    base = Path(next(iter(packages))).parent if packages else origin.parent
    found = dict(sorted(_reached(module.__name__, base).items()))
    return "".join(f"{name} {digest}\n" for name, digest in found.items()).encode()


def _version(root: str) -> str:
    names = packages_distributions().get(root, [])
    try:
        return " ".join(f"{name} {version(name)}" for name in sorted(set(names)))
    except PackageNotFoundError:
        return sys.version


def _reached(start: str, base: Path) -> dict[str, str]:
    """Modules in a folder that one of them imports, with the digest of each file."""
    found: dict[str, str] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        path = None if name in found else _file(name, base)
        if path is None:
            continue
        source = path.read_bytes()
        found[name] = hashlib.sha256(source).hexdigest()
        waiting += _imports(source, name, path)
        waiting += [name.rpartition(".")[0]] if "." in name else []
    return found


def _file(name: str, base: Path) -> Path | None:
    """The source of a module, found without importing it; None for what lies elsewhere."""
    place = base.joinpath(*name.split("."))
    for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if path.is_file():
            return path
    return None


def _imports(source: bytes, name: str, path: Path) -> Iterator[str]:
    """Dotted names that a file may import, wherever in it; some are no modules."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
