"""Write a model folder as an ONNX file, whose answers were compared first."""

from dataclasses import dataclass
from pathlib import Path

from kdaudit.data.columns import as_input, pick
from kdaudit.data.readers import read
from kdaudit.errors import ConfigError, ModelError
from kdaudit.evidence.store import write_atomically
from kdaudit.models.adapter import Columns
from kdaudit.models.folder import ModelFolder
from kdaudit.models.pretrained import require
from kdaudit.models.to_onnx import OPSET, difference, drawn, graph
from kdaudit.models.torch import threads

ROWS = 1000  # of the file, at most
TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        path: the ONNX file.
        opset: of its operators.
        rows: on which the two were compared.
        made_up: whether those rows were drawn, not read.
        difference: the largest absolute one of any probability.
        encode: the encoder that stays outside, or None.
    """

    path: Path
    opset: int
    rows: int
    made_up: bool
    difference: float
    encode: str | None

    def __str__(self) -> str:
        rows = f"{self.rows:,} {'made-up' if self.made_up else 'read'} rows"
        encoder = (
            f"\nthe encoder {self.encode} is Python and stays outside: name it with its state, as "
            f'encode = "{self.encode}" and state = "state.json", beside onnx = ...'
        )
        return (
            f"opset {self.opset}; largest difference of any probability on {rows}: "
            f"{self.difference:.2g}{'' if self.encode is None else encoder}\nwritten: {self.path}"
        )


def export_onnx(
    folder: Path, out: Path, *, rows: Path | None = None, tolerance: float = TOLERANCE
) -> Exported:
    """Write the model of a folder as ONNX, if it answers alike.

    Args:
        folder: a model folder.
        out: the file; written whole or not at all.
        rows: a data file with the model's input columns, to compare on; made up without it.
        tolerance: the largest difference of any probability that is let through.

    Raises:
        ConfigError: for a missing library, or where rows are needed.
        ModelError: if it cannot be written, or answers otherwise; then nothing is written.
    """
    for library in ("onnx", "onnxscript", "onnxruntime"):
        require(library, "onnx", "kdaudit export-model")
    if out.suffix.lower() != ".onnx":
        raise ConfigError(f"--onnx names a file that ends in .onnx, not {out}")
    opened = ModelFolder.open(str(folder), base=Path())
    with threads(1):
        encoded = drawn(opened) if rows is None else opened.model.encoder(_read(opened, rows))
        if encoded is None:
            raise ConfigError(
                f"only {opened.manifest.encode} knows what the module of {folder} reads: name a "
                f"file with the columns {', '.join(opened.columns)}, as --rows data.csv"
            )
        written = graph(opened, encoded)
        found = difference(opened, written, encoded)
    if not found <= tolerance:
        raise ModelError(
            f"the ONNX graph of {folder} answers otherwise than the model: a probability differs "
            f"by {found:.3g}, and --tolerance is {tolerance:g}; nothing was written"
        )
    write_atomically(out, written)
    return Exported(
        path=out,
        opset=OPSET,
        rows=len(encoded),
        made_up=rows is None,
        difference=found,
        encode=opened.manifest.encode,
    )


def _read(folder: ModelFolder, rows: Path) -> Columns:
    source = read(rows.name, rows.parent)
    columns = folder.columns
    table = source.table.head(ROWS)
    return {name: as_input(pick(table, name, "an input", source.name)) for name in columns}
