"""``kdaudit leakage``: documents of a task that stand in text that was trained on."""

from pathlib import Path
from typing import Annotated

import typer

from kdaudit.cli.options import AsJson
from kdaudit.cli.say import say


def leakage(
    text: Annotated[
        Path, typer.Argument(metavar="TEXT", help="What was trained on (txt, or jsonl).")
    ],
    task: Annotated[
        Path, typer.Argument(metavar="TASK", help="Documents, one a row (csv, parquet, jsonl).")
    ],
    *,
    columns: Annotated[
        str, typer.Option(help="Columns that make a document, e.g. question,answer; default: all.")
    ] = "",
    words: Annotated[int, typer.Option(help="How many words in a row.")] = 13,
    as_json: AsJson = False,
) -> None:
    """Say which documents of a task share a run of words with text that was trained on."""
    from kdaudit.language.leakage import as_json as listed
    from kdaudit.language.leakage import as_text, leakage_of

    named = tuple(name for name in columns.split(",") if name)
    found = leakage_of(text, task, columns=named, words=words)
    say((listed if as_json else as_text)(found), newline=False)
