"""Memorisation: which training texts can be got out of the student, and whose they are.

The rows are texts that the teacher was trained on: an input holds how each begins, ``answers`` how
it goes on. They are the rows of ``[data.protected]``, or with ``training_text = true`` the audited
rows themselves. Texts of the same kind that nobody was trained on, told by ``member``, are the
control: what a model writes for them too is common knowledge, and not memory.

Findings
    MEM001  verbatim extraction: the greedy continuation begins with the true one (lower is better);
            also of each slice, such as how often a text was repeated
    MEM002  approximate extraction: it is 90% the same, by letters to be changed (lower)
    MEM003  student-only extraction: the student extracts, the teacher does not (lower)
    MEM004  canary exposure: bits by which a planted secret stands out among its choices (lower);
            also of each slice
    MEM005  membership inference: area under the ROC curve of members against other texts, a finding
            per attack: loss, zlib, min-k, min-k++ (lower)
    MEM006  members found at a false-positive rate of 1%, per attack (lower)
    MEM007  inherited extraction: of the texts that the teacher extracts, those that the student
            extracts (lower)
    MEM008  extraction of texts that were not trained on, the control of MEM001 (lower)

Labels, in the notes of findings of the pair, by Holm over both
    introduced    the student extracts more texts than the teacher (MEM003); none where they are
                  shown to differ by less than one point, else inconclusive
    inherited     of what the teacher extracts the student extracts more than the baseline; without
                  a baseline, both extract more of the members than of other texts (MEM007)
    co-occurring  both extract a text, and nothing shows that it is for the teacher's sake

Figures
    transfer   training texts by who extracts them
    pair       what both extract, and the baseline does not; how far each goes on as the text does
    extracted  digests of the texts that the student extracts; no text is in the results or the card

Options
    training_text  the audited rows are the texts (default false: only those of [data.protected]);
                   the suite hallucination then runs only where the audit file names it
    member         a column of the texts' `slices` (or `sensitive`): yes for texts that were trained
                   on, no for others (default: all were)
    lowest         share of a text's tokens that Min-K% looks at (default 0.2)

Source
    Extraction: Carlini et al. 2021, 2023; approximate: Ippolito et al. 2022. Exposure: Carlini et
    al. 2019. Attacks: Yeom et al. 2018, Carlini et al. 2021, Shi et al. 2024 (Min-K%), Zhang et al.
    2025 (Min-K%++). Areas: DeLong et al. 1988; Tango 1998 for paired shares; Clopper and Pearson
    1934. The blind reader: Das et al. 2024.

Limits
    One prompt and the likeliest continuation: other prompts and samples extract more. None found of
    n still leaves a share up to 1 - 0.05^(1/n). A continuation that was cut off while it agreed
    with the text, or is missing, counts as extracted by the student and not by the teacher. Runs of
    white space count as one space. Choices that are equally likely count as exposed. Exposure ends
    at log2 of the number of choices; a secret that nobody learnt has 1.44 bits on average.
    Membership inference is not measured where a reader of the words alone does as well as every
    model; the interval of MEM006 holds at its threshold, which is itself estimated. A digest of a
    short text can be guessed.
"""

from dataclasses import dataclass
from typing import ClassVar

from kdaudit.estimate import NotMeasured
from kdaudit.evidence.view import GENERATIONS, LIKELIHOODS, Evidence, Streams
from kdaudit.measure import not_measured, result
from kdaudit.results import Endpoint, Need, SuiteResult
from kdaudit_suites.memorisation.endpoints import ALL
from kdaudit_suites.memorisation.exposure import exposure
from kdaudit_suites.memorisation.extraction import extracted, extraction
from kdaudit_suites.memorisation.membership import membership
from kdaudit_suites.memorisation.passages import Passages
from kdaudit_suites.memorisation.transfer import transfer

TWO_SETS = "training_text = true and [data.protected] name two sets of texts; keep one of them"


@dataclass(frozen=True, slots=True)
class Memorisation:
    """The suite and its options."""

    training_text: bool = False
    member: str | None = None
    lowest: float = 0.2

    name: ClassVar[str] = "memorisation"
    names_columns: ClassVar[tuple[str, ...]] = ("member",)
    codes: ClassVar[tuple[Endpoint, ...]] = ALL

    def __post_init__(self) -> None:
        if not 0 < self.lowest <= 1:
            raise ValueError(f"lowest is a share of the tokens, above 0, got {self.lowest}")

    @property
    def displaces(self) -> frozenset[str]:
        """Suites that would grade how a text goes on as the answer to a question."""
        return frozenset({"hallucination"} if self.training_text else ())

    def needs(self) -> tuple[Need, ...]:
        """Generated text and likelihoods, of the audited rows or of those that are protected."""
        return (GENERATIONS, LIKELIHOODS)

    def run(self, evidence: Evidence, streams: Streams) -> SuiteResult:
        """Measure; see the module's page. Nothing where no row is said to be training text."""
        texts = evidence.protected or (evidence if self.training_text else None)
        if texts is None:
            return result(self, ())
        passages = (
            NotMeasured(TWO_SETS)
            if self.training_text and evidence.protected is not None
            else Passages.of(texts, self.member)
        )
        if isinstance(passages, NotMeasured):
            return result(self, (not_measured(one, (), passages.reason) for one in ALL))
        found = extracted(passages)
        of_pair, figures, notes = transfer(passages, found)
        attacked, said = membership(passages, self.lowest, streams)
        findings = [*extraction(passages, found), *of_pair, *exposure(passages), *attacked]
        return result(self, findings, figures, (*notes, *said))
