"""Loss terms: each a mean over rows, times its weight, with its formula in words of mathematics."""

from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.objectives.hard import Hard
from kdaudit.distill.objectives.objective import Borrowed, Forward, Objective
from kdaudit.distill.objectives.soft import Soft
from kdaudit.distill.training.sources import STUDENT, TEACHER

__all__ = ["STUDENT", "TEACHER", "Borrowed", "Divergence", "Forward", "Hard", "Objective", "Soft"]
