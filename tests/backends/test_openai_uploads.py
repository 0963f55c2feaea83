"""Large training files at OpenAI: sent in parts, whole or not at all, and never twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudistill.backends.openai import OpenAIBackend
from cloudistill.core.errors import ServiceTrouble, UnusableAnswer
from cloudistill.core.refs import FileRef
from cloudistill.emulators import World
from cloudistill.platforms.platform import load

from .vendors import Canned, close, trouble

PART = load("openai").limits.upload_part_bytes or 0
SMALL = b'{"row": 1}\n'


@pytest.fixture
def backend(world: World) -> Iterator[OpenAIBackend]:
    """One that sends in parts what is longer than a line; the uploads that others made are forgotten."""
    world.openai.uploads.made.clear()
    made = OpenAIBackend(single_upload_bytes=len(SMALL) - 1)
    yield made
    close(made)
    world.openai.server.faults.clear()


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A short training file that no other test has."""
    path = tmp_path / "train.jsonl"
    path.write_bytes(SMALL + json.dumps({"test": request.node.name}).encode() + b"\n")
    return path


def send(backend: OpenAIBackend, path: Path) -> FileRef:
    return backend.upload(path, fingerprint=hashlib.sha256(path.read_bytes()).hexdigest())


def states(world: World) -> list[str]:
    """What became of each upload."""
    return [upload.status(world.clock.now()) for upload in world.openai.uploads.made.values()]


def test_the_limits_are_facts_and_a_part_is_far_below_what_openai_takes():
    limits = load("openai").limits
    assert (limits.single_upload_bytes, PART, limits.file_bytes) == (512_000_000, 16_000_000, 8_000_000_000)


def test_a_large_file_goes_in_parts_and_arrives_whole(backend: OpenAIBackend, world: World, file: Path):
    file.write_bytes(file.read_bytes() + b'{"x": "' + bytes(range(97, 123)) * (PART // 20) + b'"}\n')
    wholes, parts = r"POST /v1/files$", r"POST /v1/uploads/[^/]+/parts$"
    before = world.openai.server.count(wholes), world.openai.server.count(parts)
    ref = send(backend, file)
    assert backend.client.files.content(ref.id).read() == file.read_bytes()
    assert (world.openai.server.count(wholes), world.openai.server.count(parts)) == (before[0], before[1] + 2)
    assert states(world) == ["completed"]


def test_what_was_sent_in_parts_is_found_and_not_sent_again(backend: OpenAIBackend, world: World, file: Path):
    ref = send(backend, file)
    sent = world.openai.server.count(r"POST ")
    whole = OpenAIBackend()
    assert send(backend, file) == send(whole, file) == ref
    assert world.openai.server.count(r"POST ") == sent
    close(whole)


def test_a_file_of_the_allowed_length_goes_in_one_request(world: World, file: Path):
    backend = OpenAIBackend(single_upload_bytes=file.stat().st_size)
    before = world.openai.server.count(r"/v1/uploads")
    assert send(backend, file)
    assert world.openai.server.count(r"/v1/uploads") == before
    close(backend)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("parts", "refuse"),
        ("parts", "html"),
        ("parts", "drop-before"),
        ("parts", "drop-after"),
        ("complete", "refuse"),
        ("complete", "drop-before"),
    ],
)
def test_what_fails_half_way_is_called_off_and_goes_the_next_time(
    backend: OpenAIBackend, world: World, file: Path, step: str, kind: str
):
    world.openai.server.fail(rf"POST /v1/uploads/[^/]+/{step}$", kind=kind)
    failed = trouble(backend, lambda: send(backend, file))
    assert type(failed) is (UnusableAnswer if kind == "html" else ServiceTrouble)
    assert failed.retryable
    assert states(world) == ["cancelled"]
    assert backend.client.files.content(send(backend, file).id).read() == file.read_bytes()


@pytest.mark.parametrize("kind", ["drop-after", "html"])
def test_a_file_that_was_completed_without_our_knowing_is_found(
    backend: OpenAIBackend, world: World, file: Path, kind: str
):
    world.openai.server.fail(r"POST /v1/uploads/[^/]+/complete$", kind=kind)
    assert trouble(backend, lambda: send(backend, file)).retryable
    assert states(world) == ["completed"]
    send(backend, file)
    assert states(world) == ["completed"]


def test_a_cancellation_that_fails_does_not_hide_what_went_wrong(backend: OpenAIBackend, world: World, file: Path):
    world.openai.server.fail(r"POST /v1/uploads/[^/]+/parts$", status=500, body=b'{"error": {"message": "the cause"}}')
    world.openai.server.fail(r"POST /v1/uploads/[^/]+/cancel$", kind="html")
    assert "the cause" in str(trouble(backend, lambda: send(backend, file)))


def test_nothing_is_asked_of_an_upload_that_was_not_begun(backend: OpenAIBackend, world: World, file: Path):
    before = world.openai.server.count(r"/cancel$")
    world.openai.server.fail(r"POST /v1/uploads$", kind="html")
    assert isinstance(trouble(backend, lambda: send(backend, file)), UnusableAnswer)
    assert world.openai.server.count(r"/cancel$") == before


@pytest.mark.parametrize(("status", "found"), [("processed", "file-1"), ("uploaded", "file-1"), ("error", "file-2")])
def test_a_file_that_openai_could_not_read_is_sent_again(
    canned: Canned, canned_backend: OpenAIBackend, file: Path, status: str, found: str
):
    size, fingerprint = file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()
    there = {"id": "file-1", "filename": f"cloudistill-{fingerprint[:32]}.jsonl", "bytes": size, "status": status}
    canned.answer = {"object": "list", "data": [there], "has_more": False, "id": "file-2", "bytes": size}
    assert send(canned_backend, file).id == found


def test_the_whole_is_signed_and_its_length_is_compared(canned: Canned, file: Path):
    canned.answer = {"id": "thing-1", "object": "list", "data": [], "bytes": 2, "file": {"id": "file-1", "bytes": 2}}
    backend = OpenAIBackend(base_url=f"{canned.url}/v1", api_key="sk-test", single_upload_bytes=1)
    assert isinstance(trouble(backend, lambda: send(backend, file)), UnusableAnswer)
    sent = dict(canned.bodies)
    assert json.loads(sent["POST /v1/uploads"])["bytes"] == file.stat().st_size
    md5 = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    assert json.loads(sent["POST /v1/uploads/thing-1/complete"]) == {"part_ids": ["thing-1"], "md5": md5}
    assert canned.bodies[-1][0] == "POST /v1/uploads/thing-1/cancel"
    close(backend)
