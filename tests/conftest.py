"""Shared by all rooms: the emulated vendors, a clean environment, and where the real data lies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudistill.demo import corpus
from cloudistill.emulators import World, emulate
from cloudistill.emulators.recording import RECORD_VARIABLE
from tests.contracts.wire import Wire

TODAY = date(2026, 11, 24)
STUDENTS = {
    "openai": "openai:gpt-4.1-mini-2025-04-14",
    "bedrock": "bedrock:amazon.nova-micro-v1:0:128k",
    "vertex": "vertex:gemini-3.1-flash-lite",
}
VENDOR_VARIABLES = ("AWS_", "OPENAI_", "GOOGLE_", "CLOUDISTILL_", "STORAGE_EMULATOR_HOST", "NO_GCE_CHECK", "CLOUDSDK_")
SHARED = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Every exchange with an emulator is judged."""
    config.pluginmanager.register(Wire(config), "wire")


@pytest.fixture(autouse=True)
def _nobody_elses_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the machine's own accounts, settings or state."""
    for name in list(os.environ):
        if name.startswith(VENDOR_VARIABLES) and name != RECORD_VARIABLE:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(scope="module")
def fast_world() -> Iterator[World]:
    """All three vendors, an hour of vendor time in about a second; anew in each module, before models end."""
    with emulate(today=TODAY, speed=4000.0) as world:
        yield world


@pytest.fixture
def vendors(fast_world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """The running vendors, this test's environment pointing at them, and a working folder of its own."""
    for name, value in fast_world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return fast_world


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    """OpenAI alone, on a clock that stands still until a test moves it."""
    with emulate("openai", today=TODAY) as world:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield world


@pytest.fixture
def lessons(tmp_path: Path) -> Callable[..., Path]:
    """Writes support-desk rows; `lessons(40, seed=3)` gives the file."""

    def write(rows: int = 40, *, seed: int = 1, name: str = "lessons.jsonl", answered: bool = True) -> Path:
        path = tmp_path / name
        corpus.write(path, rows, seed, "train", answered=answered)
        return path

    return write


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; the test is skipped, loudly, where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"REAL DATA ABSENT: {SHARED.name}/ does not lie beside the checkout; this promise is not checked")
    return SHARED


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
