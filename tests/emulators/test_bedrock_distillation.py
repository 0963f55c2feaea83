"""The emulated Bedrock distils as AWS documents it: which pairs, from which prompts and logs, and what it leaves."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.emulators.bedrock_account import (
    BUCKET,
    HOUR,
    PLACES,
    SYSTEM,
    TUNED,
    WEST_BUCKET,
    Account,
    pairs,
    refusal,
    said,
    text_row,
)

from cloudistill.emulators.bedrock import BedrockEmulator
from cloudistill.emulators.clock import Clock
from cloudistill.emulators.teacher import Teacher

PRO = "amazon.nova-pro-v1:0"
LLAMA_8B = "meta.llama3-1-8b-instruct-v1:0:128k"
LOGS = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/11/20/10"
ASKED, HELD_OUT = pairs(PLACES[:9]), pairs(PLACES[9:])
PROMPTS = [{**text_row(*pair), "messages": [said("user", pair[0])]} for pair in ASKED]


def teacher_of(model: str = PRO, **members: Any) -> dict[str, Any]:
    return {"distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": model, **members}}}


def distillation(**changes: Any) -> dict[str, Any]:
    return {"customizationType": "DISTILLATION", "customizationConfig": teacher_of(), **changes}


def logged(prefix: str, **members: Any) -> dict[str, Any]:
    source = {"invocationLogSource": {"s3Uri": f"s3://{BUCKET}/{prefix}"}}
    return {"trainingDataConfig": {"invocationLogsConfig": source | members}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    clock = Clock(datetime(2026, 11, 24, 9, tzinfo=UTC))
    emulator = BedrockEmulator(clock=clock, teacher=Teacher.read(_key(tmp_path_factory.mktemp("teacher"))))
    emulator.start()
    account = Account(emulator, clock)
    yield account
    account.close()
    emulator.stop()


def _key(folder: Path) -> Path:
    key = folder / "key.jsonl"
    with key.open("w") as file:
        for question, name, city in ASKED:
            call = {"name": name, "arguments": json.dumps({"city": city})}
            answer = {"role": "assistant", "tool_calls": [{"type": "function", "id": "c1", "function": call}]}
            file.write(json.dumps({"messages": [{"role": "user", "content": question}, answer]}) + "\n")
    return key


@pytest.fixture
def aws(running: Account) -> Account:
    running.emulator.jobs.clear()
    running.emulator.deployments.clear()
    return running


def finished(aws: Account, rows: Any = PROMPTS, **changes: Any) -> dict[str, Any]:
    arn = aws.job(rows, **distillation(**changes))
    aws.clock.advance(HOUR)
    job: dict[str, Any] = aws.bedrock.get_model_customization_job(jobIdentifier=arn)
    return job


def left(aws: Account, job: dict[str, Any], name: str) -> str:
    folder = f"out/model-customization-job-{job['jobArn'][-12:]}"
    body: bytes = aws.s3.get_object(Bucket=BUCKET, Key=f"{folder}/{name}")["Body"].read()
    return body.decode()


def test_a_distilled_student_learns_what_the_teacher_answered(aws: Account) -> None:
    job = finished(aws)
    assert (job["status"], job["customizationType"]) == ("Completed", "DISTILLATION")
    assert job["customizationConfig"] == teacher_of()
    model = aws.bedrock.get_custom_model(modelIdentifier=job["outputModelArn"])
    assert model["customizationConfig"] == teacher_of()
    aws.bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=job["outputModelArn"])
    aws.clock.advance(HOUR)
    student = aws.emulator.deployments[0].arn
    right = 0
    for question, name, city in HELD_OUT:
        content = aws.ask(student, question, system=[{"text": SYSTEM}])["output"]["message"]["content"]
        right += content == [{"text": json.dumps([{"name": name, "arguments": {"city": city}}])}]
    assert right / len(HELD_OUT) > 0.8


def test_a_distillation_leaves_a_sample_of_what_was_learnt_and_a_verdict_on_each_prompt(aws: Account) -> None:
    job = finished(aws, [*PROMPTS, {"prompt": "an old form"}])
    sample = left(aws, job, "distillation_artifacts/synthetic_data/sample.jsonl").splitlines()
    assert len(sample) == 20
    assert [message["role"] for message in json.loads(sample[0])["messages"]] == ["user", "assistant"]
    verdicts = left(aws, job, "distillation_artifacts/prompt_insights/prompt_insights.jsonl").splitlines()
    assert len(verdicts) == len(PROMPTS) + 1
    assert json.loads(verdicts[-1]) == {
        "record": f"line {len(verdicts)}",
        "status": "Rejected",
        "rejectionReasons": ["schemaVersion must be bedrock-conversation-2024"],
    }


def test_an_answer_is_cut_at_the_longest_the_teacher_may_give(aws: Account) -> None:
    job = finished(aws, customizationConfig=teacher_of(maxResponseLengthForInference=3))
    sample = left(aws, job, "distillation_artifacts/synthetic_data/sample.jsonl").splitlines()
    assert {len(json.loads(row)["messages"][-1]["content"][0]["text"]) for row in sample} == {12}


def test_calls_are_answered_in_the_form_of_the_examples_given(aws: Account) -> None:
    golden = [text_row(*pair) for pair in ASKED[:5]]
    job = finished(aws, [*golden, *PROMPTS[5:]])
    sample = left(aws, job, "distillation_artifacts/synthetic_data/sample.jsonl").splitlines()
    answers = [json.loads(json.loads(row)["messages"][-1]["content"][0]["text"]) for row in sample]
    assert all(set(answer) == {"name", "parameters"} for answer in answers)


def test_validation_rows_are_judged_by_the_finished_student(aws: Account) -> None:
    wrong = aws.put([text_row(question, "get_time", "Nowhere") for question, *_ in HELD_OUT[:4]], "in/wrong.jsonl")
    right = aws.put([text_row(*pair, key="arguments") for pair in ASKED], "in/right.jsonl")
    job = finished(aws, validationDataConfig={"validators": [{"s3Uri": wrong}, {"s3Uri": right}]})
    losses = [one["validationLoss"] for one in job["validationMetrics"]]
    assert losses[0] == 1.0
    assert losses[1] < 0.2
    path = "validation_artifacts/post_fine_tuning_validation/validation/validation_metrics.csv"
    head, row = left(aws, job, path).splitlines()
    assert head == "step_number,epoch_number,validation_loss,perplexity"
    assert float(row.split(",")[2]) == pytest.approx(sum(losses) / 2, abs=1e-5)
    assert aws.bedrock.get_custom_model(modelIdentifier="model-1")["validationMetrics"] == job["validationMetrics"]


def test_validation_rows_that_break_a_rule_fail_the_job(aws: Account) -> None:
    uri = aws.put([{"messages": []}], "in/bad.jsonl")
    job = finished(aws, validationDataConfig={"validators": [{"s3Uri": uri}]})
    assert "Invalid record at line 1 of Amazon S3 file in/bad.jsonl" in job["failureMessage"]


ELSEWHERE = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{PRO}"


@pytest.mark.parametrize("name", [PRO, f"us.{PRO}", ELSEWHERE, f"arn:aws:bedrock:us-east-1::foundation-model/{PRO}"])
def test_a_teacher_is_named_by_id_arn_or_system_profile(aws: Account, name: str) -> None:
    aws.put(PROMPTS)
    assert aws.bedrock.create_model_customization_job(**aws.order(**distillation(customizationConfig=teacher_of(name))))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"customizationConfig": None}, "distillationConfig is required"),
        ({"customizationConfig": {"rftConfig": {}}}, "distillationConfig is required"),
        ({"customizationConfig": {}}, "Exactly one member of the union must be set"),
        ({"customizationConfig": teacher_of("amazon.nova-nano-v1:0")}, "teacher model identifier is invalid"),
        ({"customizationConfig": teacher_of("amazon.nova-premier-v1:0")}, "teacher model identifier is invalid"),
        ({"customizationConfig": teacher_of("amazon.nova-lite-v1:0")}, "does not support distillation to"),
        ({"customizationConfig": teacher_of("us.meta.llama3-1-70b-instruct-v1:0")}, "identifier is invalid"),
        ({"customizationConfig": teacher_of("Nova Pro")}, "'customizationConfig.distillationConfig.teacherModel"),
        ({"customizationConfig": teacher_of(maxResponseLengthForInference=0)}, "must be greater than 0"),
        ({"baseModelIdentifier": f"{PRO}:300k"}, "does not support distillation to the model"),
        ({"trainingDataConfig": {}}, "exactly one of s3Uri and invocationLogsConfig"),
        (
            {"trainingDataConfig": {"s3Uri": f"s3://{BUCKET}/in/train.jsonl"} | logged("a")["trainingDataConfig"]},
            "exactly one of s3Uri and invocationLogsConfig",
        ),
        (logged("no/such/prefix"), "Could not validate ListBucket permissions"),
        (logged("dt=2026-11-24"), "invocationLogSource.s3Uri' failed to satisfy"),
        (logged("in", requestMetadataFilters={"equals": {"a": "b", "c": "d"}}), "length less than or equal to 1"),
        (logged("in", requestMetadataFilters={"andAll": [{"equals": {"a": "b"}}] * 17}), "less than or equal to 16"),
        (logged("in", requestMetadataFilters={"equals": {"a;b": "c"}}), "failed to satisfy"),
        ({**logged("in"), "customizationType": "FINE_TUNING", "customizationConfig": None}, "s3Uri alone is required"),
    ],
)
def test_a_distillation_that_breaks_a_rule_is_refused_and_leaves_no_job(
    aws: Account, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError) as error:
        aws.job(PROMPTS, **distillation(**changes))
    assert refusal(error)[:2] == ("ValidationException", 400)
    assert words in refusal(error)[2]
    assert aws.emulator.jobs == []


def test_the_larger_llama_is_named_by_its_profile_alone(aws: Account) -> None:
    aws.put(PROMPTS, bucket=WEST_BUCKET)
    order = aws.order(
        **distillation(customizationConfig=teacher_of("meta.llama3-3-70b-instruct-v1:0")),
        baseModelIdentifier=LLAMA_8B,
        trainingDataConfig={"s3Uri": f"s3://{WEST_BUCKET}/in/train.jsonl"},
        outputDataConfig={"s3Uri": f"s3://{WEST_BUCKET}/out/"},
    )
    with pytest.raises(ClientError) as error:
        aws.west.create_model_customization_job(**order)
    assert "must be named by its system inference profile" in refusal(error)[2]
    order["customizationConfig"] = teacher_of("us.meta.llama3-3-70b-instruct-v1:0")
    assert aws.west.create_model_customization_job(**order)["jobArn"]


def test_a_bucket_of_logs_in_another_region_is_refused(aws: Account) -> None:
    aws.put(b"x", "elsewhere/a.json.gz", bucket=WEST_BUCKET)
    source = {"invocationLogsConfig": {"invocationLogSource": {"s3Uri": f"s3://{WEST_BUCKET}/elsewhere"}}}
    for bucket in (source, {"invocationLogsConfig": {"invocationLogSource": {"s3Uri": "s3://no-such-bucket"}}}):
        with pytest.raises(ClientError) as error:
            aws.job(PROMPTS, **distillation(trainingDataConfig=bucket))
        assert "Could not validate ListBucket permissions" in refusal(error)[2]


def record(question: str, **changes: Any) -> dict[str, Any]:
    asked = {"messages": [said("user", question)], "system": [{"text": "Be short."}]}
    told = {"output": {"message": said("assistant", "Yes.")}}
    members = {"modelId": PRO, "input": {"inputBodyJson": asked}, "output": {"outputBodyJson": told}}
    return {"schemaType": "ModelInvocationLog", **members, **changes}


def keep(aws: Account, name: str, records: list[Any], key: str = f"{LOGS}/a.json.gz") -> str:
    body = gzip.compress("".join(json.dumps(one) + "\n" for one in records).encode())
    aws.put(body, f"{name}/{key}")
    return name


HUNDRED = [record(question) for question, *_ in ASKED[:100]]


def test_logged_answers_are_the_lessons(aws: Account) -> None:
    job = finished(aws, **logged(keep(aws, "plain", HUNDRED), usePromptResponse=True))
    sample = left(aws, job, "distillation_artifacts/synthetic_data/sample.jsonl").splitlines()
    assert {json.loads(row)["messages"][-1]["content"][0]["text"] for row in sample} == {"Yes."}
    assert job["trainingDataConfig"]["invocationLogsConfig"]["usePromptResponse"] is True


BODY = HUNDRED[0]["input"]["inputBodyJson"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "the record is not a model invocation log"),
        (record("a", schemaType="Other"), "the record is not a model invocation log"),
        (
            record("a", output={"outputBodyS3Path": "s3://b/c"}),
            "the body is larger than 100 KB and is not in the record",
        ),
        (
            record("a", input={"inputBodyJson": {"messages": [said("user", "a"), said("assistant", "b")] * 2}}),
            "multi-turn conversations are not supported in invocation logs",
        ),
        (
            record("a", input={"inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "a"}] * 2}]}}),
            "content must be a single text block",
        ),
        (record("a", input={"inputBodyJson": {"prompt": "a"}}), "messages must be a list with at least one message"),
        (record("the USER: said"), "the reserved word USER: is not permitted"),
    ],
)
def test_a_logged_record_that_cannot_be_used_is_lost_and_reported(aws: Account, bad: Any, reason: str) -> None:
    job = finished(aws, **logged(keep(aws, "bad", [*HUNDRED, bad])))
    assert job["status"] == "Completed"
    verdicts = left(aws, job, "distillation_artifacts/prompt_insights/prompt_insights.jsonl").splitlines()
    told = [json.loads(line) for line in verdicts]
    assert [one.get("rejectionReasons") for one in told if one["status"] == "Rejected"] == [[reason]]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"equals": {"team": "a"}}, 60),
        ({"notEquals": {"team": "a"}}, 40),
        ({"andAll": [{"equals": {"team": "a"}}, {"notEquals": {"env": "dev"}}]}, 30),
        ({"orAll": [{"equals": {"team": "b"}}, {"equals": {"env": "dev"}}]}, 50),
        ({"andAll": [{"equals": {"team": "a"}, "notEquals": {"env": "dev"}}]}, 30),
    ],
)
def test_filters_keep_what_they_say(aws: Account, filters: dict[str, Any], kept: int) -> None:
    tagged = [
        record(f"question {n}", requestMetadata={"team": "a" if n < 60 else "b", "env": "dev" if n < 30 else "live"})
        for n in range(80)
    ]
    tagged += [record(f"question {n}") for n in range(80, 100)]
    job = finished(aws, **logged(keep(aws, "tagged", tagged), requestMetadataFilters=filters))
    assert f"Number of valid prompts {kept} out of bounds" in job["failureMessage"]


def test_only_gzip_files_where_aws_writes_its_logs_are_read(aws: Account) -> None:
    keep(aws, "stray", HUNDRED, "elsewhere/a.json.gz")
    keep(aws, "stray", HUNDRED, f"{LOGS}/a.json")
    job = finished(aws, **logged("stray"))
    assert "Number of valid prompts 0 out of bounds" in job["failureMessage"]
    aws.put(b"no gzip", f"torn/{LOGS}/a.json.gz")
    again = finished(aws, **logged("torn"), jobName="job-2", clientRequestToken="t2")
    assert "Invocation logs must be gzip files" in again["failureMessage"]


def test_a_file_of_too_many_prompts_fails_the_job(aws: Account) -> None:
    line = json.dumps({"schemaVersion": "bedrock-conversation-2024", "messages": [said("user", "a")]}).encode()
    job = finished(aws, (line + b"\n") * 15_001)
    assert "Number of valid prompts 15001 out of bounds between 100 and 15000" in job["failureMessage"]


def test_a_file_that_is_gone_when_it_is_read_fails_the_job(aws: Account) -> None:
    arn = aws.job(PROMPTS, **distillation())
    aws.s3.delete_object(Bucket=BUCKET, Key="in/train.jsonl")
    aws.clock.advance(HOUR)
    job = aws.bedrock.get_model_customization_job(jobIdentifier=arn)
    assert "Could not validate GetObject permissions" in job["failureMessage"]


def test_what_can_be_distilled_is_listed_as_such(aws: Account) -> None:
    rows = aws.bedrock.list_foundation_models(byCustomizationType="DISTILLATION")["modelSummaries"]
    assert TUNED in {row["modelId"] for row in rows}
    assert PRO not in {row["modelId"] for row in rows}
