"""What the tests of the backends share: a vendor with its emulator, its rows, and a server of canned answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import VertexBackend
from cloudistill.core.errors import PlatformError
from cloudistill.core.job import JobSpec
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.emulators import World
from cloudistill.emulators.server import Server
from cloudistill.pipeline.retry import once

STUDENTS = {
    "openai": ModelRef("openai", "gpt-4.1-mini-2025-04-14"),
    "bedrock": ModelRef("bedrock", "amazon.nova-micro-v1:0:128k"),
    "vertex": ModelRef("vertex", "gemini-3.5-flash"),
}
openai_only = pytest.mark.parametrize("vendor", ["openai"], indirect=True)
CITIES = ("Oslo", "Lima", "Cairo", "Hanoi", "Quito", "Accra", "Dhaka", "Sofia", "Tunis", "Minsk", "Paris", "Delhi")
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def openai_row(city: str) -> dict[str, Any]:
    call = {"name": "get_weather", "arguments": json.dumps({"city": city})}
    return {
        "messages": [
            {"role": "user", "content": f"What is the weather in {city}?"},
            {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": call}]},
        ],
        "tools": [{"type": "function", "function": WEATHER}],
    }


def bedrock_row(city: str) -> dict[str, Any]:
    return {
        "schemaVersion": "bedrock-conversation-2024",
        "system": [{"text": "Answer in one word."}],
        "messages": [
            {"role": "user", "content": [{"text": f"Name a city like {city}"}]},
            {"role": "assistant", "content": [{"text": city}]},
        ],
    }


def vertex_row(city: str) -> dict[str, Any]:
    parameters = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
    return {
        "contents": [
            {"role": "user", "parts": [{"text": f"What is the weather in {city}?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": {"city": city}}}]},
        ],
        "tools": [{"functionDeclarations": [WEATHER | {"parameters": parameters}]}],
    }


ROWS = {"openai": openai_row, "bedrock": bedrock_row, "vertex": vertex_row}


@dataclass
class Vendor:
    """A backend, the emulator behind it, and a training file in its spelling."""

    name: str
    backend: Any
    world: World
    file: Path
    marker: str

    @property
    def server(self) -> Server:
        return getattr(self.world, self.name).server

    @property
    def student(self) -> ModelRef:
        return STUDENTS[self.name]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def upload(self) -> FileRef:
        return self.backend.upload(self.file, fingerprint=self.fingerprint)

    def spec(self, **members: Any) -> JobSpec:
        return JobSpec(run="weather", marker=self.marker, student=self.student, training=self.upload(), **members)


def build(name: str, **settings: Any) -> Any:
    return {"openai": OpenAIBackend, "bedrock": BedrockBackend, "vertex": VertexBackend}[name](**settings)


def close(backend: Any) -> None:
    """Close what the SDK holds open, so that no test warns for another."""
    match backend:
        case OpenAIBackend():
            if backend._client is not None:  # pyright: ignore[reportPrivateUsage]
                backend.client.close()
        case BedrockBackend():
            for client in backend._clients.values():  # pyright: ignore[reportPrivateUsage]
                client.close()
        case VertexBackend():
            for client in backend._clients.values():  # pyright: ignore[reportPrivateUsage]
                client.close()
            if backend._storage is not None:  # pyright: ignore[reportPrivateUsage]
                backend.storage.close()
        case _:
            pass


def trouble(backend: Any, call: Callable[[], Any]) -> PlatformError:
    """What `call` raises, as the pipeline sees it."""
    with pytest.raises(PlatformError) as caught:
        once(backend, call)
    return caught.value


@dataclass
class Canned:
    """A server that gives every request the same answer and keeps what it was sent."""

    answer: Any = field(default_factory=dict[str, Any])
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    bodies: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    url: str = ""

    async def respond(self, request: Request) -> Response:
        self.bodies.append((f"{request.method} {request.url.path}", await request.body()))
        raw = isinstance(self.answer, bytes)
        body = self.answer if raw else json.dumps(self.answer).encode()
        headers = {"content-type": "application/json"} | self.headers
        return Response(body, self.status, headers)


def spec_for(backend: Any, **members: Any) -> JobSpec:
    """An order of this platform whose file needs no upload."""
    files = {"openai": "file-1", "bedrock": "s3://bucket/train.jsonl", "vertex": "gs://bucket/train.jsonl"}
    name = backend if isinstance(backend, str) else backend.platform
    return JobSpec(
        run="Support desk",
        marker="0123456789abcdef" * 2,
        student=STUDENTS[name],
        training=FileRef(name, files[name]),
        **members,
    )
