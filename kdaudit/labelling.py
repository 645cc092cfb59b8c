"""``kdaudit label``: which rows people still have to label, as a file to fill in.

Rows on which the subjects answer alike add nothing to any difference between them. At 6 % of
disagreement, one row in sixteen decides as much as all of them. What needs all rows, such as a
subject's own accuracy, is measured on a random sample of the others as well.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.data.audit_file import AuditFile, LabelsTable, SubjectTable, read_audit_file
from kdaudit.data.columns import as_text
from kdaudit.data.dataset import Dataset, load
from kdaudit.data.frame import Frame
from kdaudit.data.labels import STANDS_FOR, drawing_order
from kdaudit.errors import ConfigError
from kdaudit.evidence.kinds import Bools, Floats, Ints
from kdaudit.evidence.partly_labelled import needs_label
from kdaudit.evidence.store import Store, write_atomically
from kdaudit.evidence.view import Trio
from kdaudit.execute import with_folders
from kdaudit.models.open import Opened, open_model
from kdaudit.pipeline import ask_all
from kdaudit.plan import make_plan
from kdaudit.progress import Progress, silent
from kdaudit.stats.random import stream
from kdaudit.students import pairs
from kdaudit.subjects import agree

SAMPLE = 200
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how cells begin that a spreadsheet may run


@dataclass(frozen=True, slots=True, kw_only=True)
class ToLabel:
    """What was written.

    Attributes:
        path: the file to fill in.
        weights: the file that says how many rows each one stands for, or None.
        rows: audited rows.
        apart: rows on which the subjects differ.
        drawn: rows drawn of the others.
        blank: rows without a label.
        kept: rows whose label is there already, those among them on which no subject differs.
    """

    path: Path
    weights: Path | None
    rows: int
    apart: int
    drawn: int
    blank: int
    kept: int


def write_rows_to_label(
    path: Path, *, out: Path | None = None, sample: int = SAMPLE, progress: Progress = silent
) -> ToLabel:
    """Ask the subjects of an audit file, and write the rows whose labels are needed.

    Whoever labels sees neither answers nor which rows were drawn; rows are in random order. Labels
    that are there already are kept, and a row that was drawn before is drawn again.

    Args:
        path: the audit file; its ``[data.labels]`` names the files.
        out: write here instead of to ``[data.labels] path``.
        sample: rows to draw of those on which all subjects answer alike.
        progress: told what goes on.

    Raises:
        KdauditError: for whatever the user can mend; nothing is written over.
    """
    file, base = read_audit_file(path), path.parent
    table = file.data.labels
    if table is None:
        raise ConfigError(
            "name the files that will hold the labels, and what each stands for: [data.labels] "
            'path = "labels.csv", weights = "labels-weights.csv"'
        )
    written, weights = _paths(table, base, out, sample)
    dataset = load(file, base, to_label=True)
    apart = _apart(file, base, dataset, progress)
    frame = dataset.frame("audit")
    certain, drawn = _chosen(frame, apart, sample, file.audit.seed)
    stands_for = np.where(certain, 1.0, 0.0)
    if drawn.any():
        stands_for[drawn] = np.count_nonzero(~certain) / np.count_nonzero(drawn)
    rows = np.flatnonzero(certain | drawn)
    rows = stream(file.audit.seed, "label", "order").permutation(rows)
    write_atomically(written, _sheet(file, dataset, table, rows).encode())
    if weights is not None:
        write_atomically(weights, _weights(file, table, frame, stands_for, rows).encode())
    labels = frame.labels
    assert labels is not None
    return ToLabel(
        path=written,
        weights=weights,
        rows=len(frame),
        apart=int(np.count_nonzero(apart)),
        drawn=int(np.count_nonzero(drawn)),
        blank=sum(labels[row] is None for row in rows),
        kept=sum(labels[row] is not None for row in rows),
    )


def _paths(
    table: LabelsTable, base: Path, out: Path | None, sample: int
) -> tuple[Path, Path | None]:
    """The file of labels and that of weights, neither of which may be there yet."""
    if sample and table.weights is None:
        raise ConfigError(
            "a sample needs a file that says how many rows each row stands for: [data.labels] "
            'weights = "labels-weights.csv"; or --sample 0 for the rows on which models differ'
        )
    path = base / table.path if out is None else out
    weights = None
    if table.weights is not None:
        weights = base / table.weights if out is None else out.with_stem(f"{out.stem}-weights")
    for one in (path, weights):
        if one is None:
            continue
        if one.suffix.lower() != ".csv":
            raise ConfigError(f"{one.name}: rows to label are written as csv; name it NAME.csv")
        if one.exists():
            raise ConfigError(
                f"{one} exists and may hold labels, so it is not written over; name another file "
                "with -o, and then under [data.labels]"
            )
    return path, weights


def _apart(file: AuditFile, base: Path, dataset: Dataset, progress: Progress) -> Bools:
    """(N,) rows on which the teacher, any student and the baseline do not all answer alike."""
    store, frame = Store.beside(base), dataset.frame("audit")
    found: Bools = np.zeros(len(frame), dtype=np.bool_)
    for one in pairs(file).values():
        made = with_folders(one, base)
        opened: dict[Subject, Opened] = {}
        for role in ORDER:
            named: SubjectTable | None = getattr(made, role)
            if named is not None:
                opened[role] = open_model(role, named, base)
        asked = ask_all(make_plan(made, base), dataset, opened, store, progress)
        classes, subjects = agree(asked, frame, file.data)
        if not classes:
            raise ConfigError(
                "the subjects answer with no classes, so nothing shows where they differ; every "
                "row needs a label"
            )
        found |= needs_label(Trio(**subjects))
    return found


def _chosen(frame: Frame, apart: Bools, sample: int, seed: int) -> tuple[Bools, Bools]:
    """(N,) rows that stand for themselves, and rows drawn of all others.

    Who was listed for itself stays so. Whoever was drawn before is a random sample still of those
    rows that are left, since which of them are left does not depend on who was drawn.
    """
    before = np.zeros(len(frame)) if frame.listed is None else frame.listed.stands_for
    labels = frame.labels
    assert labels is not None
    if before is None:  # listed without weights: for themselves
        before = np.array([label is not None for label in labels], dtype=np.float64)
    certain: Bools = apart | (before == 1)
    drawn: Bools = (before > 1) & ~certain
    order = drawing_order(seed, len(frame))
    wanted = max(0, sample - int(np.count_nonzero(drawn)))
    more = [row for row in order if not certain[row] and not drawn[row]][:wanted]
    drawn[more] = True
    return certain, drawn


def _sheet(file: AuditFile, dataset: Dataset, table: LabelsTable, rows: Ints) -> str:
    """The rows as csv: id, what is to be looked at, and a column for the label."""
    data, frame = file.data, dataset.frame("audit")
    source = dataset.sources[0][1].table
    hidden = {data.id or "id", data.label, table.label}
    columns = [str(c) for c in (data.inputs or source.columns) if c not in hidden]
    place = {one: row for row, one in enumerate(dataset.all_ids.tolist())}
    at = [place[frame.ids[row]] for row in rows]
    cells = [as_text(source[column].iloc[at]) for column in columns]
    labels = frame.labels
    assert labels is not None
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([table.id or data.id or "id", *columns, table.label])
    for k, row in enumerate(rows):
        shown = [_as_shown(column[k]) for column in cells]
        writer.writerow([frame.ids[row], *shown, "" if labels[row] is None else labels[row]])
    return out.getvalue()


def _as_shown(cell: str | None) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if cell is None:
        return ""
    try:
        float(cell)
    except ValueError:
        return f"'{cell}" if cell.startswith(FORMULA) else cell
    return cell


def _weights(
    file: AuditFile, table: LabelsTable, frame: Frame, stands_for: Floats, rows: Ints
) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([table.id or file.data.id or "id", STANDS_FOR])
    writer.writerows((frame.ids[row], repr(float(stands_for[row]))) for row in rows)
    return out.getvalue()
