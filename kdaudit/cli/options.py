"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

AuditPath = Annotated[
    Path, typer.Argument(metavar="AUDIT", help="The audit file.", show_default=True)
]
Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="Folder of the run; default kdaudit-out/NAME beside AUDIT."),
]
PolicyName = Annotated[
    str | None,
    typer.Option("--policy", metavar="NAME", help="Apply this policy of the audit file."),
]
Retime = Annotated[
    bool, typer.Option("--retime", help="Time the models anew, as after a noisy run.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print results.json instead of the summary.")]
