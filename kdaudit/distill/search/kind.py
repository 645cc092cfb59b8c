"""What a search needs of a kind of recipe: it knows neither rows nor text itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from kdaudit.distill.run import Run
from kdaudit.distill.search.table import Dimension
from kdaudit.evidence.store import Store
from kdaudit.lineage import Epoch
from kdaudit.progress import Progress

if TYPE_CHECKING:
    from kdaudit.distill.language.recipe import LanguageRecipe
    from kdaudit.distill.language.task import LanguageTask
    from kdaudit.distill.recipe import Recipe
    from kdaudit.distill.task import Task

R = TypeVar("R", bound="Recipe | LanguageRecipe")
T = TypeVar("T", bound="Task | LanguageTask")


class UnscoredError(Exception):
    """A trained model has no score here; its trial counts, and is never the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Generic[T]):
    """What a search maximises.

    Attributes:
        name: for people.
        rests_on: digests of whatever it depends on beside the model; part of the study's name.
        of: the score of one trained model, or `UnscoredError`.
    """

    name: str
    rests_on: Mapping[str, object]
    of: Callable[[T, Run], float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind(Generic[R, T]):
    """A kind of recipe, to a search.

    Attributes:
        table: of the whole recipe.
        usual: what is tried where a recipe names nothing.
        opened: given a recipe, its folder, the store and progress: reads what stays the same in all
            trials, and gives what makes the task of one of them.
        read: what of a recipe its task is made of; recipes alike in it can share one.
        run: trains one arm, as `kdaudit.distill.arms.run` does.
        own: how well a trained model does on validation; maximised where nothing else is asked for.
        seen: the same of one epoch, as far as its curve tells; the pruner looks at it.
        facts: of a task, everything a score rests on beside the recipe.
        unit: what the validation split is counted in.
    """

    table: type[R]
    usual: Callable[[R], dict[str, Dimension]]
    opened: Callable[[R, Path, Store, Progress], Callable[[R], T]]
    read: Callable[[R], object]
    run: Callable[..., Run]
    own: Score[T]
    seen: Callable[[Epoch], float]
    facts: Callable[[T], Mapping[str, object]]
    unit: str
