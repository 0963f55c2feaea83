"""A conversation of the stock SDKs with all three emulators in which nothing is wrong: mistakes are planted into it."""

from __future__ import annotations

import json
from contextlib import closing
from functools import cache
from typing import Any

import boto3
import pytest
from openai import OpenAI
from tests.emulators.bedrock_account import BUCKET, CONFIG, HOUR, TEXT_ROWS, TUNED, Account
from tests.emulators.vertex_desk import TODAY, TOOLS, Google, ask, corpus, endpoint_of, spec

from cloudistill.emulators import World, emulate
from cloudistill.emulators.recording import Exchange, listening

STUDENT = "gpt-4.1-mini-2025-04-14"
ROWS = [
    {
        "messages": [
            {"role": "user", "content": f"Where is {city}?"},
            {"role": "assistant", "content": f"{city} is here."},
        ]
    }
    for city in (
        "Oslo",
        "Lima",
        "Cairo",
        "Hanoi",
        "Quito",
        "Accra",
        "Dhaka",
        "Sofia",
        "Tunis",
        "Minsk",
        "Paris",
        "Delhi",
    )
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "locate",
        "description": "Where a city is.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@cache
def good() -> tuple[Exchange, ...]:
    """Every exchange, in order."""
    heard: list[Exchange] = []
    with pytest.MonkeyPatch.context() as patch, listening(heard.append), emulate(today=TODAY) as world:
        for name, value in world.environment.items():
            patch.setenv(name, value)
        _with_openai(world)
        _with_aws(world)
        _with_google(world)
    return tuple(heard)


def _with_openai(world: World) -> None:
    where = world.environment
    with OpenAI(base_url=where["OPENAI_BASE_URL"], api_key=where["OPENAI_API_KEY"], max_retries=0) as client:
        jobs = client.fine_tuning.jobs
        file = client.files.create(file=("train.jsonl", LINES), purpose="fine-tune").id
        client.files.content(file).read()
        client.files.retrieve(file)
        client.files.list()
        job = jobs.create(model=STUDENT, training_file=file, suffix="desk", seed=7, metadata={"run": "x"})
        for _ in range(3):
            jobs.retrieve(job.id)
            world.clock.advance(HOUR / 4)
        world.clock.advance(HOUR)
        model = jobs.retrieve(job.id).fine_tuned_model
        jobs.retrieve(job.id)
        jobs.list(limit=5, metadata={"run": "x"})
        jobs.list_events(job.id, limit=50)
        jobs.checkpoints.list(job.id)
        cancelled = jobs.create(model=STUDENT, training_file=file).id
        jobs.cancel(cancelled)
        jobs.retrieve(cancelled)
        bad = client.files.create(file=("bad.jsonl", LINES[: LINES.index(b"\n") + 1]), purpose="fine-tune").id
        failed = jobs.create(model=STUDENT, training_file=bad).id
        world.clock.advance(HOUR)
        jobs.retrieve(failed)
        _upload(client)
        client.models.list()
        client.models.retrieve(str(model))
        question: Any = [{"role": "user", "content": "Where is Oslo?"}]
        client.chat.completions.create(model=str(model), messages=question, tools=[TOOL], temperature=0)
        list(client.chat.completions.create(model=str(model), messages=question, stream=True))
        client.files.delete(bad)
        with pytest.raises(Exception, match="404"):
            client.files.retrieve("file-none")


def _upload(client: OpenAI) -> None:
    upload = client.uploads.create(bytes=len(LINES), filename="two.jsonl", mime_type="text/jsonl", purpose="fine-tune")
    half = len(LINES) // 2
    ids = [client.uploads.parts.create(upload.id, data=piece).id for piece in (LINES[:half], LINES[half:])]
    done = client.uploads.complete(upload.id, part_ids=ids)
    assert done.file is not None
    client.files.content(done.file.id).read()


def _with_aws(world: World) -> None:
    account = Account(world.bedrock, world.clock)
    sdk: Any = boto3
    with closing(account), closing(sdk.client("sts")) as sts:
        sts.get_caller_identity()
        deployment = account.student(TEXT_ROWS[:12])
        account.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=deployment)
        account.bedrock.get_model_customization_job(jobIdentifier="job-1")
        account.bedrock.list_model_customization_jobs(maxResults=5, sortOrder="Descending")
        account.ask(deployment, "will it rain in Perth", toolConfig=CONFIG)
        account.s3.get_object(Bucket=BUCKET, Key="in/train.jsonl")["Body"].read()
        account.s3.list_objects_v2(Bucket=BUCKET, Prefix="out/")
        failed = account.job(b"{}\n", jobName="job-2", customModelName="model-2", clientRequestToken="token-2")
        account.bedrock.get_model_customization_job(jobIdentifier=failed)
        account.clock.advance(HOUR)
        account.bedrock.get_model_customization_job(jobIdentifier=failed)
        _in_parts(account.s3)
        with pytest.raises(Exception, match="ResourceNotFound"):
            account.bedrock.get_foundation_model(modelIdentifier=f"{TUNED}-none")


def _in_parts(s3: Any) -> None:
    at = {"Bucket": BUCKET, "Key": "in/two.jsonl"}
    upload = s3.create_multipart_upload(**at)["UploadId"]
    pieces = [b"a" * 5 * 2**20, b"b"]
    tags = [
        s3.upload_part(**at, UploadId=upload, PartNumber=number, Body=piece)["ETag"]
        for number, piece in enumerate(pieces, 1)
    ]
    done = [{"ETag": tag, "PartNumber": number} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**at, UploadId=upload, MultipartUpload={"Parts": done})
    s3.get_object(**at)["Body"].read()


def _with_google(world: World) -> None:
    google = Google(world)
    with closing(google):
        google.upload(corpus(0, 12))
        place = "/v1beta1/projects/cloudistill-emulated/locations/us-central1/tuningJobs"
        body = {"baseModel": "gemini-3.5-flash", "labels": {"run": "x"}, **spec(hyperParameters={"epochCount": "2"})}
        _, job = google.send("POST", place, body)
        google.send("GET", f"/v1beta1/{job['name']}")
        world.clock.advance(HOUR)
        tuned = google.client.tunings.get(name=job["name"])
        google.send("GET", f"/v1beta1/{job['name']}")
        google.send("GET", f"{place}?pageSize=5")
        ask(google, endpoint_of(tuned), "Where is A77?", tools=TOOLS)
        _, other = google.send("POST", place, {"baseModel": "gemini-3.5-flash", **spec()})
        google.send("POST", f"/v1beta1/{other['name']}:cancel", {})
        world.clock.advance(HOUR)
        for _ in range(2):
            google.send("GET", f"/v1beta1/{other['name']}")
        world.vertex.buckets.read("gs://cloudistill-emulated/train.jsonl")
        google.send("GET", f"{place}/1")
