"""A support desk on the emulated Vertex AI: training lines, and Google's own SDKs pointed there."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest
from google import genai
from google.auth.transport.requests import Request
from google.cloud import storage
from google.genai import types
from google.oauth2 import service_account

from cloudistill.emulators import World, emulate

EXPERIMENTAL = "ignore:The SDK's tuning implementation is experimental"
TODAY = date(2026, 11, 24)
HOUR = 3600
BASE = "gemini-3.5-flash"
BUCKET = PROJECT = "cloudistill-emulated"
PLACE = f"/v1beta1/projects/{PROJECT}/locations/us-central1"
JSON = dict[str, Any]


def tool(name: str, description: str, **properties: JSON) -> JSON:
    parameters = {"type": "OBJECT", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "parameters": parameters}


TOOLS = [
    tool("track_order", "Say where an order is", order_id={"type": "STRING", "description": "like A1234"}),
    tool("refund_order", "Give the money back", order_id={"type": "STRING", "description": "like A1234"}),
    tool("reset_password", "Send a link", email={"type": "STRING", "description": "the account's address"}),
]
SENTENCES = [
    (
        "track_order",
        "order_id",
        ["Where is {}?", "Has {} been shipped yet?", "My parcel {} is late", "Follow {} for me"],
    ),
    ("refund_order", "order_id", ["I want my money back for {}", "Refund {} please", "{} broke, pay me back"]),
    ("reset_password", "email", ["I can't log in as {}", "Forgot my password, {}", "New password for {}, please"]),
]


def line(text: str, *model: JSON, **more: Any) -> JSON:
    contents = [{"role": "user", "parts": [{"text": text}]}, {"role": "model", "parts": list(model)}]
    return {"contents": contents, "tools": [{"functionDeclarations": TOOLS}], **more}


def corpus(start: int, count: int) -> list[JSON]:
    """Requests with slots nobody has seen before, each answered by one call."""
    rows: list[JSON] = []
    for number in range(start, start + count):
        name, slot, sentences = SENTENCES[number % 3]
        value = f"A{1000 + 37 * number}" if slot == "order_id" else f"user{number}@example.com"
        text = sentences[number // 3 % len(sentences)].format(value)
        rows.append(line(text, {"functionCall": {"name": name, "args": {slot: value}}}))
    return rows


class Google:
    """The SDKs a program would use, pointed at the emulator by its environment alone."""

    def __init__(self, world: World) -> None:
        self.world, self.vertex = world, world.vertex
        self._clients: dict[str, genai.Client] = {}
        self.http = httpx.Client()

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in self.world.environment.items():
            monkeypatch.setenv(name, value)

    def close(self) -> None:
        for client in (self.http, *self._clients.values()):
            client.close()

    @property
    def client(self) -> genai.Client:
        return self.at("us-central1")

    def at(self, location: str) -> genai.Client:
        """The client of a location, kept: one that is let go closes its connections, even under a call."""
        if location not in self._clients:
            url = self.world.environment["GOOGLE_VERTEX_BASE_URL"]
            self._clients[location] = genai.Client(
                vertexai=True, project=PROJECT, location=location, http_options=types.HttpOptions(base_url=url)
            )
        return self._clients[location]

    def upload(self, rows: list[JSON] | bytes, name: str = "train.jsonl") -> str:
        raw = rows if isinstance(rows, bytes) else "".join(json.dumps(row) + "\n" for row in rows).encode()
        with closing(bucket_client()) as client:
            client.bucket(BUCKET).blob(name).upload_from_string(raw)
        return f"gs://{BUCKET}/{name}"

    def tune(self, uri: str, *, place: str = "us-central1", **config: Any) -> types.TuningJob:
        base = config.pop("base_model", BASE)
        dataset = types.TuningDataset(gcs_uri=uri)
        return self.at(place).tunings.tune(
            base_model=base, training_dataset=dataset, config=types.CreateTuningJobConfig(**config)
        )

    def get(self, job: types.TuningJob) -> types.TuningJob:
        return self.client.tunings.get(name=job.name or "")

    def tuned(self, rows: list[JSON], **config: Any) -> types.TuningJob:
        job = self.tune(self.upload(rows), **config)
        self.world.clock.advance(HOUR)
        return self.get(job)

    def send(self, method: str, path: str, body: JSON | None = None) -> tuple[int, JSON]:
        """A request that the SDKs do not make, with the credentials they use."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = self.http.request(method, f"{self.vertex.server.url}{path}", json=body, headers=headers)
        return answer.status_code, answer.json()

    @cached_property
    def token(self) -> str:
        """Not by `before_request`, which asks the real Google where a service account may be used."""
        account: Any = service_account.Credentials
        scopes = ["https://www.googleapis.com/auth/cloud-platform"]
        credentials = account.from_service_account_file(self.vertex.identity.file, scopes=scopes)
        credentials.refresh(Request())
        return credentials.token


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch, today: date, teacher_key: Path | None = None) -> Generator[Google]:
    with emulate("vertex", today=today, teacher_key=teacher_key) as world:
        google = Google(world)
        google.enter(monkeypatch)
        yield google
        google.close()


def spec(**more: Any) -> JSON:
    return {"supervisedTuningSpec": {"trainingDatasetUri": f"gs://{BUCKET}/train.jsonl", **more}}


def bucket_client() -> Any:
    return storage.Client()


def endpoint_of(job: types.TuningJob) -> str:
    assert job.tuned_model is not None
    assert job.tuned_model.endpoint is not None
    return job.tuned_model.endpoint


def ask(cloud: Google, model: str, contents: Any = "Where is A77?", **config: Any) -> types.GenerateContentResponse:
    """One question, at the location that the model's own name has."""
    place = model.split("/")[3] if "/" in model else "global"
    if "tools" in config:
        config["tools"] = [{"functionDeclarations": config["tools"]}]
    return cloud.at(place).models.generate_content(
        model=model, contents=contents, config=types.GenerateContentConfig(**config)
    )
