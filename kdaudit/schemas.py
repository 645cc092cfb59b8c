"""The published schemas: one per file format, frozen by a snapshot test."""

from typing import Any

from pydantic import BaseModel

from kdaudit.errors import ConfigError, unknown

NAMES = ("audit", "drill", "language", "lineage", "lock", "model", "recipe", "results", "run")


def schema_of(name: str) -> dict[str, Any]:
    """JSON Schema of a file format.

    Raises:
        ConfigError: for an unknown name.
    """
    from kdaudit.data.audit_file import AuditFile
    from kdaudit.distill.language.recipe import LanguageRecipe
    from kdaudit.distill.recipe import Recipe
    from kdaudit.drill.drilled import Drill
    from kdaudit.lineage import Lineage
    from kdaudit.lock.file import LockFile
    from kdaudit.models.folder import Manifest
    from kdaudit.results import Results
    from kdaudit.results_file import schema
    from kdaudit.run import Run

    if name not in NAMES:
        raise ConfigError(unknown("schema", name, NAMES))
    models: dict[str, type[BaseModel]] = {
        "audit": AuditFile,
        "recipe": Recipe,
        "language": LanguageRecipe,
        "model": Manifest,
    }
    if name in models:
        return models[name].model_json_schema()
    files = {
        "drill": Drill,
        "results": Results,
        "run": Run,
        "lineage": Lineage,
        "lock": LockFile,
    }
    return schema(files[name])
