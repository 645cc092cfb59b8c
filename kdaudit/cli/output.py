"""Where a command's text goes: standard output, or a file that is whole or absent."""

from pathlib import Path

from kdaudit.cli.say import say
from kdaudit.errors import ConfigError


def write(text: str, out: Path | None) -> None:
    """Print, or write the file.

    Raises:
        ConfigError: for a folder.
    """
    from kdaudit.evidence.store import write_atomically

    if out is None:
        say(text, newline=False)
    elif out.is_dir():
        raise ConfigError(f"{out} is a folder; name a file to write, e.g. {out / 'card.html'}")
    else:
        write_atomically(out, text.encode())
