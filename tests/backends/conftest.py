"""The emulated vendors, started once, desks of two that distil, and a server that answers whatever a test wants."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from starlette.applications import Starlette
from starlette.routing import Route

from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import VertexBackend
from cloudistill.emulators import World, emulate
from cloudistill.emulators.server import Server

from . import bedrock_desk, vertex_project
from .vendors import CITIES, ROWS, Canned, Vendor, build, close


@pytest.fixture(scope="session")
def emulated() -> Iterator[World]:
    with emulate(today=date(2026, 11, 24)) as world:
        yield world


@pytest.fixture
def world(emulated: World, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in emulated.environment.items():
        monkeypatch.setenv(name, value)
    return emulated


@pytest.fixture(params=["openai", "bedrock", "vertex"])
def vendor(request: pytest.FixtureRequest, world: World, tmp_path: Path, backends: dict[str, Any]) -> Iterator[Vendor]:
    name: str = request.param
    marker = hashlib.sha256(request.node.name.encode()).hexdigest()[:32]
    file = tmp_path / "train.jsonl"
    # the marker among the rows makes each test's file its own
    cities = [*CITIES, f"{marker[:6]}ville"]
    file.write_text("".join(json.dumps(ROWS[name](city)) + "\n" for city in cities), "utf-8")
    if name not in backends:
        backends[name] = build(name)
    yield Vendor(name, backends[name], world, file, marker)
    getattr(world, name).server.faults.clear()


@pytest.fixture(scope="session")
def backends() -> Iterator[dict[str, Any]]:
    """One backend of each vendor for all tests: they hold nothing but connections."""
    made: dict[str, Any] = {}
    yield made
    for backend in made.values():
        close(backend)


@pytest.fixture(scope="module")
def _account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, BedrockBackend]]:
    with bedrock_desk.account(tmp_path_factory.mktemp("bedrock")) as made:
        yield made


@pytest.fixture
def aws(
    _account: tuple[World, BedrockBackend],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> bedrock_desk.Desk:
    """A Bedrock that distils, kept for a module; each test's orders are its own."""
    return bedrock_desk.Desk(*_account, request.node.name, tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, VertexBackend]]:
    with vertex_project.project(tmp_path_factory.mktemp("vertex")) as made:
        yield made


@pytest.fixture
def google(
    _project: tuple[World, VertexBackend],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> vertex_project.Desk:
    """A Vertex AI that distils, in October, kept for a module; each test's orders are its own."""
    return vertex_project.Desk(*_project, request.node.name, tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def canned_server() -> Iterator[Canned]:
    canned = Canned()
    methods = ["GET", "POST", "PUT", "DELETE"]
    server = Server(Starlette(routes=[Route("/{path:path}", canned.respond, methods=methods)]))
    server.start()
    canned.url = server.url
    yield canned
    server.stop()


@pytest.fixture
def canned(canned_server: Canned, monkeypatch: pytest.MonkeyPatch) -> Canned:
    canned_server.answer, canned_server.status = {}, 200
    canned_server.headers, canned_server.bodies = {}, []
    for service in ("BEDROCK", "BEDROCK_RUNTIME", "S3", "STS", "IAM"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", canned_server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", canned_server.url)
    return canned_server


@pytest.fixture
def canned_backend(canned: Canned) -> Iterator[OpenAIBackend]:
    made = OpenAIBackend(base_url=f"{canned.url}/v1", api_key="sk-test")
    yield made
    close(made)


@pytest.fixture(params=["openai", "bedrock", "vertex"])
def talking_to_canned(request: pytest.FixtureRequest, canned: Canned) -> Iterator[Any]:
    """A backend of each vendor whose every request gets the canned answer."""
    match request.param:
        case "openai":
            backend: Any = OpenAIBackend(base_url=f"{canned.url}/v1", api_key="sk-test")
        case "bedrock":
            role = "arn:aws:iam::123456789012:role/AmazonBedrockTest"
            backend = BedrockBackend(region="us-east-1", bucket="bucket", role_arn=role)
        case _:
            backend = VertexBackend(
                project="project",
                location="us-central1",
                bucket="bucket",
                base_url=canned.url,
                credentials=Credentials("token"),  # pyright: ignore[reportUnknownArgumentType]
            )
    yield backend
    close(backend)
