"""The live board: bars and one table for all runs on a terminal, plain lines when piped, nothing under `--json`."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.live import Live
from rich.progress import Progress, TaskID

from cloudistill.cli.output import err, say, table
from cloudistill.core.errors import StillRunning

if TYPE_CHECKING:
    from rich.table import Table

    from cloudistill.pipeline.progress import Event
    from cloudistill.pipeline.run import Run


@contextmanager
def interruptible(board: Board) -> Generator[None]:
    """Ctrl-C before the wait stops here, not at the vendor.

    Raises:
        StillRunning: the person stopped it.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise StillRunning(
            "stopped. Run the same command again: it goes on at the first step that is not done"
        ) from None
    finally:
        board.close()


class Board:
    """Shows what happens to the runs of one command."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._bars = Progress(console=err, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._events: dict[str, str] = {}
        self._live: Live | None = None
        self._said: dict[str, str] = {}
        self._started = time.monotonic()

    def notify(self, event: Event) -> None:
        """Take one event of the pipeline."""
        self._events[event.run] = event.message
        if self.quiet or self._live is not None:
            return
        if event.total and err.is_terminal:
            self._bar(event)
        elif event.total is None and self._said.get(event.run) != event.message:
            self._said[event.run] = event.message
            say(f"{event.run}: {event.message}", "dim")

    def close(self) -> None:
        """Leave the terminal as it was, whatever stopped the work."""
        if self._tasks:  # a bar that never began would leave an empty line
            self._bars.stop()

    def _bar(self, event: Event) -> None:
        key = f"{event.run} {event.step}"
        if key not in self._tasks:
            self._bars.start()
            self._tasks[key] = self._bars.add_task(f"{event.run}: {event.message}", total=event.total)
        self._bars.update(self._tasks[key], completed=event.done)
        if event.done == event.total:
            self._bars.stop()

    def follow(self, runs: Sequence[Run], looks: Iterable[Run]) -> None:
        """Draw until the last look. Ctrl-C leaves the jobs running and says how to go on.

        Raises:
            StillRunning: the person stopped watching.
        """
        try:
            if self.quiet or not err.is_terminal:
                for _ in looks:
                    pass
                return
            with Live(self._table(runs), console=err, refresh_per_second=4, transient=True) as self._live:
                for _ in looks:
                    self._live.update(self._table(runs))
        except KeyboardInterrupt:
            names = " ".join(run.name for run in runs if not run.status.is_final)
            raise StillRunning(
                f"stopped watching; nothing was cancelled. Follow on with: cloudistill watch {names}"
            ) from None
        finally:
            self._live = None

    def _table(self, runs: Sequence[Run]) -> Table:
        now = datetime.now(UTC)
        rows = [
            (
                run.name,
                run.native_status,
                run.status,
                f"{(now - run.record.created).total_seconds():.0f} s",
                _cost(run),
                self._events.get(run.name),
            )
            for run in runs
        ]
        columns = ("run", "vendor says", "status", "elapsed", "estimate", "last event")
        return table(f"watching for {time.monotonic() - self._started:.0f} s; Ctrl-C stops watching", columns, rows)


def _cost(run: Run) -> str:
    cost: dict[str, float | None] = run.record.facts.get("cost_estimate_usd") or {}
    low, high = cost.get("low"), cost.get("high")
    return "?" if low is None or high is None else f"${low:.2f}–{high:.2f}"
