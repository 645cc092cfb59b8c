"""``kdaudit export-model``: a model folder as an ONNX file."""

from pathlib import Path
from typing import Annotated

import typer


def export_model(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A model folder.")],
    onnx: Annotated[Path, typer.Option("--onnx", help="The file to write.")],
    *,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows", help="Data file with the input columns, to compare on; default: made-up rows."
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, help="Largest difference of any probability.")
    ] = 1e-5,
) -> None:
    """Write a model folder as ONNX; refused where its answers would change.

    What encodes the input columns stays outside, and is named to the adapter `onnx`.
    """
    from kdaudit.cli.say import say
    from kdaudit.exporting import export_onnx

    say(str(export_onnx(folder, onnx, rows=rows, tolerance=tolerance)))
