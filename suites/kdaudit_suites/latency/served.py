"""Requests that models served, as rows that can be measured like any others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Floats
from kdaudit.evidence.serving import OFFLINE, SCENARIOS, SINGLE, Serving, repeats
from kdaudit.evidence.view import SERVING, Evidence, Rows
from kdaudit.scores import Score, Scores, absence

Alike = Callable[[Serving, Serving], NotMeasured | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """What every subject made of the requests of one scenario.

    Attributes:
        scenario: which.
        of: by role; the requests of all are aligned.
        level: two-sided level of every interval.
    """

    scenario: str
    of: Mapping[Subject, Serving | NotMeasured]
    level: float

    @property
    def present(self) -> dict[Subject, Serving]:
        """Those that served."""
        return {who: one for who, one in self.of.items() if isinstance(one, Serving)}

    @property
    def complete(self) -> bool:
        """Whether everyone who served answered every request."""
        return all(bool(one.answered.all()) for one in self.present.values())

    @property
    def noisy(self) -> tuple[str, ...]:
        """Why the runs should not be trusted, each reason once."""
        return tuple(dict.fromkeys(why for one in self.present.values() for why in one.noisy))

    def requests(self) -> Evidence:
        """The requests as rows.

        Requests that wait in one queue, or run in one batch, depend on each other: their blocks are
        clusters. One after the other, each stands for itself, unless it was sent before.
        """
        one = next(iter(self.present.values()))
        single = self.scenario == SINGLE
        return Evidence(
            rows=Rows(
                ids=one.request,
                label=np.full(len(one), -1, dtype=np.int64),
                classes=(),
                cluster=repeats(one.request) if single else one.block,
            ),
            level=self.level,
        )

    def scores(self, value: Callable[[Serving], Floats | NotMeasured]) -> Scores:
        """A number per request as scores; a request without an answer is invalid.

        Numbers without a scale have no worst value that could stand in for a student's; the best,
        for its references, is 0.
        """
        return self.scores_of({who: value(one) for who, one in self.present.items()})

    def scores_of(self, values: Mapping[Subject, Floats | NotMeasured]) -> Scores:
        """The same from numbers by role, (R,) each, NaN without an answer."""
        known = {who: v for who, v in values.items() if not isinstance(v, NotMeasured)}
        most = max((float(np.nanmax(v, initial=0.0)) for v in known.values()), default=0.0)
        made: dict[Subject, Score | NotMeasured] = {}
        for who in ORDER:
            found = values.get(who, self.of[who])
            if isinstance(found, NotMeasured | Serving):
                made[who] = absence(found)
                continue
            lost = int(np.count_nonzero(np.isnan(found)))
            made[who] = (
                NotMeasured(
                    f"{lost} of {len(found)} requests have no answer of the student, and what such "
                    "an answer takes has no greatest value to put in its place"
                )
                if lost and who == "student"
                else Score(values=found, valid=~np.isnan(found), low=0.0, high=most)
            )
        return made


def scenarios(evidence: Evidence) -> dict[str, Served]:
    """The scenarios that a subject served, in their order; empty where nobody did."""
    trio = evidence[SERVING]
    found: dict[str, Served] = {}
    for name in SCENARIOS:
        of: dict[Subject, Serving | NotMeasured] = {}
        for who in ORDER:
            one = trio.of(who)
            if not isinstance(one, Serving):
                of[who] = absence(one)
                continue
            part = one.of(name)
            of[who] = (
                part if len(part) and part.answered.any() else NotMeasured(f"it served no {name}")
            )
        if any(isinstance(one, Serving) for one in of.values()):
            found[name] = Served(scenario=name, of=of, level=evidence.level)
    return found


def machine_time(one: Serving) -> Floats:
    """(R,) seconds of the machine that each request took; of a batch an equal share.

    It is what throughput and a price by the hour rest on. Under load a machine also waits.
    """
    if one.scenario[0] != OFFLINE:
        return one.last - one.sent
    seconds = np.full(len(one), np.nan)
    for code in np.unique(one.block):
        rows = np.flatnonzero((one.block == code) & one.answered)
        if len(rows):
            seconds[rows] = (one.last[rows].max() - one.scheduled[rows].min()) / len(rows)
    return seconds


def first_of(served: Mapping[str, Served], *names: str) -> Served | None:
    """The first of some scenarios that was served."""
    return next((served[name] for name in names if name in served), None)


def counted_alike(one: Serving, other: Serving) -> NotMeasured | None:
    """Why tokens of two models are not the same thing, or None where they are.

    The same prompts have the same number of tokens, up to a constant that a chat template adds,
    where the tokenizer is the same.
    """
    apart = one.tokens_in - other.tokens_in
    apart = apart[~np.isnan(apart)]
    if not len(apart) or np.ptp(one.tokens_in[~np.isnan(one.tokens_in)]) == 0:
        return NotMeasured(
            "nothing tells whether both count tokens alike: record tokens_in of prompts of unlike "
            "length, or compare bytes"
        )
    if np.ptp(apart) > 0:
        return NotMeasured(
            "their tokenizers differ: the same prompts have other numbers of tokens; compare bytes"
        )
    return None
