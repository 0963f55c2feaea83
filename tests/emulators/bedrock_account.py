"""What the tests of the emulated Bedrock share: an account on the stock SDK that checks every answer, and rows."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudistill.emulators.bedrock import BedrockEmulator
from cloudistill.emulators.clock import Clock

MICRO = "amazon.nova-micro-v1:0"
TUNED = f"{MICRO}:128k"
EAST, WEST = "us-east-1", "us-west-2"
BUCKET = "cloudistill-emulated-us-east-1"
WEST_BUCKET = "cloudistill-emulated-us-west-2"
HOUR = 3600
PLACES = ("Lisbon", "Osaka", "Cairo", "Quito", "Perth", "Malmo", "Tunis", "Davao", "Turin", "Izmir", "Leeds", "Accra")
SKELETONS = {
    "get_weather": (
        "will it rain in {}",
        "how warm is it in {} today",
        "tell me the forecast for {}",
        "weather {} now",
    ),
    "find_hotel": (
        "find me a room in {}",
        "I need a hotel in {}",
        "book a bed for the night in {}",
        "where to sleep in {}",
    ),
    "get_time": ("what time is it in {}", "clock in {} please", "is it morning in {} yet", "the hour in {} right now"),
}
TOOLS: list[dict[str, Any]] = [
    {
        "name": name,
        "description": f"Looks it up: {name.replace('_', ' ')}.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    for name in SKELETONS
]
SYSTEM = "You answer with calls.\n" + json.dumps(TOOLS) + "\nAnswer in JSON."
CONFIG: dict[str, Any] = {
    "tools": [
        {"toolSpec": {"name": t["name"], "description": t["description"], "inputSchema": {"json": t["parameters"]}}}
        for t in TOOLS
    ]
}


def pairs(places: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Sentence, tool and city, shuffled."""
    made = [(s.format(c), name, c) for name, said in SKELETONS.items() for s in said for c in places]
    random.Random(7).shuffle(made)  # noqa: S311 - no secret is drawn
    return made


TRAIN, HELD_OUT = pairs(PLACES[:5]), pairs(PLACES[5:])[:24]


def text_row(question: str, name: str, city: str, *, key: str = "parameters", array: bool = False) -> dict[str, Any]:
    call: Any = {"name": name, key: {"city": city}}
    answer = json.dumps([call] if array else call)
    return {
        "schemaVersion": "bedrock-conversation-2024",
        "system": [{"text": SYSTEM}],
        "messages": [
            {"role": "user", "content": [{"text": question}]},
            {"role": "assistant", "content": [{"text": answer}]},
        ],
    }


def block_row(question: str, name: str, city: str) -> dict[str, Any]:
    use = {"toolUseId": "t1", "name": name, "input": {"city": city}}
    return {
        "schemaVersion": "bedrock-conversation-2024",
        "toolConfig": CONFIG,
        "messages": [
            {"role": "user", "content": [{"text": question}]},
            {"role": "assistant", "content": [{"toolUse": use}]},
        ],
    }


TEXT_ROWS = [text_row(*pair) for pair in TRAIN]


def honest(operation_model: Any, response_dict: Any, **_: Any) -> None:
    """Every good answer keeps to AWS's model: no unknown member, none missing, every string as its pattern says."""
    if response_dict["status_code"] < 300 and operation_model.service_model.service_name != "s3":
        assert list(strange(json.loads(response_dict["body"]), operation_model.output_shape)) == []


def strange(value: Any, shape: Any) -> Iterator[str]:
    if shape is None or getattr(shape, "is_document_type", False):
        return
    if shape.type_name == "structure":
        yield from (f"{shape.name}.{name} missing" for name in shape.required_members if name not in value)
        yield from (f"{shape.name}.{name} unknown" for name in value if name not in shape.members)
        for name in value.keys() & shape.members.keys():
            yield from strange(value[name], shape.members[name])
    elif shape.type_name == "list":
        for item in value:
            yield from strange(item, shape.member)
    elif shape.type_name == "string" and not re.fullmatch(shape.metadata.get("pattern", ".*"), value, re.DOTALL):
        yield f"{shape.name} {value!r}"


class Account:
    """The stock SDK pointed at an emulator, its clock, and the few orders the tests repeat."""

    def __init__(self, emulator: BedrockEmulator, clock: Clock) -> None:
        self.emulator, self.clock = emulator, clock
        environment = emulator.environment
        self._session: Any = boto3.Session(
            environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], region_name=EAST
        )
        self._open: list[Any] = []
        self.role = environment["CLOUDISTILL_BEDROCK_ROLE_ARN"]
        self.s3, self.bedrock = self.client("s3"), self.client("bedrock")
        self.runtime, self.west = self.client("bedrock-runtime"), self.client("bedrock", region=WEST)

    def client(self, service: str, *, region: str = EAST, **more: Any) -> Any:
        url = self.emulator.environment[f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"]
        # Client-side checks are off, so that the emulator is what refuses.
        settings = Config(parameter_validation=False, retries={"total_max_attempts": 1, "mode": "standard"})
        made: Any = self._session.client(service, region_name=region, endpoint_url=url, config=settings, **more)
        made.meta.events.register(f"before-parse.{service}", honest)
        self._open.append(made)
        return made

    def close(self) -> None:
        for client in self._open:
            client.close()

    def put(self, rows: list[dict[str, Any]] | bytes, key: str = "in/train.jsonl", bucket: str = BUCKET) -> str:
        body = rows if isinstance(rows, bytes) else "\n".join(map(json.dumps, rows)).encode()
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def order(self, **changes: Any) -> dict[str, Any]:
        order = {
            "jobName": "job-1",
            "customModelName": "model-1",
            "roleArn": self.role,
            "baseModelIdentifier": TUNED,
            "customizationType": "FINE_TUNING",
            "clientRequestToken": "token-1",
            "trainingDataConfig": {"s3Uri": f"s3://{BUCKET}/in/train.jsonl"},
            "outputDataConfig": {"s3Uri": f"s3://{BUCKET}/out/"},
        }
        return {key: value for key, value in (order | changes).items() if value is not None}

    def job(self, rows: list[dict[str, Any]] | bytes | None = None, **changes: Any) -> str:
        self.put(TEXT_ROWS if rows is None else rows)
        return str(self.bedrock.create_model_customization_job(**self.order(**changes))["jobArn"])

    def student(self, rows: list[dict[str, Any]] | None = None, **changes: Any) -> str:
        """The deployment of a freshly trained student."""
        job = self.job(rows, **changes)
        self.clock.advance(HOUR)
        model = self.bedrock.get_model_customization_job(jobIdentifier=job)["outputModelArn"]
        made = self.bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=model)
        self.clock.advance(HOUR)
        return str(made["customModelDeploymentArn"])

    def ask(self, model: str, text: str, **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": [{"text": text}]}]
        answer: dict[str, Any] = self.runtime.converse(modelId=model, messages=messages, **more)
        return answer


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int, str]:
    """Code, status and message."""
    response: Any = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": [{"text": text}]}
