"""Where a prompt ends and its continuation begins."""


def continued(before: str, text: str) -> tuple[str, str]:
    r"""Split ``before`` and ``text``, as one text, into what is given and what is scored.

    A blank stands between them where neither side is white space and something stands before. White
    space at the border belongs to what is scored, since tokenizers join it with the word after it.

    >>> continued("The capital of France is", "Paris")
    ('The capital of France is', ' Paris')
    >>> continued("Answer:\n", "Paris")
    ('Answer:', '\nParis')
    >>> continued("", "Paris")
    ('', 'Paris')
    """
    given = before.rstrip()
    border = before[len(given) :]
    if before and not border and not text[:1].isspace():
        border = " "
    return given, border + text
