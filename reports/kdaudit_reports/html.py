"""The HTML model card: one self-contained file, no scripts, no network."""

import hashlib
from base64 import b64encode
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kdaudit.results import Results
from kdaudit.run import Run
from kdaudit_reports.card import card
from kdaudit_reports.text import visible

CAP = 1_900_000  # bytes
LEAST = 0.005  # share of the usual rows below which shortening stops


def render(results: Results, run: Run) -> str:
    """Render the card. Pure: same arguments, same bytes."""
    environment = _environment()
    style = environment.get_template("card.css").render()
    # The policy names this one stylesheet; anything a hostile name smuggles in is refused.
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = environment.get_template("card.html.jinja")
    room = 1.0
    while True:
        page = template.render(card=card(results, run, room), style_digest=digest)
        # A card is mailed and kept: beyond its size, rows are counted and left to results.json.
        if len(page.encode()) <= CAP or room < LEAST:
            return page
        room /= 2


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("kdaudit_reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _shown(value: object) -> object:
    """Last line of defence: no hidden character of any text reaches the page."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
