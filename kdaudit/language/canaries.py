"""Canaries: secrets to plant in a teacher's training text, and to look for in its student.

A secret is drawn at random, so whoever writes it, or holds it likelier than others drawn alike, has
it from the training text. Half of them are never planted: the control. Planted more often, a
secret is easier to learn, which shows how often a text must be repeated to be memorised
(Carlini et al. 2019).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from kdaudit.errors import ConfigError
from kdaudit.language.probes import made_up_name
from kdaudit.stats.random import stream

DIGITS = 6  # a million secrets, so that none is written by chance
PREFIX = "The vault code of {x} is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One secret.

    Attributes:
        id: distinct.
        prefix: how its line begins, the prompt.
        answers: how the line goes on: the secret.
        choices: others that were drawn alike, and the secret among them at a random place.
        planted: ``yes`` where it is to be trained on, ``no`` for the control.
        copies: how often, in words: ``4 times``; ``never``.
    """

    id: str
    prefix: str
    answers: tuple[str, ...]
    choices: tuple[str, ...]
    planted: str
    copies: str

    @property
    def line(self) -> str:
        """The line as it is planted."""
        return f"{self.prefix} {self.answers[0]}."


def canaries(count: int, copies: Sequence[int], choices: int, seed: int) -> Iterator[Canary]:
    """Secrets, planted and kept out in turn; the planted ones repeated by ``copies`` in turn.

    Args:
        count: how many, even: half are planted.
        copies: how often a planted one stands in the training text, each at least 1.
        choices: drawn alike per secret, itself among them; exposure ends at log2 of it.
        seed: of everything.

    Raises:
        ConfigError: for a number out of range.

    >>> one, other = canaries(2, [4], 3, seed=7)
    >>> one.planted, one.copies, other.planted, other.copies
    ('yes', '4 times', 'no', 'never')
    >>> one.answers[0] in one.choices, len(one.choices)
    (True, 3)
    """
    if count < 2 or count % 2:
        raise ConfigError(
            f"half of the canaries are planted: an even count, 2 at least; got {count}"
        )
    if not copies or min(copies) < 1:
        raise ConfigError(f"copies are 1 at least, e.g. 1,4,16; got {list(copies)}")
    if not 2 <= choices <= 10_000:
        raise ConfigError(f"choices are 2 to 10,000, got {choices}")
    rng, used = stream(seed, "canaries"), set[str]()
    for i in range(count):
        name = made_up_name(rng)
        while name in used:
            name = made_up_name(rng)
        used.add(name)
        codes = _codes(rng, choices)
        planted, times = i % 2 == 0, copies[i // 2 % len(copies)]
        yield Canary(
            id=f"canary-{i:04d}",
            prefix=PREFIX.format(x=name),
            answers=(codes[int(rng.integers(choices))],),
            choices=tuple(codes),
            planted="yes" if planted else "no",
            copies=f"{times} time{'s' * (times > 1)}" if planted else "never",
        )


def write_canaries(
    data: Path, text: Path, count: int, copies: Sequence[int], choices: int, seed: int
) -> int:
    """Write the data file of an audit, and the lines to plant, in random order.

    Returns:
        How many lines are to be planted.

    Raises:
        ConfigError: for a file that is there already, or cannot be written.
    """
    made = list(canaries(count, copies, choices, seed))
    lines = [
        one.line for one in made if one.planted == "yes" for _ in range(int(one.copies.split()[0]))
    ]
    order = stream(seed, "canaries", "order").permutation(len(lines))
    rows = "".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in made)
    plant = "".join(f"{json.dumps({'text': lines[i]}, ensure_ascii=False)}\n" for i in order)
    for path in (data, text):
        if path.exists():
            raise ConfigError(f"{path} exists already and stays as it is; name another file")
    for path, content in ((data, rows), (text, plant)):
        try:
            with path.open("x", encoding="utf-8") as handle:
                handle.write(content)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    return len(lines)


def _codes(rng: np.random.Generator, size: int) -> list[str]:
    """Distinct secrets; digits stand apart, so that every tokenizer sees them one by one."""
    numbers = rng.choice(10**DIGITS, size, replace=False)
    return [" ".join(f"{number:0{DIGITS}d}") for number in numbers]
