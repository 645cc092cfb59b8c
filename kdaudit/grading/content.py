"""What an answer says, apart from how: two texts with equal content say the same."""

from kdaudit.grading.abstention import declines
from kdaudit.grading.sentences import sentences
from kdaudit.grading.tokens import values

# Words that carry no answer.
WORDS = (
    "i you he she it we they his her its their my your our this that these those there here "
    "is are was were be been being am has have had do does did will would can could may might "
    "of in on at to by for from with as and or but if so than then also only just very well "
    "who whom whose which what when where why how answer question think believe say said "
    "known called named name sure yes no ok okay actually really probably likely perhaps"
)
EMPTY = frozenset(WORDS.split())


def content(text: str, prompt: str = "") -> str:
    """The words of the first sentence that answers: none of the question's, none without meaning.

    Args:
        text: what the model wrote.
        prompt: what it was asked; empty where that is not known.

    Returns:
        The words in order; empty where nothing is left to compare.

    >>> content("The capital of Atlantis is Poseidonis. It is old.", "What is Atlantis' capital?")
    'poseidonis'
    >>> content("Poseidonis")
    'poseidonis'
    """
    asked = frozenset(values(prompt))
    for sentence, _ in sentences(text):
        if declines(sentence):
            continue
        left = [word for word in values(sentence) if word not in EMPTY and word not in asked]
        if left:
            return " ".join(left)
    return ""
