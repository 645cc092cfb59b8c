"""Grades that a model gave: one letter each, read exactly."""

import re
from collections.abc import Sequence

from kdaudit.grading.grade import UNGRADED, Grade

LETTERS = {"A": Grade.CORRECT, "B": Grade.INCORRECT, "C": Grade.NOT_ATTEMPTED}
REPLY = re.compile(r"\s*([ABC])\s*")


def read_letter(reply: str | None, *, answerable: bool = True) -> int:
    r"""The grade a reply gives; `UNGRADED` where it is anything but one letter.

    Not the first such letter anywhere: CORRECT holds a C.

    Args:
        reply: what the judge, or the person, wrote.
        answerable: whether the question has a true answer. Where it has none, nothing but
            declining can be called correct, so A counts as not attempted.

    >>> [read_letter(reply) for reply in ("A", "B\n", "CORRECT", "The answer is B.", None)]
    [0, 1, -1, -1, -1]
    """
    found = None if reply is None else REPLY.fullmatch(reply)
    if found is None:
        return UNGRADED
    grade = LETTERS[found[1]]
    return int(Grade.NOT_ATTEMPTED if grade is Grade.CORRECT and not answerable else grade)


def family(model: str) -> str:
    """The name under which a maker publishes its models: the letters its name begins with.

    >>> [family(name) for name in ("Qwen/Qwen2.5-72B-Instruct", "qwen2-0.5b", "gpt-4o", "runs/t")]
    ['qwen', 'qwen', 'gpt', 't']
    """
    found = re.match(r"[^\W\d_]+", model.rstrip("/").rpartition("/")[2].casefold())
    return found.group() if found else ""


def related(judge: str, models: Sequence[str]) -> str:
    """Of the named models, the first that looks like a relative of the judge; empty if none does.

    >>> related("qwen2.5-72b", ["SmolLM2-135M", "Qwen2-0.5B"])
    'Qwen2-0.5B'
    """
    return next((name for name in models if family(name) and family(name) == family(judge)), "")
