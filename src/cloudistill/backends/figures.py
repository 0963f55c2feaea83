"""What vendors write about a job's steps, in whatever spelling: figures, put together by step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from cloudistill.core.job import StepMetrics

LARGEST = 64 * 2**20
"""Bytes: a larger result file is not read."""

Row = tuple[float | None, Mapping[str, float | None]]
"""A step, counted from 1, and members of its StepMetrics."""


def number(value: object) -> float | None:
    """A finite number, however it is spelt; None for anything else."""
    try:
        found = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def steps(rows: Iterable[Row]) -> list[StepMetrics]:
    """What was measured, by step: rows about the same one are put together, the later figure counts."""
    found: dict[int, dict[str, float]] = {}
    for step, told in rows:
        if step is not None:
            measured = {member: figure for member, figure in told.items() if figure is not None}
            found.setdefault(int(step), {}).update(measured)
    return [StepMetrics(step=step, **found[step]) for step in sorted(found)]
