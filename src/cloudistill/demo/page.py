"""The demo's report: what was distilled on which platform, how well it answers, and a few answers to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cloudistill.core.job import RunStatus
from cloudistill.demo.frame import ACCENT, INK, drawn, environment

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
    pages = environment("cloudistill.demo")
    pages.filters.update(share=share, price=price)
    template = pages.get_template("page.html.j2")
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


def bars(results: Sequence[StudentResult]) -> str:
    """Each student's share of held-out answers exactly right, above its base's, as one SVG element."""
    return drawn(_WIDTH, _ROW * max(len(results), 1), lambda axes: _draw(axes, results))


def _draw(axes: Any, results: Sequence[StudentResult]) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1.3)
    axes.set_ylim(max(len(results), 1), 0)
    for row, result in enumerate(results):
        label = f"{result.platform}:{result.student}".encode("unicode_escape").decode()
        axes.text(0, row + 0.22, label, color=INK, weight="bold", size=9, parse_math=False)
        bars = (("student", result.call_right, ACCENT, 1), ("untuned base", result.base_call_right, INK, 0.35))
        for line, (who, right, color, alpha) in enumerate(bars):
            at, length = row + 0.42 + 0.28 * line, right / result.asked if result.asked else 0.0
            axes.barh(at, length, height=0.22, color=color, alpha=alpha)
            axes.text(length + 0.01, at, f"{share(right, result.asked)} {who}", color=INK, va="center", size=8)
