"""A run that kills itself after so many steps, and what it is called with."""

RUN = """
import os, signal, sys
from pathlib import Path
from {module} import {function}
from kdaudit.evidence.store import Store

left = int(sys.argv[1])

def progress(stage, total, /):
    def advance(done, /, text=""):
        global left
        if stage.startswith("main"):
            left -= done
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    return advance

{function}(Path("student.toml"), store=Store(Path(".kdaudit")), progress=progress)
"""


def killed(module: str, function: str) -> str:
    """Code that calls the function on ``student.toml``; its first argument is how many steps."""
    return RUN.format(module=module, function=function)
