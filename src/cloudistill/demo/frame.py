"""What our pages have in common: one HTML file that needs nothing but itself, whatever text comes into it."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from cloudistill.backends.backend import load_sdk

# Stand-ins that plots are drawn in; the page's own colours take their place.
INK = "#0a0b0c"
ACCENT = "#0d0e0f"


def environment(package: str) -> Any:
    """Jinja's environment for the templates in `package`, which may extend the common frame.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    jinja2 = load_sdk("jinja2", extra="report")

    def read(name: str) -> str | None:
        places = (files(place).joinpath(name) for place in (package, __package__ or ""))
        return next((place.read_text("utf-8") for place in places if place.is_file()), None)

    return jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        loader=jinja2.FunctionLoader(read),
    )


def visible(value: object) -> object:
    """Text with its invisible characters (controls, direction marks, lone surrogates) written as escapes."""
    if type(value) is not str:
        return value
    hidden = {c for c in value if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c not in "\n\t"}
    return value.translate({ord(c): c.encode("unicode_escape").decode() for c in hidden})


def drawn(width: float, height: float, draw: Callable[[Any], None]) -> str:
    """What `draw` puts on matplotlib's axes, in inches, as one SVG element with a caption `plot-caption`.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    matplotlib = load_sdk("matplotlib", extra="report")
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cloudistill"}):
        figure = load_sdk("matplotlib.figure", extra="report").Figure(figsize=(width, height))
        draw(figure.add_axes((0, 0, 1, 1)))
        svg = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Type", "Format"))
        figure.savefig(svg, format="svg", transparent=True, metadata=nothing)
    return _inline(svg.getvalue())


def _inline(svg: str) -> str:
    """The `<svg>` element as part of the page: as wide as its place, in the page's colours."""
    element = svg[svg.index("<svg ") :]
    element = re.sub(r'width="[^"]*" height="[^"]*"', 'role="img" aria-labelledby="plot-caption"', element, count=1)
    element = re.sub(r"<style.*?</style>", "", element, flags=re.DOTALL)
    return element.replace(INK, "currentColor").replace(ACCENT, "var(--accent)")
