"""The emulated OpenAI and Vertex AI, fresh for a test; Vertex also kept for many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from openai import OpenAI
from tests.contracts.wire import ON_PURPOSE
from tests.emulators.vertex_desk import TODAY, Google, corpus, running

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.openai import OpenAIEmulator
from cloudistill.emulators.teacher import Teacher


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In this room vendors are asked wrongly on purpose, to see that the emulators refuse it."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(ON_PURPOSE)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 24, 9, tzinfo=UTC))


@pytest.fixture
def emulator(clock: Clock) -> Iterator[OpenAIEmulator]:
    made = OpenAIEmulator(clock=clock, teacher=Teacher())
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(emulator: OpenAIEmulator) -> Iterator[OpenAI]:
    where = emulator.environment
    with OpenAI(base_url=where["OPENAI_BASE_URL"], api_key=where["OPENAI_API_KEY"], max_retries=0) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def _kept() -> Iterator[Google]:
    with pytest.MonkeyPatch.context() as patch, running(patch, TODAY) as google:
        google.upload(corpus(0, 12))
        yield google


@pytest.fixture
def kept(_kept: Google, monkeypatch: pytest.MonkeyPatch) -> Google:
    """For tests that leave nothing behind that another could trip over."""
    _kept.enter(monkeypatch)
    return _kept


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    with running(monkeypatch, TODAY) as google:
        yield google


@pytest.fixture
def vertex_of_2026_june(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    with running(monkeypatch, date(2026, 6, 1)) as google:
        yield google
