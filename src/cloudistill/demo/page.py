"""The demo's report: one HTML page that needs nothing but itself, whatever text the models put into it."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from cloudistill.backends.backend import load_sdk
from cloudistill.core.job import RunStatus

# Stand-ins that the plot is drawn in; the page's own colours take their place.
_INK = "#0a0b0c"
_ACCENT = "#0d0e0f"
_WIDTH, _ROW = 5.5, 0.75
_CENTS_SUFFICE_FROM = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentResult:
    """What became of one student: `student` is the vendor's id of the model that was tuned.

    Counts are of held-out questions; prices are estimates of the training job in USD, None if not known.
    `call_right` counts answers whose tools and arguments are all right (or that call none where none fits),
    `tool_right` those whose tools are. `vendor_minutes` is how long the job took by the vendor's clock.
    """

    platform: str
    student: str
    run: str
    native_status: str
    status: RunStatus
    price_low: float | None
    price_high: float | None
    asked: int
    tool_right: int
    call_right: int
    base_tool_right: int
    base_call_right: int
    vendor_minutes: float | None = None
    ends: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleAnswer:
    """One held-out question, the right answer, what each student said, and which of them were right.

    Students are named as in `StudentResult.student`.
    """

    question: str
    expected: str
    answers: Mapping[str, str]
    right: frozenset[str]


def render(
    results: Sequence[StudentResult], *, title: str, notes: Sequence[str], samples: Sequence[SampleAnswer] = ()
) -> str:
    """The page as HTML. `notes` say, a paragraph each, what was emulated and what that does not show.

    Raises:
        MissingExtra: matplotlib or jinja2 is not installed.
    """
    jinja2 = load_sdk("jinja2", extra="report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=visible, trim_blocks=True
    )
    environment.filters.update(share=share, price=price)
    template = environment.from_string(files("cloudistill.demo").joinpath("page.html.j2").read_text("utf-8"))
    page: str = template.render(
        title=title, headline=headline(results), results=results, plot=bars(results), samples=samples, notes=notes
    )
    return page


def headline(results: Sequence[StudentResult]) -> str:
    """The outcome in one sentence."""
    asked = [result for result in results if result.asked]
    if not asked:
        return "No student was asked anything."
    most = max(result.call_right / result.asked for result in asked)
    best = [result for result in asked if result.call_right / result.asked == most]
    if len(best) > 1:
        names = ", ".join(f"{result.student} on {result.platform}" for result in best)
        return (
            f"{len(best)} of {len(results)} students, {names}, gave {most:.0%} of their held-out answers exactly right."
        )
    (one,) = best
    return (
        f"The best of {len(results)} student{'s' * (len(results) != 1)}, {one.student} on {one.platform}, gave "
        f"{one.call_right} of {one.asked} held-out answers exactly right; its untuned base: {one.base_call_right}."
    )


def share(right: int, asked: int) -> str:
    """`right` of `asked` as a whole percentage; a dash if nothing was asked."""
    return f"{right / asked:.0%}" if asked else "-"


def price(low: float | None, high: float | None) -> str:
    """A price range in USD; small sums keep their first digits."""
    if low is None or high is None:
        return "not known"
    digits = 2 if high >= _CENTS_SUFFICE_FROM else 4
    return f"${low:.{digits}f} to ${high:.{digits}f}" if low != high else f"${low:.{digits}f}"


def visible(value: object) -> object:
    """Text with its invisible characters (controls, direction marks, lone surrogates) written as escapes."""
    if type(value) is not str:
        return value
    hidden = {c for c in value if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c not in "\n\t"}
    return value.translate({ord(c): c.encode("unicode_escape").decode() for c in hidden})


def bars(results: Sequence[StudentResult]) -> str:
    """Each student's share of held-out answers exactly right, above its base's, as one SVG element."""
    matplotlib = load_sdk("matplotlib", extra="report")
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cloudistill"}):
        figure = load_sdk("matplotlib.figure", extra="report").Figure(figsize=(_WIDTH, _ROW * max(len(results), 1)))
        axes = figure.add_axes((0, 0, 1, 1))
        _draw(axes, results)
        svg = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Type", "Format"))
        figure.savefig(svg, format="svg", transparent=True, metadata=nothing)
    return _inline(svg.getvalue())


def _draw(axes: Any, results: Sequence[StudentResult]) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1.3)
    axes.set_ylim(max(len(results), 1), 0)
    for row, result in enumerate(results):
        label = f"{result.platform}:{result.student}".encode("unicode_escape").decode()
        axes.text(0, row + 0.22, label, color=_INK, weight="bold", size=9, parse_math=False)
        bars = (("student", result.call_right, _ACCENT, 1), ("untuned base", result.base_call_right, _INK, 0.35))
        for line, (who, right, color, alpha) in enumerate(bars):
            at, length = row + 0.42 + 0.28 * line, right / result.asked if result.asked else 0.0
            axes.barh(at, length, height=0.22, color=color, alpha=alpha)
            axes.text(length + 0.01, at, f"{share(right, result.asked)} {who}", color=_INK, va="center", size=8)


def _inline(svg: str) -> str:
    """The `<svg>` element as part of the page: as wide as its place, in the page's colours."""
    element = svg[svg.index("<svg ") :]
    element = re.sub(r'width="[^"]*" height="[^"]*"', 'role="img" aria-labelledby="plot-caption"', element, count=1)
    element = re.sub(r"<style.*?</style>", "", element, flags=re.DOTALL)
    return element.replace(_INK, "currentColor").replace(_ACCENT, "var(--accent)")
