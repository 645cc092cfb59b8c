"""Names that other people wrote, as one line of a terminal."""


def printed(text: str) -> str:
    r"""Show what a terminal would obey, or not show, as escapes.

    >>> printed("web\x1b[2J\n東京")
    'web\\u001b[2J\\u000a東京'
    """
    return "".join(c if c.isprintable() else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
