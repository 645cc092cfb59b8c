"""What a method comes to: loss terms, whoever learns beside the student, and a source of rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kdaudit.distill.objectives import Objective
from kdaudit.distill.training.learner import Learner
from kdaudit.distill.training.sources import STUDENT, Source, Stored


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preset:
    """A method set up for the models at hand.

    Attributes:
        terms: loss terms.
        learners: participants beside the student and the teachers. One that a term trains and that
            brings no optimiser gets the recipe's.
        source: makes the arm's source from the one that goes through its rows; None to keep that.
        facts: what the trained weights depend on and neither formulas, rows, first weights nor
            rules of following tell, such as the options of a source: it becomes part of the key
            under which the run is stored.
        said: for the lineage, what a formula cannot say: where rows or the past come from.
    """

    terms: tuple[Objective, ...]
    learners: tuple[Learner, ...] = ()
    source: Callable[[Stored], Source] | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    @property
    def formula(self) -> str:
        """What the student minimises, then what each of the others does by its name."""
        sums: dict[str, list[str]] = {}
        for term in self.terms:
            sums.setdefault(term.trains[0], []).append(term.formula)
        parts = [
            ("" if name == STUDENT else f"{name}: ") + " + ".join(own) for name, own in sums.items()
        ]
        return "; ".join([*parts, *self.said])
