"""What the tests of Vertex's own distillation share: a project of October 2026, a teacher who knows, prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudistill.backends.backend import Request
from cloudistill.backends.vertex import VertexBackend
from cloudistill.core.example import Example, Message
from cloudistill.core.job import Job, JobSpec
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.emulators import World, emulate

from .vendors import close

OCTOBER = date(2026, 10, 1)
"""Every pair that Google documents was still alive."""
GEMINI = ModelRef("vertex", "gemini-2.5-flash"), ModelRef("vertex", "gemini-3.1-pro")
OPEN = ModelRef("vertex", "qwen/qwen3@qwen3-4b"), ModelRef("vertex", "qwen/qwen3-next-80b-a3b-thinking-maas")
BUCKET = "cloudistill-emulated"
HOUR = 3600
THINGS = ("kettle", "lamp", "chair", "radio", "clock", "tent", "bike", "piano", "drill", "sofa", "oven", "kayak")
SAYINGS = {
    "shipping": ("where is my {}", "has the {} been sent yet", "my parcel with the {} is late", "track the {}"),
    "refunds": ("I want my money back for the {}", "refund the {}", "the {} broke, pay me back", "return the {}"),
    "repairs": ("can you fix my {}", "the {} makes a noise", "send a mechanic for the {}", "repair the {}"),
}
ASKED = [(s.format(thing), queue) for queue, said in SAYINGS.items() for s in said for thing in THINGS]
PROMPTS, HELD_OUT = [row for i, row in enumerate(ASKED) if i % 4], ASKED[::4]


def contents(*turns: str) -> list[dict[str, Any]]:
    """Turns of the user and the model, in Gemini's spelling."""
    return [{"role": "model" if i % 2 else "user", "parts": [{"text": text}]} for i, text in enumerate(turns)]


def messages(*turns: str) -> list[dict[str, str]]:
    """Turns of the user and the assistant, as open models are taught."""
    return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(turns)]


class Desk:
    """One test's view of a running project."""

    def __init__(
        self, world: World, backend: VertexBackend, name: str, folder: Path, patch: pytest.MonkeyPatch
    ) -> None:
        for variable, value in world.environment.items():
            patch.setenv(variable, value)
        self.world, self.backend, self._folder = world, backend, folder
        self.marker = hashlib.sha256(name.encode()).hexdigest()[:32]

    def upload(self, rows: list[dict[str, Any]], backend: VertexBackend | None = None) -> FileRef:
        raw = "".join(json.dumps(row) + "\n" for row in rows)
        file = self._folder / "rows.jsonl"
        file.write_text(raw, "utf-8")
        fingerprint = hashlib.sha256(raw.encode()).hexdigest()
        return (backend or self.backend).upload(file, fingerprint=fingerprint)

    def spec(self, pair: tuple[ModelRef, ModelRef] = GEMINI, **members: Any) -> JobSpec:
        if "training" not in members:
            spelt = [
                {"messages": messages(asked)} if pair is OPEN else {"contents": contents(asked)} for asked, _ in PROMPTS
            ]
            members["training"] = self.upload(spelt)
        student, teacher = pair
        order: dict[str, Any] = {"run": "queues", "method": "native", "student": student, "teacher": teacher}
        order |= {"marker": self.marker, **members}
        return JobSpec(**order)

    def finished(self, spec: JobSpec) -> Job:
        self.backend.accepts(spec)
        ordered = self.backend.submit(spec)
        self.world.clock.advance(HOUR)
        return self.backend.poll(ordered.ref)

    def right(self, model: ModelRef) -> float:
        """The share of held-out questions that are put in the right queue."""
        said = [self.backend.generate(model, asking(asked)).content for asked, _ in HELD_OUT]
        return sum(word == queue for word, (_, queue) in zip(said, HELD_OUT, strict=True)) / len(HELD_OUT)

    def count(self, pattern: str) -> int:
        return self.world.vertex.server.count(pattern)

    def stored(self, uri: str) -> bytes | None:
        return self.world.vertex.buckets.read(uri)


def asking(text: str) -> Request:
    return Request(example=Example(messages=(Message(role="user", content=text),)))


@contextmanager
def project(folder: Path, today: date = OCTOBER) -> Generator[tuple[World, VertexBackend]]:
    """A project whose teacher answers the prompts; the held-out questions nobody has told it."""
    key = folder / "key.jsonl"
    key.write_text("".join(json.dumps({"messages": messages(*row)}) + "\n" for row in PROMPTS), "utf-8")
    with pytest.MonkeyPatch.context() as patch, emulate("vertex", today=today, teacher_key=key) as world:
        for variable, value in world.environment.items():
            patch.setenv(variable, value)
        backend = VertexBackend()
        yield world, backend
        close(backend)
