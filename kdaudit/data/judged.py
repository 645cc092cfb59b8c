"""How the rows are judged: what makes another decision of the same rows and the same answers."""

from kdaudit.data.audit_file import DataTable
from kdaudit.data.frame import Frame
from kdaudit.governance.digest import json_digest

ROLES = ("cluster", "weight", "out_of_scope", "bands", "scores")


def judged_digest(data: DataTable, frame: Frame) -> str | None:
    """SHA-256 of how rows are weighed, grouped into clusters and bands, and partly labelled.

    Args:
        data: the roles.
        frame: the audited rows; which labels of a file of labels there are, is part of it.

    Returns:
        None where every row counts by itself and all have their label.
    """
    said = data.model_dump(mode="json", include=set(ROLES), exclude_defaults=True)
    if frame.listed is not None and frame.labels is not None:
        stands_for = frame.listed.stands_for
        said["labels"] = frame.labels.tolist()
        said["stands_for"] = None if stands_for is None else stands_for.tolist()
    return json_digest(said) if said else None
