"""The smallest audit there is: a hundred rows, and one file that is teacher and student."""

from pathlib import Path

AUDIT = """
[audit]
name = "a"
[data]
path = "d.csv"
label = "label"
[teacher]
predictions = "p.csv"
[student]
predictions = "p.csv"
[[contract]]
check = "ACC001"
{limit}
"""


def write(folder: Path, limit: str, wrong: int = 0) -> Path:
    """Write the files and give the path of the audit file; the first rows are answered wrongly."""
    labels = ["ab"[i % 2] for i in range(100)]
    answers = ["ab"[(i % 2) ^ (i < wrong)] for i in range(100)]
    for name, column, cells in (("d.csv", "label", labels), ("p.csv", "prediction", answers)):
        rows = "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
        (folder / name).write_text(f"id,{column}\n{rows}", "utf-8")
    audit = folder / "audit.toml"
    audit.write_text(AUDIT.format(limit=limit), "utf-8")
    return audit
