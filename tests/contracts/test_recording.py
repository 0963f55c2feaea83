"""What is recorded: every exchange of every emulator, whoever starts it, no secret, no scripted fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import openai
import pytest
from openai import OpenAI
from tests.contracts.conversation import LINES
from tests.emulators.vertex_desk import TODAY, Google, corpus

from cloudistill.emulators import World, emulate
from cloudistill.emulators.recording import RECORD_VARIABLE, Exchange, listening

PROGRAM = """
from cloudistill.emulators import emulate
from openai import OpenAI
with emulate("openai") as world:
    where = world.environment
    OpenAI(base_url=where["OPENAI_BASE_URL"], api_key=where["OPENAI_API_KEY"]).models.list()
"""


def openai_of(world: World) -> OpenAI:
    where = world.environment
    return OpenAI(base_url=where["OPENAI_BASE_URL"], api_key=where["OPENAI_API_KEY"], max_retries=0)


def written(path: Path) -> list[Exchange]:
    return [Exchange.from_json(json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def test_all_three_vendors_are_written_down_and_no_secret_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = tmp_path / "record.jsonl"
    heard: list[Exchange] = []
    with emulate(today=TODAY, record=record) as world, listening(heard.append):
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        google, sdk = Google(world), boto3
        with openai_of(world) as client, closing(google), closing(_client(sdk, "sts")) as sts:
            client.files.create(file=("train.jsonl", b"\xff\n"), purpose="fine-tune")
            sts.assume_role(RoleArn=world.environment["CLOUDISTILL_BEDROCK_ROLE_ARN"], RoleSessionName="xx")
            signed = _client(sdk, "s3").generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
            google.http.get(signed)
            google.upload(corpus(0, 1))
            secrets = [google.token, world.environment["OPENAI_API_KEY"], world.environment["AWS_SECRET_ACCESS_KEY"]]
    there = {exchange.server.split("-")[0] for exchange in written(record)}
    assert there == {"openai", "aws", "vertex", "storage"}
    text = record.read_text("utf-8")
    assigned = [json.loads(e.answer)["access_token"] for e in heard if e.path == "/token"]
    lent = [
        e.answer.split(b"<SecretAccessKey>")[1].split(b"<")[0].decode()
        for e in heard
        if b"<SecretAccessKey>" in e.answer
    ]
    asked = [e.body.partition(b"assertion=")[2].decode() for e in heard if e.path == "/token"]
    assert assigned
    assert lent
    for secret in [*secrets, *assigned, *lent, *asked, signed.partition("Signature=")[2]]:
        assert secret
        assert secret not in text
    assert next(exchange for exchange in written(record) if exchange.path == "/v1/files") in heard


def _client(sdk: Any, service: str) -> Any:
    return sdk.client(service)


def test_nothing_is_written_after_the_block(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    with emulate("openai") as longer, openai_of(longer) as client:
        with emulate("openai", record=record):
            client.models.list()
        client.models.list()
    assert len(written(record)) == 1


def test_a_scripted_fault_is_not_the_emulators_answer() -> None:
    heard: list[Exchange] = []
    with emulate("openai") as world, listening(heard.append), openai_of(world) as client:
        world.openai.server.fail("GET /v1/models", status=503)
        with pytest.raises(openai.APIStatusError):
            client.models.list()
        world.openai.server.fail("GET /v1/models", kind="html")
        assert b"<html>" in client.models.with_raw_response.list().content
    assert [(exchange.path, exchange.status) for exchange in heard] == [("/v1/models", 200)]


def test_a_stream_is_recorded_whole_and_before_its_reader_has_it() -> None:
    heard: list[Exchange] = []
    question: Any = [{"role": "user", "content": "Hello?"}]
    with emulate("openai") as world, listening(heard.append), openai_of(world) as client:
        chunks = list(client.chat.completions.create(model="gpt-4.1-2025-04-14", messages=question, stream=True))
        assert len(heard) == 1
    assert heard[0].answer.count(b"data: ") == len(chunks) + 1


def test_a_file_that_was_refused_before_it_was_read_is_recorded_whole() -> None:
    heard: list[Exchange] = []
    with (
        emulate("openai") as world,
        listening(heard.append),
        openai_of(world) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.with_options(api_key="wrong").files.create(file=("train.jsonl", LINES), purpose="fine-tune")
    assert LINES in heard[0].body


def test_an_emulator_of_another_program_is_heard_where_a_variable_names_the_file(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    environment = os.environ | {RECORD_VARIABLE: str(record)}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, timeout=60)
    (exchange,) = written(record)
    assert (exchange.method, exchange.path, exchange.status) == ("GET", "/v1/models", 200)
