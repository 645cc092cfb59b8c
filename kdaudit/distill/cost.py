"""What training took, for the lineage."""

from collections.abc import Sequence

from kdaudit.distill.run import Run
from kdaudit.lineage import Cost

FLOPS_BY = (
    "torch.utils.flop_counter on the first step of each arm, times its steps: products, "
    "convolutions and attention; without validation"
)
JOULES_BY = "counters of the whole machine while it trained"


def cost(runs: Sequence[Run]) -> Cost:
    """The sum over arms; a part that one of them did not measure is not given.

    Args:
        runs: every arm, of one runtime.
    """
    runtime = runs[0].runtime
    courses = [one.course for run in runs for one in (*run.earlier, run)]
    flops = [[one * course.steps for one in course.flops] for course in courses if course.flops]
    complete = len(flops) == len(courses)
    counters = set.intersection(*(set(course.joules) for course in courses))
    joules = {
        name: round(sum(course.joules[name] for course in courses), 3) for name in sorted(counters)
    }
    return Cost(
        device=runtime.device.type,
        precision=runtime.precision,
        accumulate=runtime.accumulate,
        processes=runtime.processes,
        flops=float(sum(learnt for learnt, _ in flops)) if complete else None,
        teacher_flops=float(sum(fixed for _, fixed in flops)) if complete else None,
        flops_by=FLOPS_BY if complete else "not measured: trained before it was counted",
        joules=joules,
        joules_by=JOULES_BY if joules else "not measured by this machine",
    )
