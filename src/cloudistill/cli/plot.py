"""A curve in a terminal: braille dots, eight to a character, between the extremes it names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_EMPTY = 0x2800


def curve(points: Sequence[Point], *, width: int = 60, height: int = 6) -> list[str]:
    """The lines of a plot of (x, y) points in the order of x, joined; y's extremes stand beside it. None give none."""
    if not points:
        return []
    (first, last), (low, high) = (points[0][0], points[-1][0]), _span(points)
    cells = [[_EMPTY] * width for _ in range(height)]
    across, down = 2 * width - 1, 4 * height - 1

    def dot(x: float, y: float) -> None:
        column = round((x - first) / (last - first or 1) * across)
        row = round((high - y) / (high - low or 1) * down)
        cells[row // 4][column // 2] |= _DOTS[row % 4][column % 2]

    for x, y in _joined(points, across):
        dot(x, y)
    labels = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"]
    margin = max(map(len, labels))
    return [f"{label:>{margin}} {''.join(map(chr, row))}" for label, row in zip(labels, cells, strict=True)]


def _span(points: Sequence[Point]) -> tuple[float, float]:
    heights = [y for _, y in points]
    return min(heights), max(heights)


def _joined(points: Sequence[Point], steps: int) -> list[Point]:
    """The points, and between two of them as many more as there are dots to cross."""
    if len(points) > steps:
        return list(points)
    between = [
        (x + (x_next - x) * part / steps, y + (y_next - y) * part / steps)
        for (x, y), (x_next, y_next) in pairwise(points)
        for part in range(steps)
    ]
    return [*between, points[-1]]


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most so many of the points, in their order: of each stretch the lowest and the highest."""
    if len(points) <= most:
        return list(points)
    stretches = most // 2
    ends = [len(points) * number // stretches for number in range(stretches + 1)]
    kept = list[Point]()
    for begin, end in pairwise(ends):
        stretch = range(begin, end)
        extremes = {choose(stretch, key=lambda number: points[number][1]) for choose in (min, max)}
        kept += (points[number] for number in sorted(extremes))
    return kept
