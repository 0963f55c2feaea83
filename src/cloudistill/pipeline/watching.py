"""Follows runs of any vendors together: one GET per poll, each vendor's own pace, and no trouble ends a run."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudistill.core.errors import (
    AuthenticationFailed,
    CloudistillError,
    NotFound,
    PermissionDenied,
    PlatformError,
    StillRunning,
)
from cloudistill.core.job import RunStatus
from cloudistill.pipeline.progress import Event
from cloudistill.platforms.platform import Polling, load

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run

LOST_AFTER = 5  # looks in a row that do not find a job we know


@dataclass(order=True)
class _Turn:
    due: float
    index: int
    run: Run = field(compare=False)
    pause: float = field(compare=False, default=0.0)
    missing: int = field(compare=False, default=0)


def follow(runs: Sequence[Run], *, timeout: float | None = None, pace: float | None = None) -> None:
    """Watch until every run is final.

    Raises:
        StillRunning: `timeout` seconds have passed.
    """
    for _ in watch(runs, timeout=timeout, pace=pace):
        pass


def watch(runs: Sequence[Run], *, timeout: float | None = None, pace: float | None = None) -> Iterator[Run]:
    """Yield a run after each look at it, until every run is final. The jobs are never cancelled by this.

    Args:
        runs: what to follow; runs that have not been submitted are refused.
        timeout: seconds after which to stop; None waits for ever.
        pace: seconds between two looks at one run; by default each platform's own, growing.

    Raises:
        StillRunning: the time is up, or the credentials are no longer accepted; the jobs go on.
    """
    started, slept = time.monotonic(), 0.0
    turns = [_Turn(0.0, index, run) for index, run in enumerate(runs) if not run.status.is_final]
    heapq.heapify(turns)
    while turns:
        turn = heapq.heappop(turns)
        wait = turn.due - slept
        if timeout is not None and max(slept, time.monotonic() - started) + max(wait, 0.0) > timeout:
            raise StillRunning(_goes_on([turn, *turns]), runs=[t.run.name for t in (turn, *turns)])
        if wait > 0:
            turn.run.doubt.patience.sleep(wait)
            slept += wait
        _look(turn)
        yield turn.run
        if not turn.run.status.is_final and turn.run.status is not RunStatus.LOST:
            turn.due = slept + _pause(turn, pace)
            heapq.heappush(turns, turn)


def _look(turn: _Turn) -> None:
    run, before = turn.run, turn.run.status
    try:
        run.refresh()
    except NotFound as error:
        turn.missing += 1
        if turn.missing >= LOST_AFTER:
            run.record = run.store.update(run.name, status=RunStatus.LOST, failure=str(error))
        _tell(run, f"not found ({turn.missing} of {LOST_AFTER} looks): {error}")
    except (AuthenticationFailed, PermissionDenied) as error:
        raise StillRunning(f"{error}. {_goes_on([turn])}", runs=[run.name]) from error
    except PlatformError as error:
        if not error.retryable:
            raise
        turn.due += error.retry_after or 0.0
        _tell(run, f"no answer this time, asking again: {error}")
    else:
        turn.missing = 0
        if run.status is not before:
            turn.pause = 0.0
        _tell(run, run.record.facts.get("last_event") or run.native_status or run.status)


def _pause(turn: _Turn, pace: float | None) -> float:
    if pace is not None:
        return pace
    polling: Polling = load(turn.run.student.platform).polling
    turn.pause = min(max(turn.pause * polling.factor, polling.first), polling.maximum)
    return turn.pause * random.uniform(1 - polling.jitter, 1 + polling.jitter)  # noqa: S311 - spread, not secrecy


def _tell(run: Run, message: str) -> None:
    run.notify(Event(run=run.name, step="wait", message=message))


def _goes_on(turns: Sequence[_Turn]) -> str:
    jobs = ", ".join(f"{turn.run.name} ({turn.run.job})" for turn in turns)
    names = " ".join(turn.run.name for turn in turns)
    return f"still running: {jobs}. Nothing was cancelled; follow on with: cloudistill watch {names}"


def failures(runs: Sequence[Run]) -> list[CloudistillError]:
    """The error of each run that failed or was cancelled."""
    errors: list[CloudistillError] = []
    for run in runs:
        try:
            run.or_raise()
        except CloudistillError as error:
            errors.append(error)
    return errors
