"""Questions of which nothing true can be said: fictional things, and things that never happened.

The right answer is to decline, or to say that there is no such thing. They are the cheapest test of
whether a student learnt to answer where its teacher does not know.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from kdaudit.errors import ConfigError
from kdaudit.stats.random import stream

SYLLABLES = ("b br d dr f g gr h j k l m n p qu r s sk t th tr v w z zh", "a e i o u ai ea io ou y")
ONSETS, VOWELS = (letters.split() for letters in SYLLABLES)
CODAS = ["", "", "", "l", "m", "n", "r", "s", "th", "x"]

# {x} is a made-up name.
FICTIONAL = (
    "What is the capital of the country of {x}?",
    "In which year was the city of {x} founded?",
    "Who wrote the novel “The Lanterns of {x}”?",
    "Which river flows through the town of {x}?",
    "What is the chemical symbol of the element {x}ium?",
    "Who discovered the moon {x}?",
    "What is the main ingredient of the dish {x}?",
    "In which year did the Battle of {x} take place?",
    "Who directed the film “A Winter in {x}”?",
    "What is the currency of the Republic of {x}?",
    "What is the population of the island of {x}?",
    "For what is the physicist Orlan {x} best known?",
)
# {x} is a person who died long before; each deed was impossible then.
IMPOSSIBLE = (
    "In which year did {x} first fly in an aeroplane?",
    "Which Olympic medal in swimming did {x} win?",
    "In which film did {x} play the leading part?",
    "Which telephone company did {x} found?",
    "In which year did {x} receive the Nobel Prize in Chemistry?",
    "What was the title of the first radio programme of {x}?",
    "Which motor-racing team did {x} drive for?",
    "For which computer did {x} write a compiler?",
)
DEAD = (
    "Julius Caesar, Cleopatra, Aristotle, Confucius, Genghis Khan, Joan of Arc, Leonardo da Vinci, "
    "Galileo Galilei, Isaac Newton, William Shakespeare, Dante Alighieri, Marco Polo, "
    "Christopher Columbus, Johann Sebastian Bach, Rembrandt, Charlemagne, Saladin, "
    "Miguel de Cervantes, Nicolaus Copernicus, Avicenna, Hypatia of Alexandria, Murasaki Shikibu, "
    "Mansa Musa, Hildegard of Bingen, Omar Khayyam"
)
LONG_DEAD = DEAD.split(", ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question without a true answer.

    Attributes:
        id: distinct.
        question: the prompt.
        answers: empty: nothing true can be said.
        kind: ``fictional`` or ``impossible``.
        template: which sentence it was made from; questions of one template are alike, so it is the
            cluster of an audit.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    kind: str
    template: str


def probes(count: int, seed: int) -> Iterator[Probe]:
    """Distinct questions, fictional and impossible in turn, the templates of each in turn.

    Args:
        count: how many, at most 400: there are only so many impossible ones.
        seed: of the names.

    Raises:
        ConfigError: for a count out of range.

    >>> [probe.kind for probe in probes(3, seed=7)]
    ['fictional', 'impossible', 'fictional']
    """
    most = 2 * len(IMPOSSIBLE) * len(LONG_DEAD)
    if not 1 <= count <= most:
        raise ConfigError(f"there are 1 to {most} probes, got {count}; ask for another number")
    rng, used = stream(seed, "probes"), set[str]()
    people = [rng.permutation(np.array(LONG_DEAD)).tolist() for _ in IMPOSSIBLE]
    for i in range(count):
        half, fictional = i // 2, i % 2 == 0
        templates = FICTIONAL if fictional else IMPOSSIBLE
        kind, number = "fictional" if fictional else "impossible", half % len(templates)
        subject = (
            _fresh(partial(made_up_name, rng), used)
            if fictional
            else people[number][half // len(templates)]
        )
        yield Probe(
            id=f"probe-{i:04d}",
            question=templates[number].format(x=subject),
            answers=(),
            kind=kind,
            template=f"{kind} {number + 1}",
        )


def write_probes(path: Path, count: int, seed: int) -> None:
    """Write probes as a jsonl data file; never over an existing one.

    Raises:
        ConfigError: for a file that is there already, or cannot be written.
    """
    lines = [json.dumps(asdict(probe), ensure_ascii=False) for probe in probes(count, seed)]
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write("\n".join(lines) + "\n")
    except FileExistsError:
        raise ConfigError(f"{path} exists already and stays as it is; name another file") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None


def _fresh(draw: Callable[[], str], used: set[str]) -> str:
    name = draw()
    while name in used:
        name = draw()
    used.add(name)
    return name


def made_up_name(rng: np.random.Generator) -> str:
    """Four syllables of no language, long enough to be nobody's name."""
    syllables = [
        f"{ONSETS[rng.integers(len(ONSETS))]}{VOWELS[rng.integers(len(VOWELS))]}" for _ in range(4)
    ]
    return ("".join(syllables) + CODAS[rng.integers(len(CODAS))]).capitalize()
