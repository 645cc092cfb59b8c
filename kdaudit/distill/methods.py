"""Methods: presets of objectives. The trainer knows none of them."""

from kdaudit.distill.objectives import Hard, Objective, Soft
from kdaudit.distill.recipe import HardTable, ObjectivesTable, ResponseTable


def response(table: ResponseTable) -> list[Objective]:
    """Response distillation (Hinton et al. 2015): soft targets and labels."""
    soft = Soft(name="response.soft", weight=table.soft_weight, temperature=table.temperature)
    hard = Hard(name="response.hard", weight=table.hard_weight)
    return [term for term in (soft, hard) if term.weight > 0]


def hard(table: HardTable) -> list[Objective]:
    """Training on labels alone: how a teacher is made."""
    return [Hard(name="hard", weight=table.hard_weight)]


def preset(table: ObjectivesTable) -> list[Objective]:
    """The terms of all methods a recipe names."""
    terms: list[Objective] = []
    if table.response is not None:
        terms += response(table.response)
    if table.hard is not None:
        terms += hard(table.hard)
    return terms
