"""``kdaudit init``: an audit file to start from."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.say import say
from kdaudit.errors import ConfigError

TEMPLATE = """\
# An audit file. Paths are relative to it. `kdaudit suites` lists every check.

[audit]
name = "my-student"
seed = 7
alpha = 0.05                       # one-sided; intervals are printed two-sided at 90 %

[data]
path = "data.csv"                  # csv, parquet, jsonl or sklearn:NAME
id = "id"
label = "label"
label_source = "human"             # human | outcome | model:NAME
# positive = "yes"                 # favourable class, for selection rates
# sensitive = ["sex"]              # columns for fairness (FAI)
# slices = ["channel"]             # columns for slices (SLC)
# cluster = "customer"             # rows of one cluster are not independent
# out_of_scope = "none"            # label that no class should claim

[teacher]
predictions = "teacher.csv"        # id plus p_<class> per class, or score, or prediction

[student]
predictions = "student.csv"

[[contract]]
check = "ACC001"                   # accuracy: at most one point below the teacher's
margin = 0.01

[[contract]]
check = "CAL003"                   # confidence gap: at most two points further from zero
margin = 0.02

[card]
# owner = "…"
# intended_use = "…"
# out_of_scope_use = "…"
"""


def init(
    path: Annotated[Path, typer.Argument(metavar="AUDIT", help="File to write.")] = Path(
        "audit.toml"
    ),
) -> None:
    """Write an audit file to start from; never over an existing one."""
    if path.is_dir():
        path = path / "audit.toml"
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(TEMPLATE)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists already and stays as it is; name another file to write, or carry this "
            f"one out: kdaudit run {path}"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    say(f"wrote the audit file {path}; edit it, then: kdaudit run {path}")
