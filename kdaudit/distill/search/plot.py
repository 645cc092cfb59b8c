"""What validation says against parameters, of every trial: one HTML file, without script."""

import json
import math
from collections.abc import Iterator, Sequence
from html import escape

from kdaudit.distill.search.search import Found, Trial

WIDTH, HEIGHT, LEFT, BELOW, MARGIN = 720, 380, 64, 48, 16
MOST = 1000  # rows of the table
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --faint: #8a8a8a; --mark: #b3261e;
  --line: #1f5fa8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --faint: #8f8f8f; --mark: #ff8a80; --line: #8ab4f8; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--ink); }
.axis { stroke: var(--faint); } .front { stroke: var(--line); fill: none; stroke-width: 1.5; }
.dot { fill: var(--faint); } .on { fill: var(--line); } .best { fill: var(--mark); }
div { overflow-x: auto; } td { white-space: nowrap; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.15rem 0.8rem 0.15rem 0;
  border-bottom: 1px solid var(--faint); }
"""


def front(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that none beats: no other does at least as well with fewer parameters.

    From the smallest to the largest; of equals the first.
    """
    kept: list[Trial] = []
    for trial in sorted(
        _scored(trials), key=lambda t: (t.parameters or 0, -(t.measured or 0.0), t.draw)
    ):
        if not kept or (trial.measured or 0.0) > (kept[-1].measured or 0.0):
            kept.append(trial)
    return kept


def plot(found: Found) -> str:
    """The page."""
    title = f"Search of {found.recipe}"
    best = found.best
    pruned = sum(trial.value is None for trial in found.trials)
    lead = (
        f"{len(found.trials):,} trials, of which {pruned:,} were stopped early or have no score. "
        f"Best: trial {best.draw}, {found.score} {best.value:.4f}, on {found.validation:,} "
        f"{found.kind.unit}. It is the best of many on the {found.kind.unit} it was chosen by, so "
        "it is too good; the audit of the model distilled from it is not."
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n{_svg(found)}\n{_table(found)}\n"
        "</body></html>\n"
    )


def _scored(trials: Sequence[Trial]) -> list[Trial]:
    return [t for t in trials if t.value is not None and t.measured is not None and t.parameters]


def _svg(found: Found) -> str:
    shown, best, measure = _scored(found.trials), found.best, found.kind.own.name
    sizes = [float(t.parameters or 1) for t in shown]
    heights = [t.measured or 0.0 for t in shown]
    log = max(sizes) > 10 * min(sizes)
    across = _axis([math.log10(s) for s in sizes] if log else sizes)
    up = _axis(heights)

    def place(trial: Trial) -> tuple[float, float]:
        size = float(trial.parameters or 1)
        x = _share(math.log10(size) if log else size, across)
        y = _share(trial.measured or 0.0, up)
        return (
            LEFT + x * (WIDTH - LEFT - MARGIN),
            HEIGHT - BELOW - y * (HEIGHT - BELOW - MARGIN),
        )

    efficient = front(found.trials)
    named = {trial.draw for trial in efficient}
    path = _steps([place(trial) for trial in efficient], WIDTH - MARGIN)
    dots = "\n".join(
        f'<circle class="{_kind(t, best, named)}" cx="{x:.1f}" cy="{y:.1f}" '
        f'r="{6 if t.draw == best.draw else 4}"><title>{escape(said(t, measure))}</title></circle>'
        for t, (x, y) in ((t, place(t)) for t in shown)
    )
    base, right = HEIGHT - BELOW, WIDTH - MARGIN
    ends = [round(10**end) if log else round(end) for end in across]
    scale = ", logarithmic" if log else ""
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="t d">'
        f'<title id="t">{escape(measure.capitalize())} against number of parameters</title>'
        f'<desc id="d">{len(shown)} trials; the line steps up at the {len(efficient)} that '
        "no other trial beats in both; the best is marked.</desc>\n"
        f'<line class="axis" x1="{LEFT}" y1="{base}" x2="{right}" y2="{base}"/>'
        f'<line class="axis" x1="{LEFT}" y1="{MARGIN}" x2="{LEFT}" y2="{base}"/>\n'
        f'<polyline class="front" points="{path}"/>\n{dots}\n'
        f'<text x="{LEFT}" y="{base + 18}">{ends[0]:,}</text>'
        f'<text x="{right}" y="{base + 18}" text-anchor="end">{ends[1]:,}</text>'
        f'<text x="{(LEFT + right) / 2}" y="{base + 38}" text-anchor="middle">parameters{scale}'
        "</text>"
        f'<text x="{LEFT - 6}" y="{base}" text-anchor="end">{up[0]:.3f}</text>'
        f'<text x="{LEFT - 6}" y="{MARGIN + 10}" text-anchor="end">{up[1]:.3f}</text>'
        f'<text transform="translate(14 {base / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(measure)}</text></svg>"
    )


def _steps(places: Sequence[tuple[float, float]], right: float) -> str:
    """A line that goes on level until the next, since nothing lies between two trials."""
    ends = [*(x for x, _ in places[1:]), right]
    return " ".join(
        f"{x:.1f},{y:.1f} {end:.1f},{y:.1f}" for (x, y), end in zip(places, ends, strict=True)
    )


def _axis(values: Sequence[float]) -> tuple[float, float]:
    """Both ends, with a little air; never of no length."""
    low, high = min(values), max(values)
    air = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return low - air, high + air


def _share(value: float, axis: tuple[float, float]) -> float:
    return (value - axis[0]) / (axis[1] - axis[0])


def _kind(trial: Trial, best: Trial, efficient: set[int]) -> str:
    if trial.draw == best.draw:
        return "best"
    return "on" if trial.draw in efficient else "dot"


def said(trial: Trial, measure: str) -> str:
    """A trial that was measured, in words."""
    return f"trial {trial.draw}: {measure} {trial.measured:.4f}, {trial.parameters:,} parameters"


def _table(found: Found) -> str:
    fields = list(found.space)
    scores = dict.fromkeys((found.score, found.kind.own.name))  # often the same
    head = ["trial", *fields, *scores, "parameters", "ending"]
    ranked = sorted(
        found.trials, key=lambda t: (t.value is None, -(t.value or 0.0), t.parameters or 0, t.draw)
    )
    rows = "\n".join(
        f"<tr>{''.join(_cells(trial, fields, len(scores)))}</tr>" for trial in ranked[:MOST]
    )
    more = f"<p>and {len(ranked) - MOST:,} more</p>" if len(ranked) > MOST else ""
    named = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return (
        f"<div><table><thead><tr>{named}</tr></thead><tbody>\n{rows}\n</tbody></table></div>{more}"
    )


def _cells(trial: Trial, fields: Sequence[str], scores: int) -> Iterator[str]:
    values = [
        str(trial.draw),
        *(_value(trial.point.get(field)) for field in fields),
        *(
            "none" if score is None else f"{score:.4f}"
            for score in (trial.value, trial.measured)[:scores]
        ),
        "none" if trial.parameters is None else f"{trial.parameters:,}",
        trial.ending if not trial.unconverged else f"{trial.ending}; {trial.unconverged}",
    ]
    yield from (f"<td>{escape(value)}</td>" for value in values)


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)
