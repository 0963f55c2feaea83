"""Bedrock's own distillation through our backend: from prompts and from logs, and what is refused before sending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.emulators.bedrock_account import pairs, said

from cloudistill.backends.backend import Request
from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.core.errors import UnusableAnswer, UsageError
from cloudistill.core.job import Condition, JobStatus, Logs
from cloudistill.core.refs import FileRef, JobRef, ModelRef

from .bedrock_desk import (
    BUCKET,
    HOUR,
    LOGS,
    MICRO,
    PRO,
    PROMPTS,
    Desk,
    lesson,
    prompt,
    record,
)
from .vendors import Canned, close, trouble

SOURCE = Logs(uri=f"s3://{BUCKET}/{LOGS}", use_answers=True)
ROWS = [prompt(sentence) for sentence, *_ in PROMPTS]


def test_from_prompts_without_answers_comes_a_student_that_beats_its_base(aws: Desk) -> None:
    spec = aws.spec(training=aws.upload(ROWS), teacher_max_tokens=200)
    aws.backend.accepts(spec)
    assert aws.backend.find(spec) is None
    ordered = aws.backend.submit(spec)
    told = aws.backend.client("bedrock").get_model_customization_job(jobIdentifier=ordered.ref.id)
    assert told["customizationType"] == "DISTILLATION"
    teacher = told["customizationConfig"]["distillationConfig"]["teacherModelConfig"]
    assert teacher == {"teacherModelIdentifier": PRO, "maxResponseLengthForInference": 200}
    assert aws.backend.prompt_report(ordered.ref) is None
    assert aws.backend.metrics(ordered.ref) == []
    found = aws.backend.find(spec)
    assert found is not None
    assert (found.ref, found.status) == (ordered.ref, JobStatus.RUNNING)
    aws.world.clock.advance(HOUR)
    job = aws.backend.poll(ordered.ref)
    assert job.status is JobStatus.SUCCEEDED
    assert aws.right(aws.deployed(spec, job)) > 0.8 > aws.right(ModelRef("bedrock", "amazon.nova-micro-v1:0"))
    report = aws.backend.prompt_report(job.ref)
    assert report is not None
    assert (report.accepted, report.rejected, report.reasons) == (len(ROWS), 0, {})


def test_bad_prompts_are_dropped_and_counted_by_reason(aws: Desk) -> None:
    turns = [said("user", "a"), said("assistant", "b"), said("user", "c")]
    bad: list[Any] = ["{no json", ROWS[0] | {"id": "7"}, ROWS[0] | {"toolConfig": {}}, ROWS[0] | {"schemaVersion": "1"}]
    job = aws.finished(aws.spec(training=aws.upload([*ROWS, *bad, ROWS[0] | {"messages": turns}])))
    report = aws.backend.prompt_report(job.ref)
    assert report is not None
    assert (report.accepted, report.rejected) == (len(ROWS) + 1, 4)
    assert report.reasons == {
        "schemaVersion must be bedrock-conversation-2024": 2,
        "extraneous key [id] is not permitted": 1,
        "extraneous key [toolConfig] is not permitted": 1,
    }
    (source,) = report.sources
    assert source.startswith(f"s3://{BUCKET}/cloudistill/out/{aws.marker}/model-customization-job-")


def test_too_few_prompts_fail_the_job_and_the_failure_is_told_as_an_event(aws: Desk) -> None:
    job = aws.finished(aws.spec(training=aws.upload(ROWS[:99])))
    assert job.status is JobStatus.FAILED
    assert "Number of valid prompts 99 out of bounds between 100 and 15000" in (job.failure or "")
    assert aws.backend.prompt_report(job.ref) is None
    last = [event for event in aws.backend.events(job.ref) if event.level == "error"]
    assert [event.kind for event in last] == ["validationDetails", "job", "failure"]
    assert last[-1].message == job.failure


def test_an_answer_that_came_with_a_prompt_is_learnt_as_it_is(aws: Desk) -> None:
    golden = [{**row, "messages": [*row["messages"], said("assistant", "Ask the concierge.")]} for row in ROWS]
    spec = aws.spec(training=aws.upload(golden))
    student = aws.deployed(spec, aws.finished(spec))
    answer = aws.backend.generate(student, request_of("find me a room in Leeds"))
    assert answer.content == "Ask the concierge."


def request_of(sentence: str) -> Request:
    return Request(example=lesson(sentence), rendering="text")


def answered(model: str = PRO, **members: Any) -> list[dict[str, Any]]:
    return [
        record(sentence, json.dumps([{"name": name, "arguments": {"city": city}}]), model=model, **members)
        for sentence, name, city in PROMPTS
    ]


def test_from_logged_answers_comes_a_student_and_the_teacher_is_not_asked_again(aws: Desk) -> None:
    strangers = [record(f"unknown {n}", model="us.amazon.nova-pro-v1:0") for n in range(200)]
    lost = record("too large", input={"inputBodyS3Path": "s3://elsewhere"})
    turns = record("two turns")
    turns["input"]["inputBodyJson"]["messages"] = [said("user", "a"), said("assistant", "b"), said("user", "c")]
    aws.log([*answered(), *strangers, lost, turns])
    spec = aws.spec(logs=SOURCE)
    aws.backend.accepts(spec)
    job = aws.finished(spec)
    assert job.status is JobStatus.SUCCEEDED, job.failure
    report = aws.backend.prompt_report(job.ref)
    assert report is not None
    assert (report.accepted, report.rejected) == (len(PROMPTS), 2)
    assert aws.right(aws.deployed(spec, job)) > 0.8


def test_logged_answers_of_another_id_than_the_teachers_are_no_lessons(aws: Desk) -> None:
    aws.log(answered(model="us.amazon.nova-pro-v1:0"))
    job = aws.finished(aws.spec(logs=SOURCE))
    assert "Number of valid prompts 0" in (job.failure or "")
    profile = aws.spec(logs=SOURCE, teacher=ModelRef("bedrock", "us.amazon.nova-pro-v1:0"), marker="0" * 32)
    assert aws.finished(profile).status is JobStatus.SUCCEEDED


def test_logged_prompts_alone_are_answered_by_the_teacher_whoever_was_asked(aws: Desk) -> None:
    aws.log([record(sentence, "wrong", model="meta.llama3-1-8b-instruct-v1:0") for sentence, *_ in PROMPTS])
    spec = aws.spec(logs=Logs(uri=f"s3://{BUCKET}/logged/AWSLogs/"))
    assert aws.right(aws.deployed(spec, aws.finished(spec))) > 0.8


CS, DEV = Condition(key="project", value="cs"), Condition(key="env", value="dev")
NOT_DEV = Condition(key="env", value="dev", equal=False)


@pytest.mark.parametrize(
    ("where", "match", "sent", "kept"),
    [
        ((CS,), "all", {"equals": {"project": "cs"}}, 216),
        ((NOT_DEV,), "any", {"notEquals": {"env": "dev"}}, 324),
        ((CS, NOT_DEV), "all", {"andAll": [{"equals": {"project": "cs"}}, {"notEquals": {"env": "dev"}}]}, 108),
        ((CS, DEV), "any", {"orAll": [{"equals": {"project": "cs"}}, {"equals": {"env": "dev"}}]}, 216),
    ],
)
def test_conditions_pick_logged_requests_by_their_metadata(
    aws: Desk, where: tuple[Condition, ...], match: Any, sent: dict[str, Any], kept: int
) -> None:
    aws.log(
        [
            *answered(requestMetadata={"project": "cs", "env": "dev"}),
            *answered(requestMetadata={"project": "cs", "env": "live"}),
            *answered(requestMetadata={"project": "hr"}),
            *answered(),
        ]
    )
    spec = aws.spec(
        logs=Logs(uri=SOURCE.uri, use_answers=True, where=where, match=match), hyperparameters={"epochs": 1}
    )
    ordered = aws.backend.submit(spec)
    told = aws.backend.client("bedrock").get_model_customization_job(jobIdentifier=ordered.ref.id)
    assert told["trainingDataConfig"] == {
        "invocationLogsConfig": {
            "usePromptResponse": True,
            "invocationLogSource": {"s3Uri": SOURCE.uri},
            "requestMetadataFilters": sent,
        }
    }
    aws.world.clock.advance(HOUR)
    report = aws.backend.prompt_report(ordered.ref)
    assert report is not None
    assert report.accepted == kept


FILE = FileRef("bedrock", f"s3://{BUCKET}/prompts.jsonl")
LLAMA = ModelRef("bedrock", "meta.llama3-1-70b-instruct-v1:0")


def logs(**members: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"uri": SOURCE.uri} | members
    return {"logs": Logs(**given)}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"training": FILE, "teacher": None}, "needs a teacher"),
        ({"training": FILE, "teacher": ModelRef("openai", "gpt-4.1")}, "does not distil openai:gpt-4.1.*method sft"),
        ({"training": FILE, "teacher": LLAMA}, "does not distil.*amazon.nova-pro-v1:0, us.amazon.*method sft"),
        (
            {"training": FILE, "student": ModelRef("bedrock", "amazon.nova-pro-v1:0:300k")},
            r"for that: amazon.nova-premier-v1:0 \(until 2026-09-14\)\. ",
        ),
        ({"training": FILE, "teacher_max_tokens": 0}, "at least 1 token"),
        ({"training": FILE, **logs()}, "one source, leave one out"),
        ({}, "names neither a file of prompts nor logs"),
        (logs(uri=f"s3://{BUCKET}/logs/dt=2026-11-24/"), "does not match.*Hive-style"),
        (logs(uri=f"{SOURCE.uri}/caf\u00e9"), "invocationLogSource.s3Uri: .*does not match"),
        (logs(uri=""), "at least 1 are needed"),
        (logs(where=(CS,) * 17), "17 members, at most 16 are allowed.*fewer conditions"),
        (logs(where=(Condition(key="a,b", value="c"),)), "'a,b' does not match"),
        (logs(where=(Condition(key="a", value="x;y"),)), "'x;y' does not match"),
        (logs(where=(Condition(key="", value="c"),)), "at least 1 are needed"),
        (logs(where=(Condition(key="k" * 257, value="c"), CS)), "257 characters, at most 256"),
        ({"training": FILE, "seed": 1}, "no seed"),
        ({"training": FILE, "kms_key": "key/1"}, "customModelKmsKeyId: 'key/1' does not match"),
        ({"training": FILE, "native": {"customizationConfig": {}}}, "is set by cloudistill"),
        ({"training": FILE, "method": "sft", "teacher_max_tokens": 5}, "takes no teacher_max_tokens.*the method sft"),
        ({"training": FILE, "method": "sft", **logs()}, "takes no logs.*the method sft"),
        ({"training": FILE, "method": "sft"}, "takes no teacher with.*the method sft"),
    ],
)
def test_an_order_that_bedrock_cannot_take_is_refused_before_anything_is_sent(
    aws: Desk, members: dict[str, Any], words: str
) -> None:
    before = len(aws.world.bedrock.server.requests)
    with pytest.raises(UsageError, match=f"(?s){words}"):
        aws.backend.accepts(aws.spec(**members))
    assert len(aws.world.bedrock.server.requests) == before


def test_the_same_order_sent_twice_is_one_job(aws: Desk) -> None:
    spec = aws.spec(training=aws.upload(ROWS))
    assert aws.backend.submit(spec).ref == aws.backend.submit(spec).ref


def test_a_distillation_is_listed_among_the_jobs_and_stops_like_any(aws: Desk) -> None:
    ordered = aws.backend.submit(aws.spec(training=aws.upload(ROWS)))
    assert next(aws.backend.list()).ref == ordered.ref
    aws.world.clock.advance(400)
    aws.backend.cancel(ordered.ref)
    aws.world.clock.advance(HOUR)
    assert aws.backend.poll(ordered.ref).status is JobStatus.CANCELLED
    levels = {event.message: event.level for event in aws.backend.events(ordered.ref)}
    assert levels["data processing Stopped"] == levels["Stopped"] == "warning"
    assert aws.backend.prompt_report(ordered.ref) is None


def test_events_are_the_stages_with_their_times_oldest_first(aws: Desk) -> None:
    job = aws.finished(aws.spec(training=aws.upload(ROWS)))
    told = list(aws.backend.events(job.ref))
    start = told[0].at
    assert start == job.created
    assert start
    assert [(e.message, int((e.at - start).total_seconds()) if e.at else None) for e in told] == [
        ("ordered", 0),
        ("validation InProgress", 60),
        ("validation Completed", 300),
        ("data processing InProgress", 300),
        ("data processing Completed", 600),
        ("training InProgress", 600),
        ("training Completed", HOUR),
        ("Completed", HOUR),
    ]


def test_metrics_are_read_step_by_step_from_the_files_the_job_left(aws: Desk) -> None:
    held_out = [
        {**prompt(s), "messages": [said("user", s), said("assistant", "no idea")]} for s, *_ in pairs(("Oslo",))
    ]
    spec = aws.spec(training=aws.upload(ROWS), hyperparameters={"epochs": 3}, validation=aws.upload(held_out))
    job = aws.finished(spec)
    first, second, third = aws.backend.metrics(job.ref)
    assert [(step.step, step.epoch) for step in (first, second, third)] == [(1, 1), (2, 2), (3, 3)]
    assert first.training_loss
    assert third.training_loss
    assert first.training_loss > third.training_loss
    assert (first.validation_loss, second.validation_loss, third.validation_loss) == (None, None, 1.0)


def test_without_files_the_last_losses_stand_for_one_step(aws: Desk) -> None:
    job = aws.finished(aws.spec(training=aws.upload(ROWS)))
    whole = aws.backend.metrics(job.ref)
    folder = f"cloudistill/out/{aws.marker}/"
    for left in aws.s3.list_objects_v2(Bucket=BUCKET, Prefix=folder)["Contents"]:
        aws.s3.delete_object(Bucket=BUCKET, Key=left["Key"])
    (last,) = aws.backend.metrics(job.ref)
    assert last.training_loss == pytest.approx(whole[-1].training_loss, abs=1e-5)
    assert aws.backend.prompt_report(job.ref) is None


REPORTS: list[tuple[dict[str, Any], tuple[int, int, dict[str, int]] | None]] = [
    (
        {"insights.json": {"accepted": [{"n": 1}], "rejected": [{"reason": "long"}, {"reason": ""}]}},
        (1, 2, {"long": 1}),
    ),
    ({"accepted_prompts.jsonl": [{"p": 1}, {"p": 2}], "rejected_prompts.jsonl": [{"p": 3}]}, (2, 1, {})),
    (
        {"prompts.json": [{"verdict": "REJECTED", "reasons": ["a", "b"]}, {"verdict": "ACCEPTED"}]},
        (1, 1, {"a": 1, "b": 1}),
    ),
    ({"prompts.jsonl": [{"text": "it was rejected"}], "sample.json": [{"status": "accepted"}]}, None),
    ({"prompts.json": "no list", "insights.jsonl": ["a", 1]}, None),
    ({"prompts.csv": [{"status": "accepted"}]}, None),
]


@pytest.mark.parametrize(("files", "counts"), REPORTS)
def test_a_prompt_report_is_read_however_its_files_are_named(
    aws: Desk, files: dict[str, Any], counts: tuple[Any, ...] | None
) -> None:
    ordered = aws.backend.submit(aws.spec(training=aws.upload(ROWS)))
    folder = f"cloudistill/out/{aws.marker}/model-customization-job-{ordered.ref.id[-12:]}/reports"
    for name, body in files.items():
        text = "\n".join(["{torn", *map(json.dumps, body)]) if name.endswith("l") else json.dumps(body, indent=1)
        aws.s3.put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=text.encode())
    report = aws.backend.prompt_report(ordered.ref)
    assert (report and (report.accepted, report.rejected, report.reasons)) == counts


def test_a_metrics_file_that_is_none_is_unusable(aws: Desk) -> None:
    ordered = aws.backend.submit(aws.spec(training=aws.upload(ROWS)))
    key = f"cloudistill/out/{aws.marker}/model-customization-job-{ordered.ref.id[-12:]}/validation_metrics.csv"
    aws.s3.put_object(Bucket=BUCKET, Key=key, Body=b"step_number\n" + b"1" * 200_000)
    assert key in str(trouble(aws.backend, lambda: aws.backend.metrics(ordered.ref)))


@pytest.mark.parametrize("verb", ["events", "metrics", "prompt_report"])
def test_a_body_without_the_job_is_no_report(canned: Canned, verb: str) -> None:
    backend = BedrockBackend(region="us-east-1")
    report = getattr(backend, verb)
    assert isinstance(trouble(backend, lambda: [*(report(JobRef("bedrock", "j")) or ())]), UnusableAnswer)
    close(backend)


def test_metrics_that_are_no_numbers_are_left_out(aws: Desk) -> None:
    ordered = aws.backend.submit(aws.spec(training=aws.upload(ROWS)))
    folder = f"cloudistill/out/{aws.marker}/model-customization-job-{ordered.ref.id[-12:]}"
    rows = "step_number,epoch_number,training_loss,perplexity\n0,0,nan,1\nx,0,1,1\n1,,0.5,1\n"
    aws.s3.put_object(Bucket=BUCKET, Key=f"{folder}/step_wise_training_metrics.csv", Body=rows.encode())
    told = [(m.step, m.epoch, m.training_loss) for m in aws.backend.metrics(ordered.ref)]
    assert told == [(1, 0.0, None), (2, None, 0.5)]


def test_a_llama_student_learns_from_single_turns_alone(
    aws: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    west = BedrockBackend(region="us-west-2", bucket="cloudistill-emulated-us-west-2")
    there = Desk(aws.world, west, "llama", tmp_path, monkeypatch)
    turns = [said("user", "a"), said("assistant", "b"), said("user", "c")]
    student = ModelRef("bedrock", "meta.llama3-1-8b-instruct-v1:0:128k")
    teacher = ModelRef("bedrock", "us.meta.llama3-3-70b-instruct-v1:0")
    rows = [*ROWS, ROWS[0] | {"messages": turns}]
    job = there.finished(there.spec(training=there.upload(rows), student=student, teacher=teacher))
    report = west.prompt_report(job.ref)
    assert report is not None
    assert report.reasons == {"multi-turn conversations are not supported for this model": 1}
    for client in west._clients.values():  # pyright: ignore[reportPrivateUsage]
        client.close()


def test_a_job_nobody_knows_is_not_found(aws: Desk) -> None:
    unknown = JobRef("bedrock", f"arn:aws:bedrock:us-east-1:123456789012:model-customization-job/{MICRO}/abcdefabcdef")
    for verb in ("prompt_report", "metrics", "events"):
        with pytest.raises(aws.backend.client("bedrock").exceptions.ResourceNotFoundException):
            list(getattr(aws.backend, verb)(unknown))
