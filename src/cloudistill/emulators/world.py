"""Starts the emulated vendors together and says which environment variables point programs at them."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from cloudistill.emulators import recording
from cloudistill.emulators.clock import Clock

PLATFORMS = ("openai", "bedrock", "vertex")


@dataclass
class World:
    """The running emulators. `environment` holds the variables for stock SDKs and for cloudistill; `note` says where
    the base models' answers come from."""

    clock: Clock
    note: str = ""
    environment: dict[str, str] = field(default_factory=dict[str, str])
    openai: Any = None
    bedrock: Any = None
    vertex: Any = None


@contextmanager
def emulate(
    *platforms: str,
    clock: Clock | None = None,
    today: date | None = None,
    speed: float = 0.0,
    teacher_key: Path | None = None,
    teacher_faults: float = 0.0,
    record: Path | None = None,
) -> Generator[World]:
    """Run emulated vendors on loopback for the length of a `with` block.

    Args:
        platforms: which vendors; all three by default.
        clock: vendor time; by default it starts on the morning of `today` (or now), and runs at `speed`.
        today: the date the vendors live in, which decides which models have ended.
        speed: vendor seconds per real second; 0 moves the clock only when it is driven.
        teacher_key: OpenAI-chat JSONL whose answers the base models give to the same questions.
        teacher_faults: the share of those answers, 0 to 1, that is spoilt on purpose (the same ones every time).
        record: a file to which every exchange with an emulator of this process is appended meanwhile, a JSON object a
            line, without credentials. Raises OSError where that cannot be written. A program that is started with
            `CLOUDISTILL_EMULATORS_RECORD` in its environment records there always.
    """
    from cloudistill.emulators.teacher import Teacher

    clock = clock or Clock(datetime.combine(today, time(9), UTC) if today else None, speed=speed)
    teacher = Teacher.read(teacher_key, faults=teacher_faults)
    world = World(clock, teacher.note, _past_proxies())
    with ExitStack() as running:
        if record:
            running.enter_context(recording.listening(recording.JsonLines(record)))
        for name in platforms or PLATFORMS:
            emulator = _build(name, clock=clock, teacher=teacher)
            running.callback(emulator.stop)  # first, because a start may fail half-way
            emulator.start()
            setattr(world, name, emulator)
            world.environment |= emulator.environment
        yield world


def _past_proxies() -> dict[str, str]:
    """The variables that keep requests to loopback from a company's proxy."""
    known = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    hosts = ",".join(filter(None, [known, "127.0.0.1", "localhost"]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def _build(name: str, **settings: Any) -> Any:
    match name:
        case "openai":
            from cloudistill.emulators.openai import OpenAIEmulator

            return OpenAIEmulator(**settings)
        case "bedrock":
            from cloudistill.emulators.bedrock import BedrockEmulator

            return BedrockEmulator(**settings)
        case "vertex":
            from cloudistill.emulators.vertex import VertexEmulator

            return VertexEmulator(**settings)
        case _:
            raise ValueError(f"no emulator is called {name!r}; there are {', '.join(PLATFORMS)}")
