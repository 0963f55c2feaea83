"""What the tests of Bedrock's distillation share: an emulated account with a teacher who knows, prompts and logs."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.emulators.bedrock_account import BUCKET, HOUR, PLACES, SKELETONS, pairs, said

from cloudistill.backends.backend import Request
from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.core.example import Example, Message, Tool
from cloudistill.core.job import Job, JobSpec
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.emulators import World, emulate
from cloudistill.formats.bedrock_conversation import BedrockConversation

from .vendors import close

MICRO = "amazon.nova-micro-v1:0:128k"
PRO = "amazon.nova-pro-v1:0"
LOGS = "logged/AWSLogs/123456789012/BedrockModelInvocationLogs"
CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = tuple(Tool(name=name, description=name.replace("_", " "), parameters=CITY) for name in SKELETONS)


PROMPTS, HELD_OUT = pairs(PLACES[:9]), pairs(PLACES[9:])


def lesson(sentence: str) -> Example:
    return Example(messages=(Message(role="user", content=sentence),), tools=TOOLS)


def prompt(sentence: str) -> dict[str, Any]:
    """A line without an answer, tools in the system text."""
    return BedrockConversation("text").encode(lesson(sentence))


def record(sentence: str, answer: str = "fine", *, model: str = PRO, **members: Any) -> dict[str, Any]:
    """One line of an invocation log."""
    return logged(prompt(sentence), answer, modelId=model, **members)


def logged(question: dict[str, Any], answer: str, **members: Any) -> dict[str, Any]:
    """A line as Bedrock logs it; `question` is a row of prompts."""
    asked = {name: value for name, value in question.items() if name != "schemaVersion"}
    told = {"output": {"message": said("assistant", answer)}, "stopReason": "end_turn"}
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-20T10:00:00Z",
        "accountId": "123456789012",
        "region": "us-east-1",
        "operation": "Converse",
        "modelId": PRO,
        "input": {"inputContentType": "application/json", "inputBodyJson": asked},
        "output": {"outputContentType": "application/json", "outputBodyJson": told},
        **members,
    }


class Desk:
    """A backend, the account behind it, and the orders the tests repeat."""

    def __init__(
        self, world: World, backend: BedrockBackend, name: str, folder: Path, patch: pytest.MonkeyPatch
    ) -> None:
        for variable, value in world.environment.items():
            patch.setenv(variable, value)
        self.world, self.backend, self.folder = world, backend, folder
        self.marker = hashlib.sha256(name.encode()).hexdigest()[:32]
        self.s3 = backend.client("s3")

    def upload(self, rows: list[Any]) -> FileRef:
        file = self.folder / "prompts.jsonl"
        file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
        return self.backend.upload(file, fingerprint=hashlib.sha256(file.read_bytes()).hexdigest())

    def log(self, records: list[dict[str, Any]], key: str = f"{LOGS}/us-east-1/2026/11/20/10/a.json.gz") -> None:
        for old in self.s3.list_objects_v2(Bucket=BUCKET, Prefix="logged/").get("Contents", ()):
            self.s3.delete_object(Bucket=BUCKET, Key=old["Key"])
        body = gzip.compress("".join(json.dumps(one) + "\n" for one in records).encode())
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)

    def spec(self, **members: Any) -> JobSpec:
        order: dict[str, Any] = {
            "run": "city desk",
            "marker": self.marker,
            "student": ModelRef("bedrock", MICRO),
            "method": "native",
            "teacher": ModelRef("bedrock", PRO),
        }
        return JobSpec(**(order | members))

    def finished(self, spec: JobSpec) -> Job:
        job = self.backend.submit(spec)
        self.world.clock.advance(HOUR)
        return self.backend.poll(job.ref)

    def deployed(self, spec: JobSpec, job: Job) -> ModelRef:
        assert job.model
        ref = self.backend.deploy(spec, job.model).ref
        self.world.clock.advance(HOUR)
        return ref

    def right(self, model: ModelRef) -> float:
        """The share of held-out sentences that are answered with the right call."""
        right = 0
        for sentence, name, city in HELD_OUT:
            answer = self.backend.generate(model, Request(example=lesson(sentence), rendering="text"))
            right += [(call.name, call.arguments) for call in answer.tool_calls] == [(name, {"city": city})]
        return right / len(HELD_OUT)


@contextmanager
def account(folder: Path) -> Generator[tuple[World, BedrockBackend]]:
    """An emulated Bedrock whose base models know the answer to every prompt."""
    key = folder / "key.jsonl"
    rows = [[{"role": "user", "content": sentence}, called(name, city)] for sentence, name, city in PROMPTS]
    key.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in rows), "utf-8")
    with emulate("bedrock", today=date(2026, 11, 24), teacher_key=key) as world:
        backend = BedrockBackend()
        yield world, backend
        close(backend)


def called(name: str, city: str) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps({"city": city})}
    return {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}]}
