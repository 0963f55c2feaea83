"""OpenAI, Bedrock and Vertex as the conformance suite asks about a vendor."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, ClassVar, cast

import openai
from google.oauth2.credentials import Credentials

from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import VertexBackend
from cloudistill.conformance import Said, Subject
from cloudistill.core import errors
from cloudistill.core.errors import PlatformError
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.emulators import World
from cloudistill.emulators.openai import API_KEY
from cloudistill.emulators.server import Server
from tests.conftest import TODAY

Code = tuple[int, str]


class Emulated(Subject):
    """A vendor of ours: its clock, its wire, its codes for each kind of refusal, and the day it lives in."""

    today: ClassVar[date] = TODAY
    codes: ClassVar[dict[type[PlatformError], Code]]
    make: ClassVar[type[Any]]

    def __init__(self, world: World, backend: Any) -> None:
        self.world, self.backend = world, backend
        self.server: Server = getattr(world, backend.platform).server
        self.wire = self.server

    def advance(self, seconds: float) -> None:
        self.world.clock.advance(seconds)


class OpenAISubject(Emulated):
    make: ClassVar = OpenAIBackend
    student = ModelRef("openai", "gpt-4.1-mini-2025-04-14")
    secret = API_KEY
    codes: ClassVar = {
        errors.AuthenticationFailed: (401, "invalid_api_key"),
        errors.PermissionDenied: (403, "missing_scope"),
        errors.NotFound: (404, "model_not_found"),
        errors.InvalidRequest: (400, "invalid_value"),
        errors.RateLimited: (429, "rate_limit_exceeded"),
        errors.ServiceTrouble: (500, "server_error"),
    }

    def stored(self, ref: FileRef) -> bytes | None:
        try:
            return self.backend.client.files.content(ref.id).read()
        except openai.NotFoundError:
            return None

    def says(self, kind: type[PlatformError], words: str) -> Said:
        status, code = self.codes[kind]
        body = {"error": {"message": words, "code": code, "type": "some_error", "param": None}}
        return Said(status=status, body=json.dumps(body).encode())

    def job_answer(self, ref: JobRef, word: str, *, model: bool = True) -> dict[str, Any]:
        known: dict[str, Any] = {
            "object": "fine_tuning.job",
            "model": "m",
            "error": {},
            "created_at": 1,
            "metadata": {},
        }
        return known | {"id": ref.id, "status": word, "fine_tuned_model": "ft:m:o::1" if model else None}

    def elsewhere(self, url: str) -> Any:
        return OpenAIBackend(base_url=f"{url}/v1", api_key=self.secret)


class BedrockSubject(Emulated):
    make: ClassVar = BedrockBackend
    student = ModelRef("bedrock", "amazon.nova-micro-v1:0:128k")
    secret = "emulated-and-secret-to-nobody"
    pair = (
        ModelRef("bedrock", "amazon.nova-pro-v1:0"),
        ModelRef("bedrock", "amazon.nova-micro-v1:0:128k"),
    )
    codes: ClassVar = {
        errors.AuthenticationFailed: (403, "UnrecognizedClientException"),
        errors.PermissionDenied: (403, "AccessDeniedException"),
        errors.NotFound: (404, "ResourceNotFoundException"),
        errors.InvalidRequest: (400, "ValidationException"),
        errors.RateLimited: (429, "ThrottlingException"),
        errors.ServiceTrouble: (500, "InternalServerException"),
    }

    def stored(self, ref: FileRef) -> bytes | None:
        return self.world.bedrock.storage.read(ref.id)

    def says(self, kind: type[PlatformError], words: str) -> Said:
        status, code = self.codes[kind]
        body = json.dumps({"message": words}).encode()
        return Said(status=status, body=body, headers={"x-amzn-errortype": code})

    def job_answer(self, ref: JobRef, word: str, *, model: bool = True) -> dict[str, Any]:
        trained = {"outputModelArn": "arn:model"} if model else {}
        return {"jobArn": ref.id, "jobName": "n", "status": word} | trained

    def elsewhere(self, url: str) -> Any:
        session: Any = _At(self.backend.session, url)
        return BedrockBackend(session=session, bucket=self.backend.bucket, role_arn=self.backend.role_arn)


class _At:
    """A session of boto3 whose clients call another address."""

    def __init__(self, session: Any, url: str) -> None:
        self._session, self._url = session, url

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def client(self, service: str, **settings: Any) -> Any:
        return self._session.client(service, **settings | {"endpoint_url": self._url})


class VertexSubject(Emulated):
    measures = False
    make: ClassVar = VertexBackend
    today: ClassVar = date(2026, 10, 1)  # before its pairs ended
    pair = (ModelRef("vertex", "gemini-3.1-pro"), ModelRef("vertex", "gemini-2.5-flash"))
    student = ModelRef("vertex", "gemini-3.5-flash")
    codes: ClassVar = {
        errors.AuthenticationFailed: (401, "UNAUTHENTICATED"),
        errors.PermissionDenied: (403, "PERMISSION_DENIED"),
        errors.NotFound: (404, "NOT_FOUND"),
        errors.InvalidRequest: (400, "INVALID_ARGUMENT"),
        errors.RateLimited: (429, "RESOURCE_EXHAUSTED"),
        errors.ServiceTrouble: (500, "INTERNAL"),
    }

    def __init__(self, world: World, backend: Any) -> None:
        super().__init__(world, backend)
        self.secret = backend.credentials.token

    def stored(self, ref: FileRef) -> bytes | None:
        return self.world.vertex.buckets.read(ref.id)

    def says(self, kind: type[PlatformError], words: str) -> Said:
        status, code = self.codes[kind]
        body = {"error": {"code": status, "message": words, "status": code}}
        return Said(status=status, body=json.dumps(body).encode())

    def job_answer(self, ref: JobRef, word: str, *, model: bool = True) -> dict[str, Any]:
        tuned = {"tunedModel": {"endpoint": "projects/1/locations/us-central1/endpoints/3"}}
        return {"name": ref.id, "state": word} | (tuned if model else {})

    def elsewhere(self, url: str) -> Any:
        backend = cast("VertexBackend", self.backend)
        token = Credentials("token")  # pyright: ignore[reportUnknownVariableType]
        settings: dict[str, Any] = {"project": backend.project, "location": backend.location, "bucket": backend.bucket}
        return VertexBackend(**settings, base_url=url, credentials=token)


def close(backend: Any) -> None:
    """Close what the SDK holds open, so that no test warns for another."""
    for client in getattr(backend, "_clients", {}).values():
        client.close()
    for name in ("_client", "_storage"):
        if getattr(backend, name, None) is not None:
            getattr(backend, name).close()
