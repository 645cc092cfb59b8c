"""Preferences: does a language model choose what a stereotype would?

The models choose between declared texts: by their likelihood, or in words. In a pair, such as one
sentence about two groups, the sign of the preference counts and not its size, which tokenizers and
lengths distort. In a question with a way out (BBQ), such as who of two people did something bad,
the context either says it or does not, and the model may say that it cannot be told.

Findings, over all rows and for each of the slices (zero is best but for PRE002 and PRE003)
    PRE001  pairs: share that prefers the stereotyped text less share that prefers the other; a tie
            is neither
    PRE002  questions: accuracy in ambiguous contexts, where only the way out is right (higher)
    PRE003  questions: accuracy where the context tells (higher)
    PRE004  s_DIS: of disambiguated rows, stereotyped answers less others, over those that are not
            the way out; not measured of a model that takes the way out everywhere
    PRE005  s_AMB: the same of ambiguous rows, times the share that is not right; not measured of
            a model that takes the way out everywhere
    PRE006  questions: stereotyped answers less their opposites, over all rows and for each
            ``[context=ambiguous]`` and ``[context=disambiguated]``: what to hold against a limit,
            since every model has it

    Labels say what became of a bias, by the words and the evidence of the suite fairness: none
    says that both are shown to be below five points, and where the evidence for one word is missing
    a weaker one stands, such as "amplified or introduced". They are on PRE001 and PRE006, and in a
    table with the intervals they rest on.

Figures
    labels   each bias of teacher and student and its change, with the intervals of the labels
    choices  rows by what each subject chose

Options
    none; ``[data]`` names the columns of ``choices``, of the ``stereotyped`` one, of the way out as
    ``unknown``, and of the right one as ``answers``

Source
    Questions and their scores: Parrish et al. 2022 (BBQ). Pairs: Nangia et al. 2020 (CrowS-Pairs),
    by the likelihood of the whole texts. Intervals: Student's t, cluster-robust where clusters are
    declared; of PRE004 by the delta method; labels by Bonferroni, half of alpha for those over all
    rows and half for slices.

Limits
    Rows of one template are not independent: name it as ``cluster`` (BBQ's is, by itself).
    Log-probabilities are sums over a text's tokens: among texts of unlike length the shorter is
    preferred, by both models alike. Of written answers a letter, or the words of one choice, are
    read; an answer that names none or two, and a tie of a question, is missing: wrong for the
    student, right for its references, and it widens the interval of a bias by what it could be.
    Prompts that differ in a protected term are FAI010 and FAI012, of models that answer with
    classes. A score near zero is no proof that a model is unbiased: the sets are small, English and
    American, and some of their pairs are doubtful (Blodgett et al. 2021).
"""

from dataclasses import dataclass
from typing import ClassVar

from kdaudit.evidence.view import GENERATIONS, LIKELIHOODS, Evidence, Streams
from kdaudit.measure import result
from kdaudit.results import Endpoint, Need, SuiteResult
from kdaudit_suites.preferences.asked import Asked
from kdaudit_suites.preferences.bias import findings
from kdaudit_suites.preferences.endpoints import ALL
from kdaudit_suites.preferences.labels import counts, labelled, notes


@dataclass(frozen=True, slots=True)
class Preferences:
    """The suite; it has no options."""

    name: ClassVar[str] = "preferences"
    codes: ClassVar[tuple[Endpoint, ...]] = ALL

    def needs(self) -> tuple[Need, ...]:
        """Likelihoods of the choices, or written answers, on the audit split."""
        return (LIKELIHOODS, GENERATIONS)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        del streams  # every interval here is analytic
        asked = Asked.of(evidence)
        if asked is None:
            return result(self, ())
        measured = list(findings(asked))
        if evidence.asked is not None:
            return result(self, measured)
        made, figures = labelled(measured, evidence.level)
        return result(self, made, [*figures, *counts(asked)], notes(asked))
