"""The key of a server: read from the environment when it is needed, and never shown."""

import os
from dataclasses import dataclass, field
from typing import Self

from kdaudit.errors import ConfigError
from kdaudit.models.endpoint.settings import VARIABLE

MOST = 300  # letters of what a server said


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and the environment variable it came from."""

    name: str
    value: str = field(repr=False)

    @classmethod
    def read(cls, name: str) -> Self:
        """Read it.

        Raises:
            ConfigError: where the variable is not set, or holds what is no key.
        """
        value = os.environ.get(name, "").strip()
        if not value:
            raise ConfigError(
                f"api_key_env: the environment variable {name} is not set; set it to the key"
            )
        # A letter that may not stand in a header would be shown by the error it causes.
        if not all("!" <= letter <= "~" for letter in value):
            raise ConfigError(
                f"api_key_env: the environment variable {name} holds spaces or letters that no key "
                "has; set it to the key alone"
            )
        return cls(name, value)


def checked(name: str | None) -> str | None:
    """The name of an environment variable.

    Raises:
        ConfigError: for another name, which is not repeated: it may be the key itself.
    """
    if name is not None and not (isinstance(name, str) and VARIABLE.fullmatch(name)):
        raise ConfigError(
            "api_key_env names an environment variable, in capitals, such as MY_KEY; the key "
            "itself is never written into a file"
        )
    return name


def cleaned(text: str, key: Key | None) -> str:
    r"""What a server said, fit to be printed: one line, no control letters, no key.

    >>> cleaned("wrong\x1b[2J key: abc", Key("MY_KEY", "abc"))
    'wrong [2J key: [key]'
    """
    if key is not None:
        text = text.replace(key.value, "[key]")
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MOST]).split())
    return line if len(line) <= MOST else f"{line[:MOST]}…"
