"""Loss terms: each a mean over rows, times its weight, with its formula in words of mathematics."""

from kdaudit.distill.objectives.divergence import Divergence
from kdaudit.distill.objectives.hard import Hard
from kdaudit.distill.objectives.objective import STUDENT, Forward, Objective
from kdaudit.distill.objectives.soft import Soft

__all__ = ["STUDENT", "Divergence", "Forward", "Hard", "Objective", "Soft"]
