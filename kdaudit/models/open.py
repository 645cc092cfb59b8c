"""Open the model that a subject's table names, through the adapter's entry point."""

import inspect
from dataclasses import dataclass
from pathlib import Path

from kdaudit.data.audit_file import SubjectTable
from kdaudit.errors import ConfigError, unknown
from kdaudit.models.adapter import Adapter
from kdaudit.models.generations import GenerationsFile
from kdaudit.models.likelihoods import LikelihoodsFile
from kdaudit.models.recorded_language import RecordedLanguage
from kdaudit.registry import GROUPS, available, load


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """A subject's model, and how it was named."""

    kind: str
    name: str
    adapter: Adapter


def open_model(role: str, table: SubjectTable, base: Path) -> Opened:
    """Open ``[role]``.

    Args:
        role: teacher, student or baseline; for messages only.
        table: one adapter key (predictions, path, torch, sklearn or a plugin's) and its options; or
            ``generations`` and ``likelihoods`` of one model.
        base: folder of the audit file.

    Raises:
        ConfigError: for no adapter, more than one, or an option the adapter does not have.
    """
    known = available(GROUPS.models)
    named = [key for key in table.options if key in known]
    if RecordedLanguage.keys == set(named):
        return _both(role, table, base)
    if len(named) != 1:
        if not named and table.options:
            key = next(iter(table.options))
            raise ConfigError(f"[{role}]: {unknown('key', key, [*known, 'distill', 'threshold'])}")
        raise ConfigError(
            f"[{role}] names {len(named)} models ({', '.join(named) or 'none'}); "
            f"give exactly one of: {', '.join(sorted([*known, 'distill']))}"
        )
    kind = named[0]
    source = table.options[kind]
    if not isinstance(source, str):
        raise ConfigError(f"[{role}] {kind} must be a path in quotes, got {source!r}")
    opener = load(GROUPS.models, kind).open
    allowed = [
        p.name
        for p in inspect.signature(opener).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.name != "base"
    ]
    options = {key: value for key, value in table.options.items() if key != kind}
    for option in options:
        if option not in allowed:
            raise ConfigError(f"[{role}]: {unknown(f'option of {kind}', option, allowed)}")
    missing = [
        p.name
        for p in inspect.signature(opener).parameters.values()
        if p.name in allowed and p.default is p.empty and p.name not in options
    ]
    if missing:
        raise ConfigError(f"[{role}] {kind} also needs {', '.join(missing)}")
    # One address serves many models: their names tell them apart.
    name = f"{options['model']} at {source}" if "model" in options else source
    return Opened(kind=kind, name=name, adapter=opener(source, base=base, **options))


def _both(role: str, table: SubjectTable, base: Path) -> Opened:
    """Two files of one language model."""
    for option in set(table.options) - RecordedLanguage.keys:
        raise ConfigError(f"[{role}]: {unknown('option of recorded answers', option, [])}")
    generations, likelihoods = (
        open_model(role, SubjectTable.model_validate({key: table.options[key]}), base)
        for key in ("generations", "likelihoods")
    )
    assert isinstance(generations.adapter, GenerationsFile)
    assert isinstance(likelihoods.adapter, LikelihoodsFile)
    return Opened(
        kind=generations.kind,
        name=f"{generations.name} and {likelihoods.name}",
        adapter=RecordedLanguage(generations=generations.adapter, likelihoods=likelihoods.adapter),
    )
