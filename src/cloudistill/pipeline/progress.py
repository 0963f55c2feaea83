"""How long work says where it is: one event type, so that a terminal, a script and a test can all listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something a person waiting would like to know. `done` of `total` draw a bar where both are known."""

    run: str
    step: str
    message: str
    done: int | None = None
    total: int | None = None


Notify = Callable[[Event], None]


def silent(_event: Event) -> None:
    """Tell nobody."""
