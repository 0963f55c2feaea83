"""Training files that are there already, half there, or put there by somebody else at the same moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import VertexBackend
from cloudistill.core.errors import ServiceTrouble, UnusableAnswer
from cloudistill.emulators.server import Server

from .vendors import Canned, Vendor, close, trouble


@pytest.mark.parametrize("vendor", ["bedrock"], indirect=True)
def test_an_object_of_that_name_with_other_content_is_written_again(vendor: Vendor):
    session: Any = boto3.Session(region_name="us-east-1")
    s3, key = session.client("s3"), f"cloudistill/{vendor.fingerprint}.jsonl"
    s3.put_object(Bucket="cloudistill-emulated-us-east-1", Key=key, Body=b"x" * vendor.file.stat().st_size)
    s3.close()
    assert vendor.world.bedrock.storage.read(vendor.upload().id) == vendor.file.read_bytes()


@pytest.mark.parametrize("vendor", ["vertex"], indirect=True)
def test_a_cut_off_object_is_written_again(vendor: Vendor):
    blob = vendor.backend.storage.bucket(vendor.backend.bucket).blob(f"cloudistill/{vendor.fingerprint}.jsonl")
    blob.upload_from_string(b"half", retry=None)
    assert vendor.world.vertex.buckets.read(vendor.upload().id) == vendor.file.read_bytes()


@pytest.mark.usefixtures("world")
def test_an_object_that_another_has_just_written_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "train.jsonl"
    file.write_text("{}\n", "utf-8")
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(f"{request.method} {request.query_params.get('ifGenerationMatch', '')}")
        code = 404 if request.method == "GET" else 412
        return JSONResponse({"error": {"code": code, "message": "no", "errors": [{"reason": "r"}]}}, code)

    server = Server(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])]))
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    backend = VertexBackend()
    assert backend.upload(file, fingerprint="f" * 64).id.endswith(f"/cloudistill/{'f' * 64}.jsonl")
    assert [sent for sent in seen if sent.startswith("POST")] == ["POST 0"]
    close(backend)
    server.stop()


def test_a_file_of_which_openai_has_another_size_is_not_used(canned: Canned, tmp_path: Path):
    file = tmp_path / "train.jsonl"
    file.write_text("{}\n", "utf-8")
    canned.answer = {"id": "file-1", "bytes": 2, "object": "list", "data": []}
    backend = OpenAIBackend(base_url=f"{canned.url}/v1", api_key="sk-test")
    with pytest.raises(UnusableAnswer, match="POST /files"):
        backend.upload(file, fingerprint="f" * 64)
    close(backend)


@pytest.mark.parametrize("vendor", ["openai"], indirect=True)
def test_an_upload_whose_answer_was_lost_is_found_the_next_time(vendor: Vendor):
    vendor.server.fail(r"POST /v1/files$", kind="drop-after")
    error = trouble(vendor.backend, vendor.upload)
    assert isinstance(error, ServiceTrouble)
    assert error.retryable
    sent = vendor.server.count(r"POST /v1/files$")
    vendor.upload()
    assert vendor.server.count(r"POST /v1/files$") == sent
