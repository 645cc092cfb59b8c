"""Print to a reader who may have gone: ``kdaudit card RUN | head``."""

import os
import sys

import typer


def say(text: str, *, newline: bool = True, error: bool = False) -> None:
    """Print; once the reader has closed the pipe, the rest goes nowhere and the command goes on.

    What a command has to decide does not depend on who reads on, so its exit code stays its own.

    Args:
        text: what to print.
        newline: end it with one.
        error: to standard error.
    """
    try:
        typer.echo(text, nl=newline, err=error)
    except BrokenPipeError:
        stream = sys.stderr if error else sys.stdout
        # Not close(): Python flushes the stream once more at exit, and that must find an end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
