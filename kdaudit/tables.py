"""``kdaudit.audit``: an audit from tables in memory, by the pipeline the command line uses."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd

from kdaudit.basis import Subject
from kdaudit.data.audit_file import AuditFile, parse
from kdaudit.data.dataset import from_table
from kdaudit.data.readers import Source
from kdaudit.data.typed_tables import from_frame
from kdaudit.errors import ConfigError, DataError
from kdaudit.models.generations import GenerationsFile
from kdaudit.models.open import Opened
from kdaudit.models.predictions import PredictionsFile
from kdaudit.pipeline import run_plan
from kdaudit.plan import make_plan
from kdaudit.results import Results


class Roles(TypedDict, total=False):
    """Keywords of `audit`: the keys of ``[audit]``, ``[data]``, ``[suites]`` and ``[card]``."""

    name: str
    seed: int
    alpha: float
    id: str
    label: str
    label_source: str
    positive: str | Sequence[str]
    sensitive: Sequence[str]
    slices: Sequence[str]
    text: Sequence[str]
    time: str
    bands: Mapping[str, int | Sequence[float] | bool]
    cluster: str
    weight: str
    out_of_scope: str
    scores: Mapping[str, Mapping[str, Any]]
    inputs: Sequence[str]
    answers: str
    source: str
    grading: Mapping[str, Any]
    suites: Mapping[str, Mapping[str, Any]]
    card: Mapping[str, Any]
    classes: Sequence[str]


Table = pd.DataFrame | np.ndarray[Any, Any]


def audit(
    *,
    data: pd.DataFrame,
    teacher: Table,
    student: Table,
    baseline: Table | None = None,
    contract: Sequence[Mapping[str, Any]] = (),
    **roles: Unpack[Roles],
) -> Results:
    """Audit a student against its teacher from tables in memory.

    Args:
        data: one row per example: the label (column ``label`` unless ``label=`` names another), and
            the columns that ``id``, ``sensitive``, ``slices``, ``cluster`` and ``weight`` name.
        teacher: a DataFrame with the id column and ``p_<class>`` per class, one ``score`` or
            ``prediction``, or the ``text`` of a language model; or an array in the order of
            ``data``: (N, C) probabilities with ``classes=``, (N,) scores of the favourable class,
            or (N,) labels.
        student: likewise.
        baseline: likewise; the previous release, or a control.
        contract: checks, each with the keys of ``[[contract]]``.
        roles: see `Roles`; the keys of the audit file.

    Raises:
        ConfigError: for a role or check that does not exist.
        DataError: for tables that do not fit each other.

    >>> rng = np.random.default_rng(0)
    >>> data = pd.DataFrame({"label": rng.choice(["no", "yes"], 400)})
    >>> right = np.where(data.label == "yes", 0.8, 0.2)
    >>> student = np.where(rng.random(400) < 0.05, 1 - right, right)
    >>> teacher = np.where(rng.random(400) < 0.05, 1 - right, right)
    >>> check = {"check": "ACC001", "margin": 0.1}
    >>> results = audit(data=data, teacher=teacher, student=student, contract=[check],
    ...                 positive="yes")
    >>> results.outcome.value, results.finding("ACC001").difference.method
    ('pass', 'Tango score')
    """
    name = "data"
    if not isinstance(data, pd.DataFrame):
        raise ConfigError(f"data must be a DataFrame, got {type(data).__name__}")
    data = _as_given(data, name)
    # Texts and scores are audited without labels.
    scored = "scores" in roles and "label" not in data.columns
    raw = _as_document(
        dict(roles),
        contract,
        with_baseline=baseline is not None,
        labelled=not ("answers" in roles or scored),
    )
    file = parse(raw, AuditFile, "kdaudit.audit")
    plan = make_plan(file, Path())
    dataset = from_table(
        Source(name=name, table=data, sha256=_table_digest(data)),
        file.data,
        file.audit.seed,
        Path(),
    )
    column = file.data.id or "id"
    ids = data[column].to_numpy() if column in data.columns else _positions(len(data))
    classes = [str(c) for c in roles.get("classes", ())]
    opened: dict[Subject, Opened] = {}
    subjects: dict[Subject, Table | None] = {
        "teacher": teacher,
        "student": student,
        "baseline": baseline,
    }
    for role, table in subjects.items():
        if table is not None:
            frame = _as_table(table, ids, column, classes, role)
            source = Source(name=role, table=frame, sha256=_table_digest(frame))
            opened[role] = (
                Opened(kind="generations", name=role, adapter=GenerationsFile(source))
                if "text" in frame.columns
                else Opened(kind="predictions", name=role, adapter=PredictionsFile(source))
            )
    return run_plan(plan, dataset, opened).results


def _as_document(
    roles: dict[str, Any],
    contract: Sequence[Mapping[str, Any]],
    *,
    with_baseline: bool,
    labelled: bool,
) -> dict[str, Any]:
    """The keywords as an audit file would say them."""
    roles.pop("classes", None)
    top = {key: roles.pop(key) for key in ("seed", "alpha") if key in roles}
    subject = {"predictions": "in memory"}
    document: dict[str, Any] = {
        "audit": {"name": roles.pop("name", "audit"), **top},
        "suites": roles.pop("suites", {}),
        "card": roles.pop("card", {}),
        "contract": _checks(contract),
        "teacher": subject,
        "student": subject,
        "data": {"path": "data", **({"label": "label"} if labelled else {}), **roles},
    }
    return document | ({"baseline": subject} if with_baseline else {})


def _checks(contract: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(contract, Mapping) or not all(isinstance(c, Mapping) for c in contract):
        raise ConfigError(
            'contract must be a list of tables, e.g. [{"check": "ACC001", "margin": 0.01}]'
        )
    return [dict(check) for check in contract]


def _as_table(
    table: Table, ids: "np.ndarray[Any, Any]", column: str, classes: list[str], role: str
) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return _as_given(table, role)
    if not isinstance(table, np.ndarray):
        raise ConfigError(
            f"{role} is a {type(table).__name__}; pass a DataFrame with the id column, or an array "
            "in the order of data (a Series has an index that would be lost: .to_frame() or "
            ".to_numpy())"
        )
    values = np.asarray(table)
    if len(values) != len(ids):
        raise ConfigError(f"{role} has {len(values)} rows, data has {len(ids)}")
    if values.ndim == 2:
        if values.shape[1] != len(classes):
            raise ConfigError(
                f"{role} has {values.shape[1]} columns of probabilities; name them in order, e.g. "
                f"classes = ['a', 'b'] (got {len(classes)} names)"
            )
        frame = pd.DataFrame(values, columns=[f"p_{name}" for name in classes])
    else:
        kind = "score" if values.dtype.kind == "f" else "prediction"
        frame = pd.DataFrame({kind: values})
    return frame.assign(**{column: ids})


def _as_given(table: pd.DataFrame, role: str) -> pd.DataFrame:
    """A table of the caller: a named index is a column, and text is text.

    Raises:
        DataError: for an index that seems to hold ids.
    """
    if table.index.names != [None]:
        table = table.reset_index()
    elif not pd.api.types.is_integer_dtype(table.index.dtype):
        raise DataError(
            f"the rows of {role} are named in its index, e.g. {table.index[0]!r}; make it a "
            'column: .rename_axis("id").reset_index()'
        )
    return from_frame(table)


def _positions(n: int) -> "np.ndarray[Any, Any]":
    return np.array([f"{i:012d}" for i in range(n)], dtype=object)


def _table_digest(table: pd.DataFrame) -> str:
    digest = hashlib.sha256("\x1f".join(map(str, table.columns)).encode())
    for column in table.columns:
        digest.update(
            pd.util.hash_array(table[column].astype(str).to_numpy(dtype=object)).tobytes()
        )
    return digest.hexdigest()
