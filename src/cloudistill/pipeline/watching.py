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
    OutcomeUnknown,
    PermissionDenied,
    PlatformError,
    StillRunning,
    UsageError,
)
from cloudistill.core.job import RunStatus
from cloudistill.pipeline.progress import Event
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run

LOST_AFTER_LOOKS, LOST_AFTER_SECONDS = 5, 120.0


@dataclass(order=True)
class _Turn:
    """When a run is looked at next, in seconds slept, and what the last looks came to."""

    due: float
    index: int
    run: Run = field(compare=False)
    pause: float = field(default=0.0, compare=False)
    asked: float = field(default=0.0, compare=False)
    missing: int = field(default=0, compare=False)
    missed_since: float = field(default=0.0, compare=False)
    renewed: bool = field(default=False, compare=False)


def follow(runs: Sequence[Run], *, timeout: float | None = None, pace: float | None = None) -> None:
    """Watch until nothing more will happen to any run.

    Raises:
        StillRunning: as `watch` does.
    """
    for _ in watch(runs, timeout=timeout, pace=pace):
        pass


def watch(runs: Sequence[Run], *, timeout: float | None = None, pace: float | None = None) -> Iterator[Run]:
    """Yield a run after each look at it, until nothing more will happen to any. The jobs are never cancelled by this.

    Trouble with one run does not stop the others: its error is raised when they are done.

    Args:
        runs: what to follow.
        timeout: seconds after which to stop; None waits for ever.
        pace: seconds between two looks at one run; by default each platform's own, growing.

    Raises:
        UsageError: a run has no job.
        OutcomeUnknown: whether a run's order arrived is not known yet.
        StillRunning: the time is up, or the credentials are no longer accepted; the jobs go on.
    """
    for run in runs:
        _require_order(run)
        run.error = None
    started, slept = time.monotonic(), 0.0
    turns = [_Turn(0.0, index, run) for index, run in enumerate(runs) if not run.status.is_final]
    troubles: list[CloudistillError] = []
    while turns:
        turn = heapq.heappop(turns)
        wait = max(turn.due - slept, 0.0)
        if timeout is not None and max(slept, time.monotonic() - started) + wait > timeout:
            raise StillRunning(_goes_on([turn, *turns]), runs=[t.run.name for t in (turn, *turns)])
        if wait:
            turn.run.doubt.patience.sleep(wait)
            slept += wait
        try:
            _look(turn, max(slept, time.monotonic() - started))
        except CloudistillError as error:
            turn.run.error = error
            troubles.append(error)
            _tell(turn.run, str(error))
            continue
        yield turn.run
        if not turn.run.status.is_final and turn.run.status is not RunStatus.LOST:
            turn.due = slept + max(_pause(turn, pace), turn.asked)
            heapq.heappush(turns, turn)
    if troubles:
        raise troubles[0]


def _require_order(run: Run) -> None:
    """Refuse to watch what was never ordered: no look would ever change it."""
    if run.job is not None or run.status.is_final:
        return
    again = "run its distill command again"
    if run.status is RunStatus.UNCONFIRMED:
        raise OutcomeUnknown(f"whether the order of run {run.name!r} arrived is not known yet: {again}, it looks first")
    raise UsageError(f"run {run.name!r} is {run.status} and has no job to watch: {again}")


def _look(turn: _Turn, now: float) -> None:
    """One look; trouble that passes is told and slept on, and any other is raised."""
    run, before = turn.run, turn.run.status
    turn.asked = 0.0
    try:
        run.refresh()
    except NotFound as error:
        _missed(turn, error, now)
    except (AuthenticationFailed, PermissionDenied) as error:
        if turn.renewed:
            raise StillRunning(f"{error}. {_goes_on([turn])}", runs=[run.name]) from error
        turn.renewed = True
        run.reconnect()
        _tell(run, f"credentials refused, asking once more: {error}")
    except PlatformError as error:
        if not (error.retryable or type(error) is PlatformError):
            raise
        turn.asked = min(error.retry_after or 0.0, load(run.student.platform).polling.maximum)
        _tell(run, f"no answer this time, asking again: {error}")
    else:
        turn.missing, turn.renewed = 0, False
        if run.status is not before:
            turn.pause = 0.0
        _tell(run, run.record.facts.get("last_event") or run.native_status or run.status)


def _missed(turn: _Turn, error: NotFound, now: float) -> None:
    """A job that is not found is lost only after several looks over some minutes: lists and replicas lag."""
    run = turn.run
    turn.missed_since = turn.missed_since if turn.missing else now
    turn.missing += 1
    if turn.missing >= LOST_AFTER_LOOKS and now - turn.missed_since >= LOST_AFTER_SECONDS:
        run.record = run.store.update(run.name, status=RunStatus.LOST, failure=str(error))
    _tell(run, f"not found, {turn.missing} looks in a row: {error}")


def _pause(turn: _Turn, pace: float | None) -> float:
    if pace is not None:
        return pace
    polling = load(turn.run.student.platform).polling
    turn.pause = min(max(turn.pause * polling.factor, polling.first), polling.maximum)
    return turn.pause * random.uniform(1 - polling.jitter, 1 + polling.jitter)  # noqa: S311 - spread, not secrecy


def _tell(run: Run, message: str) -> None:
    run.notify(Event(run=run.name, step="wait", message=message))


def _goes_on(turns: Sequence[_Turn]) -> str:
    jobs = ", ".join(f"{turn.run.name} ({turn.run.job})" for turn in turns)
    names = " ".join(turn.run.name for turn in turns)
    return f"still running: {jobs}. Nothing was cancelled; follow on with: cloudistill watch {names}"


def failures(runs: Sequence[Run]) -> list[CloudistillError]:
    """The error of each run that something stands against."""
    errors: list[CloudistillError] = []
    for run in runs:
        try:
            run.or_raise()
        except CloudistillError as error:
            errors.append(error)
    return errors
