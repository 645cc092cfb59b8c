"""What became of a bias between teacher and student: labels from three intervals."""

from kdaudit.estimate import Estimate

NEGLIGIBLE = 0.05  # contrasts shown to be smaller than this are called none


def transfer(teacher: Estimate, student: Estimate, change: Estimate) -> str:
    """What happened to a contrast between teacher and student.

    From three intervals: whether the teacher's and the student's exclude zero, and on which side
    of zero their difference lies.

    >>> def interval(low, high):
    ...     return Estimate(value=low, low=low, high=high, n=99, level=0.95, method="t")
    >>> transfer(interval(0.1, 0.2), interval(0.2, 0.4), interval(0.05, 0.25))
    'amplified'
    >>> transfer(interval(0.1, 0.2), interval(-0.1, 0.1), interval(-0.2, -0.05))
    'repaired'
    """
    had, has, moved = sign(teacher), sign(student), sign(change)
    if had and has:
        if had != has:
            return "reversed"
        return {had: "amplified", -had: "attenuated"}.get(moved, "inherited")
    if had:
        return "repaired" if moved == -had else "inconclusive"
    if has:
        return "introduced" if moved == has else "inconclusive"
    furthest = max(abs(end) for e in (student, teacher) for end in (e.low, e.high))
    return "none" if not moved and furthest <= NEGLIGIBLE else "inconclusive"


def sign(estimate: Estimate) -> int:
    """On which side of zero the interval lies; 0 where it holds zero."""
    return int(estimate.low > 0) - int(estimate.high < 0)
