"""Protected texts: models that can be asked here are shown how each begins, and may go on.

What they write stays in the store: neither the run folder nor the card gets any of it.
"""

from collections.abc import Mapping

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.data.frame import Frame
from kdaudit.data.prompt_table import PromptTable, prompts
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Generations, Likelihoods
from kdaudit.evidence.store import Store
from kdaudit.evidence.view import GENERATIONS, LIKELIHOODS, Evidence, Rows, Trio
from kdaudit.language.asking import Asking, Told, tell
from kdaudit.language.written import questions
from kdaudit.models.adapter import Decoding, Writer
from kdaudit.progress import Progress, silent
from kdaudit.subjects import Asked

LETTERS_PER_TOKEN = 2  # fewer than any usual tokenizer needs, so that no continuation is cut off


def protected(
    frame: Frame,
    asked: Mapping[Subject, Asked],
    *,
    level: float,
    store: Store | None,
    progress: Progress = silent,
) -> tuple[Evidence, dict[Subject, int]]:
    """What every subject makes of the protected texts.

    Args:
        frame: the texts.
        asked: the subjects.
        level: two-sided, of every interval.
        store: where answers are kept.
        progress: told what goes on.

    Returns:
        The evidence, and how many requests each subject was asked just now.
    """
    told: dict[Subject, Told | NotMeasured] = {
        who: _told(who, asked[who], frame, store, progress)
        if who in asked
        else NotMeasured("the audit has no baseline")
        for who in ORDER
    }
    n = len(frame)
    texts: dict[Subject, Generations | NotMeasured] = {}
    likely: dict[Subject, Likelihoods | NotMeasured] = {}
    for who, one in told.items():
        if isinstance(one, NotMeasured):
            texts[who] = likely[who] = one
            continue
        assert one.written is not None  # a continuation was asked for
        texts[who] = one.written
        likely[who] = one.likelihoods or NotMeasured("it tells no likelihoods of given texts")
    evidence = Evidence(
        rows=Rows(
            ids=frame.ids,
            label=np.full(n, -1, dtype=np.int64),
            classes=(),
            attributes=frame.attributes,
            slices=tuple((name,) for name in frame.attributes),
            questions=questions(frame),
        ),
        level=level,
        kinds={
            GENERATIONS: Trio(
                student=texts["student"], teacher=texts["teacher"], baseline=texts["baseline"]
            ),
            LIKELIHOODS: Trio(
                student=likely["student"], teacher=likely["teacher"], baseline=likely["baseline"]
            ),
        },
    )
    return evidence, {who: one.asked for who, one in told.items() if isinstance(one, Told)}


def beginnings(frame: Frame) -> Asking:
    """What a model is asked of protected texts: how each begins, as it stands."""
    assert frame.answers is not None
    longest = max(len(answer) for row in frame.answers for answer in row)
    return Asking(
        prompts=tuple(prompts(PromptTable(), frame.inputs, len(frame))),
        decodings=(Decoding(max_tokens=longest // LETTERS_PER_TOKEN + 1),),
        choices=frame.choices,
        classes=(),
        ids=frame.ids,
    )


def _told(
    who: Subject, one: Asked, frame: Frame, store: Store | None, progress: Progress
) -> Told | NotMeasured:
    model = one.opened.adapter
    if not isinstance(model, Writer) or store is None:
        return NotMeasured(
            f"{one.opened.name} is no language model that can be asked here, so it was not shown "
            "the protected texts"
        )
    asked = beginnings(frame)
    advance = progress(f"showing the {who} protected texts", asked.requests(model))
    return tell(model, asked, store=store, progress=advance)
