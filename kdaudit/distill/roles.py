"""Which subject of the audit file teaches. No PyTorch here."""

from pathlib import Path

from kdaudit.data.audit_file import AuditFile, SubjectTable
from kdaudit.distill.recipe import Recipe, read_recipe
from kdaudit.errors import ConfigError


def teaching(recipe: Recipe, audit: AuditFile, base: Path) -> SubjectTable | None:
    """The subject whose answers are learnt: the teacher, or with reversed roles the student.

    Args:
        recipe: the recipe.
        audit: its audit file.
        base: folder of the audit file.

    Returns:
        None where the recipe learns from nobody.

    Raises:
        ConfigError: if roles are reversed and there is no student, or this recipe makes it.
    """
    if not recipe.soft:
        return None
    if recipe.objectives.reversed_roles is None:
        return audit.teacher
    if audit.student is None:
        raise ConfigError(
            "[objectives.reversed_roles] learns from the audit file's [student], and it names "
            "none: name the small model there"
        )
    made_by = audit.student.distill
    if made_by is not None and read_recipe(base / made_by) == recipe:
        raise ConfigError(
            f"[objectives.reversed_roles] learns from the audit file's [student], which {made_by} "
            "itself makes: name this recipe under [teacher], and another under [student]"
        )
    return audit.student


def last_if_reversed(recipe: Path) -> bool:
    """Whether a recipe must wait for the others: the audit file's student teaches it."""
    return read_recipe(recipe).objectives.reversed_roles is not None
