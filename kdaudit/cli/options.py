"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

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
StudentName = Annotated[
    str | None,
    typer.Option("--student", metavar="NAME", help=r"Of \[students.NAME], audit this one."),
]
Only = Annotated[
    Literal["teacher"] | None,
    typer.Option(
        "--only", help="Audit the teacher alone, against the fixed limits; needs no student."
    ),
]
LockPath = Annotated[
    Path | None,
    typer.Option("--lock", metavar="FILE", help="Refuse if anything changed since `kdaudit lock`."),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what is cached, what there is to do, and each check's power."
    ),
]
Format = Annotated[
    str, typer.Option("--format", help="card (HTML), markdown, junit, terminal, or a plugin's.")
]
Output = Annotated[
    Path | None, typer.Option("-o", "--out", help="File to write; default standard output.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of the summary.")]
