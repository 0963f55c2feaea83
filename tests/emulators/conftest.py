"""The emulated Vertex AI, fresh for a test or kept for many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from tests.contracts.wire import ON_PURPOSE
from tests.emulators.vertex_desk import TODAY, Google, corpus, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In this room vendors are asked wrongly on purpose, to see that the emulators refuse it."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(ON_PURPOSE)


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
