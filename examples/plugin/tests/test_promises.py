"""Acme keeps the promises of every backend, platform and format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cloudistill_acme.backend import AcmeBackend
from cloudistill_acme.emulator import KEY, PAGE, AcmeEmulator

from cloudistill import FileRef, JobRef, ModelRef
from cloudistill.conformance import AnswersPromises, FormatPromises, PlatformPromises, Said, Subject, TrainsPromises
from cloudistill.core.errors import (
    AuthenticationFailed,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PlatformError,
    RateLimited,
    ServiceTrouble,
)

STATUS: dict[type[PlatformError], int] = {
    AuthenticationFailed: 401,
    PermissionDenied: 403,
    NotFound: 404,
    InvalidRequest: 400,
    RateLimited: 429,
    ServiceTrouble: 500,
}


class Acme(Subject):
    """The emulated Acme."""

    student = ModelRef("acme", "acorn-1")
    secret = KEY
    page = PAGE

    def __init__(self, emulator: AcmeEmulator) -> None:
        self.emulator, self.wire = emulator, emulator.server
        self.backend = AcmeBackend(base_url=emulator.server.url, api_key=KEY)

    def advance(self, seconds: float) -> None:
        self.emulator.clock.advance(seconds)

    def stored(self, ref: FileRef) -> bytes | None:
        return self.emulator.files.get(ref.id)

    def says(self, kind: type[PlatformError], words: str) -> Said:
        return Said(status=STATUS[kind], body=json.dumps({"problem": "some_code", "words": words}).encode())

    def job_answer(self, ref: JobRef, word: str, *, model: bool = True) -> dict[str, Any]:
        return {"id": ref.id, "state": word, "model": "tuned-1" if model else None}

    def elsewhere(self, url: str) -> AcmeBackend:
        return AcmeBackend(base_url=url, api_key=KEY)


@pytest.fixture(scope="module")
def emulator() -> Iterator[AcmeEmulator]:
    emulator = AcmeEmulator()
    emulator.server.start()
    yield emulator
    emulator.server.stop()


class TestAcme(TrainsPromises, AnswersPromises):
    @pytest.fixture
    def subject(self, emulator: AcmeEmulator) -> Iterator[Subject]:
        acme = Acme(emulator)
        yield acme
        acme.backend.client.close()
        emulator.server.faults.clear()


class TestAcmeFacts(PlatformPromises):
    platform = "acme"


class TestAcmeTurns(FormatPromises):
    format = "acme-turns"
