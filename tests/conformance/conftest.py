"""Our three vendors as subjects of the conformance suite: each emulated once, on the day that its subject names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cloudistill.emulators import World, emulate
from tests.conformance.subjects import Emulated, close


class Ours:
    """The running vendors, and one backend of each for all tests: they hold nothing but connections."""

    def __init__(self, running: ExitStack) -> None:
        self._running = running
        self._worlds: dict[type[Emulated], World] = {}
        self._backends: dict[type[Emulated], Any] = {}

    def world(self, kind: type[Emulated]) -> World:
        """The vendor of that kind, on a clock that the tests drive."""
        if kind not in self._worlds:
            self._worlds[kind] = self._running.enter_context(emulate(kind.student.platform, today=kind.today))
        return self._worlds[kind]

    def subject(self, kind: type[Emulated]) -> Emulated:
        """The subject of that kind; the environment points at its vendor."""
        if kind not in self._backends:
            self._backends[kind] = kind.make()
            self._running.callback(close, self._backends[kind])
            next(self._backends[kind].list(), None)  # whoever fetches a token does it now
        return kind(self.world(kind), self._backends[kind])


@pytest.fixture(scope="module")
def running() -> Iterator[Ours]:
    with ExitStack() as stack:
        yield Ours(stack)


@pytest.fixture
def ours(running: Ours, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Emulated]], Emulated]]:
    """Gives the subject of a kind, with nothing left of this test's faults afterwards."""
    used: list[Emulated] = []

    def subject(kind: type[Emulated]) -> Emulated:
        for name, value in running.world(kind).environment.items():
            monkeypatch.setenv(name, value)
        used.append(running.subject(kind))
        return used[-1]

    yield subject
    for one in used:
        one.server.faults.clear()
