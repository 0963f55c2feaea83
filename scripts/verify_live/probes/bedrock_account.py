"""What the probes of Amazon Bedrock share: rows, orders that our backend would not send, jobs that are made once."""

from __future__ import annotations

import gzip
import json
import secrets
from typing import Any

from cloudistill.backends.bedrock import orders
from cloudistill.backends.bedrock.outputs import Outputs
from cloudistill.core.errors import PlatformError
from cloudistill.core.job import Condition, Deployment, Job, JobSpec, JobStatus, Logs
from cloudistill.core.refs import JobRef, ModelRef
from scripts.verify_live.desk import Desk, Unsettled, Verdict, leftovers, verdict, words
from scripts.verify_live.tuned import Tuned, tuned

STUDENT = ModelRef("bedrock", "amazon.nova-micro-v1:0:128k")
TEACHER = ModelRef("bedrock", "amazon.nova-pro-v1:0")
ROWS, PROMPTS, TOO_FEW, TOO_MANY, CAP = 12, 120, 20, 15_001, 40
VERSION = "bedrock-conversation-2024"
GOLDEN = "Vermilion, as told"
Row = dict[str, Any]


# -- rows


def turn(role: str, *texts: str) -> Row:
    """One turn, a text block for each text."""
    return {"role": role, "content": [{"text": text} for text in texts]}


def row_of(*turns: Row, **members: Any) -> Row:
    """A row of these turns."""
    return {"schemaVersion": VERSION, "messages": [*turns], **members}


def lesson(number: int, salt: str = "Counting") -> Row:
    """A short lesson in counting."""
    return row_of(turn("user", f"{salt}: what follows {number}?"), turn("assistant", str(number + 1)))


def prompt_rows(count: int, salt: str) -> list[Row]:
    """Prompts without answers, each asking for a long one; `salt` sets files apart."""
    return [row_of(turn("user", f"{salt} {number}: tell a story of at least 300 words.")) for number in range(count)]


def _tools() -> Row:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    spec = {"name": "get_weather", "description": "The weather in a city.", "inputSchema": {"json": schema}}
    return {"tools": [{"toolSpec": spec}]}


def called_row(number: int) -> Row:
    """A lesson whose answer is a tool call, spelled with `toolConfig`."""
    use = {"toolUseId": f"t{number}", "name": "get_weather", "input": {"city": f"City {number}"}}
    asked = turn("user", f"What is the weather in City {number}?")
    return row_of(asked, {"role": "assistant", "content": [{"toolUse": use}]}, toolConfig=_tools())


def _record(number: int) -> Row:
    """A logged request whose metadata lacks the key that is filtered on."""
    asked, told = turn("user", f"What follows {number}?"), turn("assistant", str(number + 1))
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-24T09:00:00Z",
        "operation": "Converse",
        "modelId": TEACHER.id,
        "requestMetadata": {"purpose": "verify-live"},
        "input": {"inputContentType": "application/json", "inputBodyJson": {"messages": [asked]}},
        "output": {"outputContentType": "application/json", "outputBodyJson": {"output": {"message": told}}},
    }


# -- orders


def checked(job: Job) -> bool:
    """Whether the job has passed the stage of validation."""
    return "validation Completed" in (job.last_event or "")


def processed(job: Job) -> bool:
    """Whether the job has passed the stage of data processing."""
    return "data processing Completed" in (job.last_event or "")


def native(desk: Desk, **members: Any) -> JobSpec:
    """An order of the teacher and student that are tried."""
    return desk.spec(STUDENT, method="native", teacher=TEACHER, **members)


def raw(desk: Desk, spec: JobSpec) -> Row:
    """The members of the create request, to be changed where our backend would not."""
    return orders.create_request(spec, role_arn=desk.backend.role_arn, bucket=desk.backend.bucket, legal=())


def sent(desk: Desk, spec: JobSpec, request: Row) -> PlatformError | None:
    """How Bedrock refuses the raw request; a job that it makes nevertheless is stopped."""
    desk.remove_order_later(spec)
    client = desk.backend.client("bedrock")
    refused = desk.refusal(lambda: client.create_model_customization_job(**request))
    if refused is None:
        desk.stop(JobRef("bedrock", request["jobName"]))
    return refused


def accepted(desk: Desk, rows: list[Row]) -> Verdict:
    """Whether Bedrock's tuner takes the rows; the job is stopped before it learns from them."""
    job = desk.judged(desk.spec(STUDENT, training=desk.upload(rows)), checked)
    return verdict(job.status is not JobStatus.FAILED, words(job))


@leftovers("bedrock")
def _remove_outputs(desk: Desk, spec: JobSpec, _job: Job) -> None:
    """Everything below the order's output prefix."""
    _remove_below(desk, f"cloudistill/out/{spec.marker}/")


def _remove_below(desk: Desk, prefix: str) -> None:
    s3, bucket = desk.backend.client("s3"), desk.backend.bucket
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", ()):
            s3.delete_object(Bucket=bucket, Key=found["Key"])


# -- steps


def tuned_job(desk: Desk) -> Tuned:
    """The small tuned job."""
    return desk.step("bedrock-job", _tune)


def _tune(desk: Desk) -> Tuned:
    validation = desk.upload([lesson(n, "Checking") for n in range(ROWS)])
    training = desk.upload([lesson(n) for n in range(ROWS)])
    return tuned(desk, desk.spec(STUDENT, training=training, validation=validation, hyperparameters={"epochs": 1}))


def deployment(desk: Desk) -> Deployment:
    """The deployment of the small tuned job."""
    return desk.step("bedrock-deployment", _deploy)


def _deploy(desk: Desk) -> Deployment:
    done = tuned_job(desk)
    ordered = desk.once(lambda: desk.backend.deploy(done.spec, done.model)).ref
    found = desk.wait(lambda: desk.backend.poll_deployment(ordered), lambda one: one.status is not JobStatus.PENDING)
    if found.status is not JobStatus.SUCCEEDED:
        raise Unsettled(f"the deployment came to nothing: {found.native_status} {found.failure or ''}")
    return found


def distillation(desk: Desk) -> Tuned:
    """The small distillation."""
    return desk.step("bedrock-distillation", _distil)


def _distil(desk: Desk) -> Tuned:
    golden = [row_of(turn("user", f"Which colour is number {n}?"), turn("assistant", GOLDEN)) for n in range(5)]
    training = desk.upload([*golden, *prompt_rows(PROMPTS, "Distilling")])
    validation = desk.upload([lesson(n, "Checking") for n in range(ROWS)])
    ordered = native(
        desk, training=training, validation=validation, teacher_max_tokens=CAP, hyperparameters={"epochs": 1}
    )
    return tuned(desk, ordered)


def logged_job(desk: Desk) -> Job:
    """A job from logs that carry no key to filter on, stopped once its source was judged."""
    return desk.step(
        "bedrock-logs", lambda desk: job_from_logs(desk, "AWSLogs/000000000000/BedrockModelInvocationLogs")
    )


def job_from_logs(desk: Desk, folder: str) -> Job:
    """A job from records in this folder of a prefix of its own, stopped once they were judged."""
    prefix = f"cloudistill/verify-live/{secrets.token_hex(8)}"
    body = "".join(json.dumps(_record(number)) + "\n" for number in range(PROMPTS))
    key = f"{prefix}/{folder}/{desk.backend.region}/2026/11/24/09/records.json.gz"
    s3, bucket = desk.backend.client("s3"), desk.backend.bucket
    desk.later(f"s3://{bucket}/{prefix}", lambda: _remove_below(desk, prefix))
    desk.ask(lambda: s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(body.encode())))
    where = (Condition(key="cost-centre", value="none", equal=False),)
    logs = Logs(uri=f"s3://{bucket}/{prefix}/{folder}", use_answers=True, where=where)
    return desk.judged(native(desk, logs=logs), checked)


def outputs_of(desk: Desk, done: Tuned) -> Outputs:
    """The files that a job left."""
    client = desk.backend.client("bedrock")
    found = desk.ask(lambda: client.get_model_customization_job(jobIdentifier=done.job.ref.id))
    return Outputs(desk.backend.client("s3"), found)
