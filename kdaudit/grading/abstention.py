"""Whether a text declines to answer: a lexicon of English phrases.

It is precise rather than complete: a phrase it does not know reads as an answer, so abstention is
missed before it is invented. How often it errs is measured by people's labels
(`kdaudit.stats.ppi`).
"""

import re


def _any_of(lines: str) -> re.Pattern[str]:
    """One pattern a line; any of them."""
    return re.compile("|".join(line.strip() for line in lines.strip().splitlines()))


_HAVING = r"(?:information|knowledge|data|details|records?|answers?|evidence|context|idea|access)"
_NOT = r"(?:do not|don't|dont|did not|didn't)"
_CANNOT = r"(?: can ?not| can't| cant| could not| couldn't| am (?:unable|not able) to|'m unable to)"
_SOURCE = r"(?:text|passage|context|source|article|document)"
_ADVERB = r"(?:\w+ly )?"

DECLINING = _any_of(
    rf"""
    \bi {_ADVERB}{_NOT} {_ADVERB}(?:know|recall|remember)\b
    \bi(?:'m| am) {_ADVERB}not {_ADVERB}(?:sure|certain|aware|familiar)\b
    \bi(?:'m| am) {_ADVERB}(?:unsure|uncertain|unaware|unfamiliar)\b
    \b(?:i|we){_CANNOT} {_ADVERB}(?:answer|say|tell|find|confirm|verify|determine|provide|give)\b
    \b(?:i|we){_CANNOT} {_ADVERB}(?:recall|identify|help|assist|be (?:sure|certain))\b
    \bi {_NOT} have (?:\w+ ){{0,3}}{_HAVING}\b
    \bi have no (?:\w+ ){{0,2}}{_HAVING}\b
    \bi(?:'d| would) rather not\b
    \b(?:no idea|not known|unknown to me|beats me|idk)\b
    \b(?:is|are|was|were|remains?|it's|that's) (?:currently |still )?(?:unknown|unclear)\b
    \b(?:is|are|was|were|it's|that's) not {_ADVERB}(?:known|clear|documented|recorded)\b
    \b(?:is|it's|that's) impossible to (?:say|know|tell|determine)\b
    \b(?:not enough|insufficient|no available|no reliable) {_HAVING}\b
    \bthere (?:is|was|are) (?:no|not enough|insufficient) (?:\w+ ){{0,2}}{_HAVING}\b
    \b(?:can ?not|can't) be {_ADVERB}(?:answered|determined|known|verified|said)\b
    \b{_SOURCE} (?:does not|doesn't) {_ADVERB}(?:say|mention|state|give|specify|provide|contain)\b
    ^\W*(?:unknown|unsure|uncertain|n/a|none|no answer|unanswerable)\W*$
    ^\W*not (?:sure|known|certain|specified|stated|mentioned|given|available|applicable)\W*$
    """
)
DENYING = _any_of(
    rf"""
    \b(?:does|did|do)(?: not|n't) (?:actually |really )?exist\b
    \b(?:is|was|are|were|be) (?:an? )?{_ADVERB}(?:fictional|fictitious|imaginary|mythical)\b
    \b(?:is|was|are|were|be) (?:an? )?{_ADVERB}(?:made[- ]up|invented|hypothetical|non-?existent)\b
    \b(?:is|was|are|were)(?: not|n't) (?:an? )?(?:real|known|recogni[sz]ed|actual)\b
    \bno such\b
    \bthere (?:is|was|are|were|has been|have been) (?:no|never|not)\b
    \bnever (?:\w+ed|been|won|took|went|met|wrote|held|sang|flew|made|saw)\b
    \bdid(?: not|n't) {_ADVERB}(?:happen|take place|occur|win|receive|play|write|meet|travel|fly)\b
    \bdid(?: not|n't) {_ADVERB}(?:invent|visit|direct|record|compete|live|appear|use|drive|attend)\b
    \b(?:false|incorrect|mistaken|wrong|flawed) (?:premise|assumption)\b
    \bbefore .{{1,40}}\b(?:existed|was invented|were invented|was founded)\b
    \b(?:lived|died) (?:\w+ ){{0,3}}(?:before|centuries)\b
    """
)


def declines(text: str) -> bool:
    """Whether the text says that it gives no answer.

    >>> [declines(t) for t in ("I'm not sure, sorry.", "Unknown.", "Nobody knows Paris better.")]
    [True, True, False]
    """
    return DECLINING.search(_plain(text)) is not None


def denies(text: str) -> bool:
    """Whether the text rejects what the question takes for granted.

    >>> [denies(t) for t in ("There is no such country.", "Newton never played football.", "1912")]
    [True, True, False]
    """
    return DENYING.search(_plain(text)) is not None


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("’", "'").split())
