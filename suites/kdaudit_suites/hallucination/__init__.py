"""Hallucination: does the student claim to know what it does not?

A model hallucinates when it answers what it should have left alone: with a wrong answer, or with
any answer where there is none. Distilled students learn to answer where the teacher abstained. A
student that guesses more raises both the incorrect and the correct rate, so read them together.

The suite looks at classes, or, where the subjects wrote text, at that; and at how likely they hold
the declared choices of a row.

Findings, of classes and of text
    HAL001  incorrect rate: in-scope, answerable rows answered wrongly (lower is better)
    HAL002  correct rate: in-scope, answerable rows answered rightly (higher); of text also
            ``HAL001[grader=corrected]`` and HAL002's, where people graded a part
Findings of classes
    HAL003  out-of-scope claims: share of out-of-scope rows that are answered at all (lower)
Findings of text
    HAL004  not attempted: answerable rows that are declined (lower)
    HAL005  abstention lost: of rows that the teacher declines, those the student answers (lower)
    HAL006  copied hallucinations: of the rows that the teacher gets wrong, those where the student
            says the same wrong thing (lower)
    HAL007  unanswerable rows, of which nothing true can be said, that are answered (lower)
    HAL008  truncated answers: ended at the limit of tokens (lower)
    HAL009  of the rows with a source, answers with a number, date, name, quote or address that the
            source does not hold (lower)
    HAL010  points: 1 for a right answer, 0 for none, -t/(1 - t) for a wrong one, a finding per
            threshold t (higher)
    HAL011  introduced hallucinations: rows that the student hallucinates and the teacher does not
            (lower)
Findings of choices
    HAL012  MC1: a true choice is likelier than every false one; a tie is not (higher)
    HAL013  MC2: share of the choices' probability that the true ones have (higher)

Labels, in the notes of findings of the pair, by Holm over all of them
    hallucination transfer  introduced (HAL011: more new ones than repaired), repaired, none (shown
                            to differ by less than five points) or inconclusive
    abstention transfer     lost (HAL005: the student attempts more than the teacher), none (shown
                            likewise) or inconclusive
    content transfer        inherited (HAL006: more often the same wrong content than by chance),
                            co-occurring, which hard questions explain, or inconclusive

Figures
    transfer  rows by what the teacher and the student did
    pair      inherited, introduced, repaired and lost, each with its interval; relative risk, phi
              and kappa of hallucinating together
    repeats   how far repeated answers agree: the teacher with itself, the ceiling of any student
    grader    what the grader says less what people say, for each subject
    examples  ids and texts of introduced hallucinations, where the option ``examples`` asks

Options
    abstain_below  a row is not attempted when its confidence is below this (classes; default 0.5)
    thresholds     t of HAL010 (default 0.5, 0.75, 0.9)
    question_type  a column of `slices` or `sensitive`, within whose values chance is reckoned
                   (default: by what the answer is: a number, a date, words, nothing)
    examples       how many introduced hallucinations to show with their texts (default 0: none;
                   texts then stand in the results and on the card)

Source
    Correct, incorrect, not attempted: the three outcomes of SimpleQA (Wei et al. 2024). Tango 1998
    for the paired differences; McNemar 1947. Points: Kalai et al. 2025. Chance of equal content:
    Everitt 1968, and deals at random. Entropy of meanings: Farquhar et al. 2024. Correction by
    people's grades: Angelopoulos et al. 2023. MC1 and MC2: Lin et al. 2022.

Limits
    Of classes: abstention is by confidence, or by answering the out-of-scope label itself; a
    subject that gives labels only never abstains otherwise. With two classes confidence is never
    below 0.5: raise ``abstain_below`` to let it abstain. Without ``out_of_scope`` under ``[data]``
    HAL003 is not measured. A missing answer counts as a claim, and as incorrect, for the student.
    Of text: grades are by rule, from English word lists, and err differently for different models;
    have people grade a random part. An answer that names the truth among others is correct, but
    for one text that many questions are answered with and that names several truths of theirs. That
    counts as missing, as does a text without a letter or digit, and one that is cut off before its
    first sentence ends; HAL008 counts those. Content is compared by words, so copying in other
    words is not found. HAL009 finds no false statement that is made of the source's own numbers and
    names.
    Of choices: a choice is true where it is one of the row's ``answers``; rows of which none or all
    are true are not asked, and counted. Log-probabilities are sums over a choice's tokens, so that
    models with other tokenizers can be compared; a longer choice is less likely for its length
    alone, for both models alike. A choice without log-probability makes its row the worst for the
    student and the best for its references.
"""

from dataclasses import dataclass
from typing import ClassVar

from kdaudit.evidence.view import (
    GENERATIONS,
    GRADES,
    LIKELIHOODS,
    PREDICTIONS,
    Evidence,
    Streams,
)
from kdaudit.measure import result
from kdaudit.results import Endpoint, Figure, Finding, Need, SuiteResult
from kdaudit_suites.hallucination.choices import multiple_choice
from kdaudit_suites.hallucination.claims import of_classifiers
from kdaudit_suites.hallucination.copied import copied
from kdaudit_suites.hallucination.corrected import corrected
from kdaudit_suites.hallucination.endpoints import (
    HAL001,
    HAL002,
    HAL003,
    HAL004,
    HAL005,
    HAL006,
    HAL007,
    HAL008,
    HAL009,
    HAL010,
    HAL011,
    HAL012,
    HAL013,
)
from kdaudit_suites.hallucination.examples import introduced
from kdaudit_suites.hallucination.graded import Graded
from kdaudit_suites.hallucination.grounded import grounded
from kdaudit_suites.hallucination.rates import rates
from kdaudit_suites.hallucination.samples import samples
from kdaudit_suites.hallucination.transfer import transfer


@dataclass(frozen=True, slots=True)
class Hallucination:
    """The suite and its options."""

    abstain_below: float = 0.5
    thresholds: tuple[float, ...] = (0.5, 0.75, 0.9)
    question_type: str | None = None
    examples: int = 0

    name: ClassVar[str] = "hallucination"
    names_columns: ClassVar[tuple[str, ...]] = ("question_type",)
    codes: ClassVar[tuple[Endpoint, ...]] = (
        HAL001,
        HAL002,
        HAL003,
        HAL004,
        HAL005,
        HAL006,
        HAL007,
        HAL008,
        HAL009,
        HAL010,
        HAL011,
        HAL012,
        HAL013,
    )

    def __post_init__(self) -> None:
        if not 0 <= self.abstain_below <= 1:
            raise ValueError(f"abstain_below is a probability, got {self.abstain_below}")
        for threshold in self.thresholds:
            if not 0 <= threshold < 1:
                raise ValueError(f"thresholds are at least 0 and below 1, got {threshold}")
        if self.examples < 0:
            raise ValueError(f"examples is a number of rows, got {self.examples}")

    def needs(self) -> tuple[Need, ...]:
        """Predictions, generated text with its grades, or likelihoods, on the audit split."""
        return (PREDICTIONS, GENERATIONS, GRADES, LIKELIHOODS)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page."""
        chosen, graded = multiple_choice(evidence), Graded.of(evidence)
        if graded is not None:
            return self._of_text(graded, streams, chosen)
        findings, figures = of_classifiers(evidence, self.abstain_below)
        return result(self, [*findings, *chosen], figures)

    def _of_text(self, graded: Graded, streams: Streams, chosen: list[Finding]) -> SuiteResult:
        of_answers = list(rates(graded, self.thresholds))
        truncated = next(one for one in of_answers if one.code == HAL008.code)
        of_pair = transfer(graded, copied(graded, streams, self.question_type), truncated)
        by_people, of_grader, notes = corrected(graded)
        findings = [*of_answers, *of_pair.findings, *by_people, *grounded(graded), *chosen]
        figures: list[Figure] = [*of_pair.figures, *samples(graded), *of_grader]
        figures += introduced(graded, self.examples)
        return result(self, findings, figures, (*of_pair.notes, *notes))
