"""Bedrock's own distillation through our backend: from prompts and from logs, and what is refused before sending."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudistill.backends.backend import Deletes, Distils, Offers, Pauses, Reports, Request
from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.core.errors import UnusableAnswer, UsageError
from cloudistill.core.job import Condition, JobStatus, Logs
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.emulators import World

from .bedrock_desk import (
    BUCKET,
    HOUR,
    LOGS,
    MICRO,
    PRO,
    PROMPTS,
    Desk,
    account,
    asked,
    lesson,
    prompt,
    record,
    said,
)
from .vendors import Canned, close, trouble

Account = tuple[World, BedrockBackend]
SOURCE = Logs(uri=f"s3://{BUCKET}/{LOGS}", use_answers=True)
ROWS = [prompt(sentence) for sentence, *_ in PROMPTS]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("bedrock")) as made:
        yield made


@pytest.fixture
def desk(running: Account, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(*running, request.node.name, tmp_path, monkeypatch)


def test_the_backend_has_the_abilities_that_bedrock_has(desk: Desk) -> None:
    for ability in (Distils, Reports, Deletes, Offers):
        assert isinstance(desk.backend, ability)
    assert not isinstance(desk.backend, Pauses)


def test_from_prompts_without_answers_comes_a_student_that_beats_its_base(desk: Desk) -> None:
    spec = desk.spec(training=desk.upload(ROWS), teacher_max_tokens=200)
    desk.backend.accepts(spec)
    assert desk.backend.find(spec) is None
    ordered = desk.backend.submit(spec)
    told = desk.backend.client("bedrock").get_model_customization_job(jobIdentifier=ordered.ref.id)
    assert told["customizationType"] == "DISTILLATION"
    teacher = told["customizationConfig"]["distillationConfig"]["teacherModelConfig"]
    assert teacher == {"teacherModelIdentifier": PRO, "maxResponseLengthForInference": 200}
    assert desk.backend.prompt_report(ordered.ref) is None
    assert desk.backend.metrics(ordered.ref) == []
    found = desk.backend.find(spec)
    assert found is not None
    assert (found.ref, found.status) == (ordered.ref, JobStatus.RUNNING)
    desk.world.clock.advance(HOUR)
    job = desk.backend.poll(ordered.ref)
    assert job.status is JobStatus.SUCCEEDED
    assert desk.right(desk.deployed(spec, job)) > 0.8 > desk.right(ModelRef("bedrock", "amazon.nova-micro-v1:0"))
    report = desk.backend.prompt_report(job.ref)
    assert report is not None
    assert (report.accepted, report.rejected, report.reasons) == (len(ROWS), 0, {})


def test_bad_prompts_are_dropped_and_counted_by_reason(desk: Desk) -> None:
    turns = [said("user", "a"), said("assistant", "b"), said("user", "c")]
    bad: list[Any] = ["{no json", ROWS[0] | {"id": "7"}, ROWS[0] | {"toolConfig": {}}, ROWS[0] | {"schemaVersion": "1"}]
    job = desk.finished(desk.spec(training=desk.upload([*ROWS, *bad, ROWS[0] | {"messages": turns}])))
    report = desk.backend.prompt_report(job.ref)
    assert report is not None
    assert (report.accepted, report.rejected) == (len(ROWS) + 1, 4)
    assert report.reasons == {
        "schemaVersion must be bedrock-conversation-2024": 2,
        "extraneous key [id] is not permitted": 1,
        "extraneous key [toolConfig] is not permitted": 1,
    }
    (source,) = report.sources
    assert source.startswith(f"s3://{BUCKET}/cloudistill/out/{desk.marker}/model-customization-job-")


def test_too_few_prompts_fail_the_job_and_the_failure_is_told_as_an_event(desk: Desk) -> None:
    job = desk.finished(desk.spec(training=desk.upload(ROWS[:99])))
    assert job.status is JobStatus.FAILED
    assert "Number of valid prompts 99 out of bounds between 100 and 15000" in (job.failure or "")
    assert desk.backend.prompt_report(job.ref) is None
    last = [event for event in desk.backend.events(job.ref) if event.level == "error"]
    assert [event.kind for event in last] == ["validationDetails", "job", "failure"]
    assert last[-1].message == job.failure


def test_an_answer_that_came_with_a_prompt_is_learnt_as_it_is(desk: Desk) -> None:
    golden = [{**row, "messages": [*row["messages"], said("assistant", "Ask the concierge.")]} for row in ROWS]
    spec = desk.spec(training=desk.upload(golden))
    student = desk.deployed(spec, desk.finished(spec))
    answer = desk.backend.generate(student, request_of("find me a room in Leeds"))
    assert answer.content == "Ask the concierge."


def request_of(sentence: str) -> Request:
    return Request(example=lesson(sentence), rendering="text")


def answered(model: str = PRO, **members: Any) -> list[dict[str, Any]]:
    return [
        record(sentence, json.dumps([{"name": name, "arguments": {"city": city}}]), model=model, **members)
        for sentence, name, city in PROMPTS
    ]


def test_from_logged_answers_comes_a_student_and_the_teacher_is_not_asked_again(desk: Desk) -> None:
    strangers = [record(f"unknown {n}", model="us.amazon.nova-pro-v1:0") for n in range(200)]
    lost = record("too large", input={"inputBodyS3Path": "s3://elsewhere"})
    turns = record("two turns")
    turns["input"]["inputBodyJson"]["messages"] = [said("user", "a"), said("assistant", "b"), said("user", "c")]
    desk.log([*answered(), *strangers, lost, turns])
    spec = desk.spec(logs=SOURCE)
    desk.backend.accepts(spec)
    job = desk.finished(spec)
    assert job.status is JobStatus.SUCCEEDED, job.failure
    report = desk.backend.prompt_report(job.ref)
    assert report is not None
    assert (report.accepted, report.rejected) == (len(PROMPTS), 2)
    assert desk.right(desk.deployed(spec, job)) > 0.8


def test_logged_answers_of_another_id_than_the_teachers_are_no_lessons(desk: Desk) -> None:
    desk.log(answered(model="us.amazon.nova-pro-v1:0"))
    job = desk.finished(desk.spec(logs=SOURCE))
    assert "Number of valid prompts 0" in (job.failure or "")
    profile = desk.spec(logs=SOURCE, teacher=ModelRef("bedrock", "us.amazon.nova-pro-v1:0"), marker="0" * 32)
    assert desk.finished(profile).status is JobStatus.SUCCEEDED


def test_logged_prompts_alone_are_answered_by_the_teacher_whoever_was_asked(desk: Desk) -> None:
    desk.log([record(sentence, "wrong", model="meta.llama3-1-8b-instruct-v1:0") for sentence, *_ in PROMPTS])
    spec = desk.spec(logs=Logs(uri=f"s3://{BUCKET}/logged/AWSLogs/"))
    assert desk.right(desk.deployed(spec, desk.finished(spec))) > 0.8


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
    desk: Desk, where: tuple[Condition, ...], match: Any, sent: dict[str, Any], kept: int
) -> None:
    desk.log(
        [
            *answered(requestMetadata={"project": "cs", "env": "dev"}),
            *answered(requestMetadata={"project": "cs", "env": "live"}),
            *answered(requestMetadata={"project": "hr"}),
            *answered(),
        ]
    )
    spec = desk.spec(
        logs=Logs(uri=SOURCE.uri, use_answers=True, where=where, match=match), hyperparameters={"epochs": 1}
    )
    ordered = desk.backend.submit(spec)
    told = desk.backend.client("bedrock").get_model_customization_job(jobIdentifier=ordered.ref.id)
    assert told["trainingDataConfig"] == {
        "invocationLogsConfig": {
            "usePromptResponse": True,
            "invocationLogSource": {"s3Uri": SOURCE.uri},
            "requestMetadataFilters": sent,
        }
    }
    desk.world.clock.advance(HOUR)
    report = desk.backend.prompt_report(ordered.ref)
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
        ({"training": FILE, "teacher": ModelRef("openai", "gpt-4.1")}, "cannot ask openai:gpt-4.1.*method sft"),
        ({"training": FILE, "teacher": LLAMA}, "does not distil.*amazon.nova-pro-v1:0, us.amazon.*method sft"),
        ({"training": FILE, "student": ModelRef("bedrock", "amazon.nova-pro-v1:0:300k")}, "it distils nothing"),
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
        ({"training": FILE, "method": "sft", "teacher_max_tokens": 5}, "teacher_max_tokens.*the method native"),
        ({"training": FILE, "method": "sft", **logs()}, "logs.*the method native"),
        ({"training": FILE, "method": "sft"}, "teacher goes with.*the method native"),
    ],
)
def test_an_order_that_bedrock_cannot_take_is_refused_before_anything_is_sent(
    desk: Desk, members: dict[str, Any], words: str
) -> None:
    before = len(desk.world.bedrock.server.requests)
    with pytest.raises(UsageError, match=f"(?s){words}"):
        desk.backend.accepts(desk.spec(**members))
    assert len(desk.world.bedrock.server.requests) == before


def test_the_same_order_sent_twice_is_one_job(desk: Desk) -> None:
    spec = desk.spec(training=desk.upload(ROWS))
    assert desk.backend.submit(spec).ref == desk.backend.submit(spec).ref


def test_a_distillation_is_listed_among_the_jobs_and_stops_like_any(desk: Desk) -> None:
    ordered = desk.backend.submit(desk.spec(training=desk.upload(ROWS)))
    assert next(desk.backend.list()).ref == ordered.ref
    desk.world.clock.advance(400)
    desk.backend.cancel(ordered.ref)
    desk.world.clock.advance(HOUR)
    assert desk.backend.poll(ordered.ref).status is JobStatus.CANCELLED
    levels = {event.message: event.level for event in desk.backend.events(ordered.ref)}
    assert levels["data processing Stopped"] == levels["Stopped"] == "warning"
    assert desk.backend.prompt_report(ordered.ref) is None


def test_events_are_the_stages_with_their_times_oldest_first(desk: Desk) -> None:
    job = desk.finished(desk.spec(training=desk.upload(ROWS)))
    told = list(desk.backend.events(job.ref))
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


def test_metrics_are_read_step_by_step_from_the_files_the_job_left(desk: Desk) -> None:
    held_out = [
        {**prompt(s), "messages": [said("user", s), said("assistant", "no idea")]} for s, *_ in asked(("Oslo",))
    ]
    spec = desk.spec(training=desk.upload(ROWS), hyperparameters={"epochs": 3}, validation=desk.upload(held_out))
    job = desk.finished(spec)
    first, second, third = desk.backend.metrics(job.ref)
    assert [(step.step, step.epoch) for step in (first, second, third)] == [(1, 1), (2, 2), (3, 3)]
    assert first.training_loss
    assert third.training_loss
    assert first.training_loss > third.training_loss
    assert (first.validation_loss, second.validation_loss, third.validation_loss) == (None, None, 1.0)


def test_without_files_the_last_losses_stand_for_one_step(desk: Desk) -> None:
    job = desk.finished(desk.spec(training=desk.upload(ROWS)))
    whole = desk.backend.metrics(job.ref)
    folder = f"cloudistill/out/{desk.marker}/"
    for left in desk.s3.list_objects_v2(Bucket=BUCKET, Prefix=folder)["Contents"]:
        desk.s3.delete_object(Bucket=BUCKET, Key=left["Key"])
    (last,) = desk.backend.metrics(job.ref)
    assert last.training_loss == pytest.approx(whole[-1].training_loss, abs=1e-5)
    assert desk.backend.prompt_report(job.ref) is None


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
    desk: Desk, files: dict[str, Any], counts: tuple[Any, ...] | None
) -> None:
    ordered = desk.backend.submit(desk.spec(training=desk.upload(ROWS)))
    folder = f"cloudistill/out/{desk.marker}/model-customization-job-{ordered.ref.id[-12:]}/reports"
    for name, body in files.items():
        text = "\n".join(["{torn", *map(json.dumps, body)]) if name.endswith("l") else json.dumps(body, indent=1)
        desk.s3.put_object(Bucket=BUCKET, Key=f"{folder}/{name}", Body=text.encode())
    report = desk.backend.prompt_report(ordered.ref)
    assert (report and (report.accepted, report.rejected, report.reasons)) == counts


def test_a_metrics_file_that_is_none_is_unusable(desk: Desk) -> None:
    ordered = desk.backend.submit(desk.spec(training=desk.upload(ROWS)))
    key = f"cloudistill/out/{desk.marker}/model-customization-job-{ordered.ref.id[-12:]}/validation_metrics.csv"
    desk.s3.put_object(Bucket=BUCKET, Key=key, Body=b"step_number\n" + b"1" * 200_000)
    assert key in str(trouble(desk.backend, lambda: desk.backend.metrics(ordered.ref)))


@pytest.mark.parametrize("verb", ["events", "metrics", "prompt_report"])
def test_a_body_without_the_job_is_no_report(canned: Canned, verb: str) -> None:
    backend = BedrockBackend(region="us-east-1")
    report = getattr(backend, verb)
    assert isinstance(trouble(backend, lambda: [*(report(JobRef("bedrock", "j")) or ())]), UnusableAnswer)
    close(backend)


def test_metrics_that_are_no_numbers_are_left_out(desk: Desk) -> None:
    ordered = desk.backend.submit(desk.spec(training=desk.upload(ROWS)))
    folder = f"cloudistill/out/{desk.marker}/model-customization-job-{ordered.ref.id[-12:]}"
    rows = "step_number,epoch_number,training_loss,perplexity\n0,0,nan,1\nx,0,1,1\n1,,0.5,1\n"
    desk.s3.put_object(Bucket=BUCKET, Key=f"{folder}/step_wise_training_metrics.csv", Body=rows.encode())
    told = [(m.step, m.epoch, m.training_loss) for m in desk.backend.metrics(ordered.ref)]
    assert told == [(1, 0.0, None), (2, None, 0.5)]


def test_a_llama_student_learns_from_single_turns_alone(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    west = BedrockBackend(region="us-west-2", bucket="cloudistill-emulated-us-west-2")
    there = Desk(desk.world, west, "llama", tmp_path, monkeypatch)
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


def test_a_job_nobody_knows_is_not_found(desk: Desk) -> None:
    unknown = JobRef("bedrock", f"arn:aws:bedrock:us-east-1:123456789012:model-customization-job/{MICRO}/abcdefabcdef")
    for verb in ("prompt_report", "metrics", "events"):
        with pytest.raises(desk.backend.client("bedrock").exceptions.ResourceNotFoundException):
            list(getattr(desk.backend, verb)(unknown))
