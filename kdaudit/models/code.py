"""Code that a model needs: ``"module:function"``, from a file beside the user's or installed.

A file is compiled from the very bytes that were digested, under a private name: nothing is added
to ``sys.path``, no ``__pycache__`` appears beside it, and two folders may each have a ``model.py``.
It may therefore import installed packages, but not the files beside it.
"""

import hashlib
import importlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kdaudit.errors import KdauditError, ModelError, unknown
from kdaudit.models.package_sources import package_sources

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Code:
    """A function, and what it is.

    Attributes:
        name: ``module:function``, as the user wrote it.
        function: the callable.
        digest: SHA-256 of the source file that holds it, of those beside it that the file names in
            ``DIGESTED_WITH``, and of those of its package that it imports; of a released package
            its version.
        source: the bytes of the file beside the user's, or None for an installed module.
    """

    name: str
    function: Callable[..., Any]
    digest: str
    source: bytes | None

    def __call__(self, *args: object, **options: object) -> Any:
        """Call it; what it raises becomes one sentence.

        Raises:
            ModelError: naming the function and what went wrong in it.
        """
        try:
            return self.function(*args, **options)
        except KdauditError:
            raise  # it says in one sentence what went wrong
        except Exception as error:
            raise ModelError(f"{self.name} failed: {said(error)}") from error


def resolve(name: str, base: Path) -> Code:
    """Find ``module:function``: the file ``module.py`` in ``base``, else an installed module.

    Args:
        name: for example ``"student:build"`` or ``"my_package.models:build"``.
        base: the folder of the audit file, the recipe, or a model folder's ``code``.

    Raises:
        ModelError: for a name of another form, or a module or function that is not there.

    >>> resolve("json:dumps", Path()).function([1])
    '[1]'
    """
    if not NAME.fullmatch(name):
        raise ModelError(f'code is named "module:function", got {name!r}')
    module_name, _, function_name = name.partition(":")
    path = base / f"{module_name}.py"
    local = path.is_file()
    try:
        source, module = _local(path) if local else _installed(module_name)
    except ModuleNotFoundError as error:
        if not local and module_name.startswith(str(error.name)):
            raise ModelError(
                f"{name}: there is no file {path.name} in {base.resolve()} and no installed module "
                f"{module_name}; write the one or install the other"
            ) from error
        raise ModelError(
            f"{name}: {path.name if local else module_name} imports {error.name}, which is not "
            "installed; a code file can import installed packages, not the files beside it"
        ) from error
    except Exception as error:
        raise ModelError(f"{name}: importing {module_name} failed: {said(error)}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise ModelError(f"{name}: {unknown(f'function of {module_name}', function_name, known)}")
    beside = b"" if local else _beside(module) + package_sources(module)
    digest = hashlib.sha256(source + beside).hexdigest()
    return Code(name=name, function=function, digest=digest, source=source if local else None)


def said(error: Exception) -> str:
    """What an exception of the user's code said, in one line.

    >>> said(KeyError("colour"))
    "KeyError: 'colour'"
    """
    return f"{type(error).__name__}: {error}".splitlines()[0]


def files(*codes: Code | None) -> Mapping[str, bytes]:
    """What a model folder must hold for these to load anywhere: ``code/<module>.py``."""
    return {
        f"code/{code.name.partition(':')[0]}.py": code.source
        for code in codes
        if code is not None and code.source is not None
    }


def _local(path: Path) -> tuple[bytes, ModuleType]:
    source = path.read_bytes()
    identity = f"{path.resolve()}\0".encode() + source
    private = f"_kdaudit_{path.stem}_{hashlib.sha256(identity).hexdigest()[:16]}"
    if private not in sys.modules:
        module = ModuleType(private)
        module.__file__ = str(path)
        # Dataclasses look their module up while it is being executed.
        sys.modules[private] = module
        try:
            exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102  # the user's code
        except BaseException:
            del sys.modules[private]
            raise
    return source, sys.modules[private]


def _installed(name: str) -> tuple[bytes, ModuleType]:
    module = importlib.import_module(name)
    origin = module.__spec__.origin if module.__spec__ is not None else None
    if origin is None or not Path(origin).is_file():
        raise ImportError(f"{name} has no file, so what it does cannot be recorded")
    return Path(origin).read_bytes(), module


def _beside(module: ModuleType) -> bytes:
    """The files that an installed module names as part of what it is."""
    names = getattr(module, "DIGESTED_WITH", ())
    return b"".join(Path(str(module.__file__)).with_name(name).read_bytes() for name in names)
