"""What each model weighs: counted, not estimated."""

from collections.abc import Iterator

from kdaudit.basis import ORDER, Subject
from kdaudit.estimate import Measurement, NotMeasured
from kdaudit.evidence.kinds import Timings
from kdaudit.measure import counted, not_measured
from kdaudit.results import Endpoint, Figure, Finding, Fixed
from kdaudit_suites.latency.endpoints import LAT003, LAT004, LAT006

NOTHING_TO_LOAD = (
    "it takes a model to load, of the teacher and of the student (language models: where [serving] "
    "has them timed); recorded answers have no size, memory or weights"
)
WEIGHTS = {
    LAT003: ("bytes", "bytes counted", ""),
    LAT004: (
        "peak_memory",
        "high-water mark of one process",
        "read once, in one process; launches differ by a fraction of a percent",
    ),
    LAT006: ("parameters", "weights counted", ""),
}


def weights(timings: Timings | None) -> Iterator[Finding]:
    """LAT003, LAT004 and LAT006."""
    for endpoint in WEIGHTS:
        if timings is None or not timings.footprints:
            yield not_measured(endpoint, (), NOTHING_TO_LOAD)
        else:
            yield _weight(timings, endpoint)


def _weight(timings: Timings, endpoint: Endpoint) -> Finding:
    name, method, note = WEIGHTS[endpoint]
    values: dict[Subject, Measurement] = {}
    for role in ORDER:
        footprint = timings.footprints.get(role)
        value = None if footprint is None else getattr(footprint, name)
        values[role] = (
            NotMeasured(f"the {endpoint.metric} of the {role} is not known")
            if value is None
            else counted(float(value), 1, method)
        )
    student, teacher = values["student"], values["teacher"]
    return endpoint.finding(
        student=student,
        teacher=teacher,
        baseline=values["baseline"],
        difference=_minus(student, teacher, method),
        basis=student
        if isinstance(student, NotMeasured)
        else Fixed(level=1.0, baseline=_minus(student, values["baseline"], method)),
        note="" if isinstance(student, NotMeasured) else note,
    )


def _minus(student: Measurement, other: Measurement, method: str) -> Measurement:
    if isinstance(student, NotMeasured):
        return student
    if isinstance(other, NotMeasured):
        return other
    return counted(student.value - other.value, 1, method)


def footprint_table(timings: Timings) -> Figure:
    """What each model weighs, as a table."""
    return Figure(
        name="footprint",
        chart="table",
        title="What each model weighs",
        columns=("subject", "parameters", "bytes", "peak memory", "memory before loading"),
        rows=tuple(
            (role, found.parameters, found.bytes, found.peak_memory, found.base_memory)
            for role in ORDER
            if (found := timings.footprints.get(role)) is not None
        ),
    )
