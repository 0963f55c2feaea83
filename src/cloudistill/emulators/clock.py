"""The emulators' clock: it runs by itself, at any speed, or stands still until it is driven."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Vendor time. `speed` vendor seconds pass per real second; 0 means only `advance` moves it."""

    def __init__(self, start: datetime | None = None, *, speed: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._start = start or datetime.now(UTC)
        self._origin = time.monotonic()
        self._driven = 0.0
        self.speed = speed

    def now(self) -> datetime:
        """The vendor's time, aware, UTC."""
        with self._lock:
            passed = self._driven + (time.monotonic() - self._origin) * self.speed
        return self._start + timedelta(seconds=passed)

    def advance(self, seconds: float) -> None:
        """Let `seconds` of vendor time pass at once; has the shape of `time.sleep`, and may replace it."""
        with self._lock:
            self._driven += seconds
