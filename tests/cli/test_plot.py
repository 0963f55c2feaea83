"""A curve in a terminal: as high and wide as asked, from the highest to the lowest, however few its points."""

from __future__ import annotations

import time

import pytest

from cloudistill.cli.plot import curve, thinned


def test_no_points_draw_nothing() -> None:
    assert curve([]) == []


@pytest.mark.parametrize("points", [[(1.0, 2.0)], [(1.0, 2.0), (2.0, 2.0)], [(n, 1 / n) for n in range(1, 999)]])
def test_a_curve_has_the_size_that_was_asked_for(points: list[tuple[float, float]]) -> None:
    drawn = curve(points, width=20, height=4)
    assert len(drawn) == 4
    assert len({len(line) for line in drawn}) == 1


def test_a_falling_curve_goes_from_the_upper_left_to_the_lower_right() -> None:
    drawn = curve([(1, 9.0), (2, 3.0)], width=10, height=5)
    assert drawn[0].startswith("9 ")
    assert drawn[-1].startswith("3 ")
    assert drawn[0][2] != "\u2800" == drawn[0][-1]
    assert drawn[-1][-1] != "\u2800" == drawn[-1][2]


def test_two_points_are_joined() -> None:
    columns = zip(*(line[2:] for line in curve([(1, 9.0), (2, 3.0)], width=10, height=5)), strict=True)
    assert all(set(column) != {"\u2800"} for column in columns)


def test_very_many_points_are_drawn_at_once() -> None:
    begun = time.process_time()
    assert len(curve([(step, 2 / step) for step in range(1, 50_000)])) == 6
    assert time.process_time() - begun < 1.0, "points between the points are for few of them"


def test_a_thinned_curve_keeps_its_peaks_and_its_order() -> None:
    points = [(float(step), 1.0) for step in range(10_000)]
    points[4_567], points[7_001] = (4_567.0, 9.0), (7_001.0, 0.1)
    kept = thinned(points, 100)
    assert len(kept) <= 100
    assert {(4_567.0, 9.0), (7_001.0, 0.1)} <= set(kept)
    assert kept == sorted(kept)
    assert thinned(points[:100], 100) == points[:100]
