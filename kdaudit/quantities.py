"""Named quantities with their intervals, as a table among a suite's figures."""

from collections.abc import Iterable

from kdaudit.estimate import Estimate, Measurement
from kdaudit.results import Figure

Quantity = tuple[str, Measurement]


def quantities(name: str, title: str, measured: Iterable[Quantity]) -> Figure:
    """A row per quantity: value, interval, rows and method, or the reason why there is none.

    Args:
        name: of the figure.
        title: what the quantities are of; each interval holds by itself.
        measured: in order.

    >>> from kdaudit.estimate import NotMeasured
    >>> quantities("pair", "The pair", [("net change", NotMeasured("no rows"))]).rows
    (('net change', None, None, None, None, 'no rows'),)
    """
    return Figure(
        name=name,
        chart="table",
        title=title,
        columns=("quantity", "value", "low", "high", "rows", "method"),
        rows=tuple(
            (what, one.value, one.low, one.high, one.n, one.method)
            if isinstance(one, Estimate)
            else (what, None, None, None, None, one.reason)
            for what, one in measured
        ),
    )
