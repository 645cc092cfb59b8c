"""Find suites, models and reports by name; built-in ones use the same door as everyone else's."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from kdaudit.errors import ConfigError, unknown
from kdaudit.results import Results, Suite
from kdaudit.run import Run


class _Groups(NamedTuple):
    suites: str = "kdaudit.suites"
    models: str = "kdaudit.models"
    reports: str = "kdaudit.reports"
    graders: str = "kdaudit.graders"
    refusals: str = "kdaudit.refusals"


GROUPS = _Groups()


def available(group: str) -> dict[str, EntryPoint]:
    """Installed plugins of a group by name, unloaded, so that listing them imports nothing.

    Raises:
        ConfigError: if two distributions claim one name.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.get(point.name)
        if other is not None and other.value != point.value:
            raise ConfigError(
                f"two plugins of {group} are called {point.name!r}: {other.value} and "
                f"{point.value}; uninstall one"
            )
        found[point.name] = point
    return found


def load(group: str, name: str) -> Any:
    """The object behind an entry point.

    Raises:
        ConfigError: for an unknown name, or a plugin whose import fails, with the reason.
    """
    known = available(group)
    if name not in known:
        raise ConfigError(unknown(group.removeprefix("kdaudit.").removesuffix("s"), name, known))
    try:
        return known[name].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{name} cannot be used: {error}; `pip install 'kdaudit[all]'` brings what the "
            "built-in plugins need"
        ) from error
    except (Exception, SystemExit) as error:  # a plugin that exits must not end an audit with 0
        raise ConfigError(
            f"{name} cannot be used: importing it raised {type(error).__name__}: {error}"
        ) from error


def build_suite(name: str, options: Mapping[str, object]) -> Suite:
    """Load suite ``name`` and construct it from its TOML table.

    Raises:
        ConfigError: for an unknown suite or option, or a value the suite refuses.
    """
    cls: Any = load(GROUPS.suites, name)
    if not is_dataclass(cls):
        raise ConfigError(f"suite {name!r} must be a dataclass whose fields are its options")
    allowed = [f.name for f in fields(cls)]
    for option in options:
        if option not in allowed:
            raise ConfigError(unknown(f"option of [suites.{name}]", option, allowed))
    make = cast("Callable[..., Suite]", cls)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    hints = get_type_hints(cls)
    try:
        for option, value in values.items():
            TypeAdapter(hints[option]).validate_python(value, strict=True)
        suite: Suite = make(**values)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise ConfigError(f"[suites.{name}] {option}: {said}, got {value!r}") from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"[suites.{name}]: {error}") from None
    return suite


def report(name: str) -> Callable[[Results, Run], str]:
    """The renderer called ``name``."""
    render: Callable[[Results, Run], str] = load(GROUPS.reports, name)
    return render
