"""The emulated Bedrock keeps AWS's promises to the stock SDK, and teaches what the rows teach."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.emulators.bedrock_account import (
    BUCKET,
    CONFIG,
    EAST,
    HELD_OUT,
    HOUR,
    MICRO,
    SKELETONS,
    SYSTEM,
    TEXT_ROWS,
    TOOLS,
    TRAIN,
    TUNED,
    WEST_BUCKET,
    Account,
    block_row,
    refusal,
    said,
    text_row,
)

from cloudistill.emulators.bedrock import BedrockEmulator
from cloudistill.emulators.bedrock.checks import BadData, checked
from cloudistill.emulators.bedrock.models import MODELS, find
from cloudistill.emulators.bedrock.rows import course
from cloudistill.emulators.bedrock.shapes import Service, write
from cloudistill.emulators.bedrock.text import tools_in
from cloudistill.emulators.clock import Clock
from cloudistill.emulators.lesson import Call, Reply
from cloudistill.emulators.teacher import Teacher

TAUGHT = {"role": "user", "content": "is it tea time for my aunt"}
CALLED = {"type": "function", "id": "c1", "function": {"name": "get_time", "arguments": '{"city": "Leeds"}'}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    clock = Clock(datetime(2026, 11, 24, 9, tzinfo=UTC))
    key = tmp_path_factory.mktemp("teacher") / "key.jsonl"
    key.write_text(json.dumps({"messages": [TAUGHT, {"role": "assistant", "tool_calls": [CALLED]}]}))
    emulator = BedrockEmulator(clock=clock, teacher=Teacher.read(key))
    emulator.start()
    account = Account(emulator, clock)
    yield account
    account.close()
    emulator.stop()


@pytest.fixture
def aws(running: Account) -> Account:
    """The one running emulator, its ledgers emptied."""
    running.emulator.jobs.clear()
    running.emulator.deployments.clear()
    return running


def test_a_job_walks_through_its_stages_and_its_student_is_called_through_a_deployment(aws: Account) -> None:
    arn = aws.job()
    seen: list[Any] = []
    for seconds in (0, 60, 240, 300, 3000):
        aws.clock.advance(seconds)
        job = aws.bedrock.get_model_customization_job(jobIdentifier=arn)
        stages = job["statusDetails"]
        seen.append((job["status"], *(stages[s]["status"] for s in stages)))
        assert ("outputModelArn" in job) == (job["status"] == "Completed")
    assert seen == [
        ("InProgress", "NotStarted", "NotStarted", "NotStarted"),
        ("InProgress", "InProgress", "NotStarted", "NotStarted"),
        ("InProgress", "Completed", "InProgress", "NotStarted"),
        ("InProgress", "Completed", "Completed", "InProgress"),
        ("Completed", "Completed", "Completed", "Completed"),
    ]


def test_a_finished_job_says_what_it_learnt_with(aws: Account) -> None:
    arn = aws.job(hyperParameters={"epochCount": "3"})
    aws.clock.advance(HOUR)
    job = aws.bedrock.get_model_customization_job(jobIdentifier="job-1")
    assert job["jobArn"] == arn
    assert job["hyperParameters"] == {"epochCount": "3", "learningRate": "1e-05", "learningRateWarmupSteps": "10"}
    assert (job["endTime"] - job["creationTime"]).total_seconds() == HOUR
    key = f"out/model-customization-job-{arn[-12:]}/training_artifacts/step_wise_training_metrics.csv"
    rows = aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().splitlines()
    assert rows[0] == "step_number,epoch_number,training_loss,perplexity"
    losses = [float(row.split(",")[2]) for row in rows[1:]]
    assert len(losses) == 3
    assert losses[-1] < losses[0]
    assert job["trainingMetrics"]["trainingLoss"] == pytest.approx(losses[-1], abs=1e-5)
    model = aws.bedrock.get_custom_model(modelIdentifier=job["outputModelArn"])
    assert model["trainingMetrics"] == job["trainingMetrics"]
    assert (model["modelName"], model["modelStatus"], model["jobArn"]) == ("model-1", "Active", arn)
    assert model["modelArn"].startswith(f"arn:aws:bedrock:{EAST}:123456789012:custom-model/{TUNED}/")


def test_the_same_token_with_the_same_order_is_one_job(aws: Account) -> None:
    assert aws.job() == aws.job()
    assert len(aws.emulator.jobs) == 1


def test_a_token_used_for_another_order_is_refused(aws: Account) -> None:
    aws.job()
    other: dict[str, Any] = {"hyperParameters": {"epochCount": "1"}}
    with pytest.raises(ClientError) as error:
        aws.job(**other)
    assert refusal(error)[:2] == ("ConflictException", 400)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"customModelName": "other"}, "The provided job name is currently in use."),
        ({"jobName": "other"}, "The provided model name is currently in use."),
    ],
)
def test_a_name_in_use_is_refused(aws: Account, changes: dict[str, Any], words: str) -> None:
    aws.job()
    with pytest.raises(ClientError) as error:
        aws.job(clientRequestToken="token-2", **changes)
    assert refusal(error) == ("ValidationException", 400, words)


def test_a_stopped_job_keeps_its_finished_stages_and_leaves_no_model(aws: Account) -> None:
    arn = aws.job()
    aws.clock.advance(400)
    aws.bedrock.stop_model_customization_job(jobIdentifier=arn)
    seen: list[Any] = []
    for _ in range(2):
        job = aws.bedrock.get_model_customization_job(jobIdentifier=arn)
        seen.append((job["status"], *(stage["status"] for stage in job["statusDetails"].values())))
        aws.clock.advance(HOUR)
    assert seen == [
        ("Stopping", "Completed", "Stopping", "NotStarted"),
        ("Stopped", "Completed", "Stopped", "NotStarted"),
    ]
    assert aws.bedrock.list_custom_models()["modelSummaries"] == []
    with pytest.raises(ClientError) as error:
        aws.bedrock.stop_model_customization_job(jobIdentifier=arn)
    assert refusal(error)[:2] == ("ConflictException", 400)


URI = "s3://cloudistill-emulated-us-east-1/"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"jobName": "with_underscore"}, "'jobName' failed to satisfy constraint"),
        ({"jobName": "a" + "-" * 61 + "_"}, "'jobName' failed to satisfy constraint"),
        ({"jobName": "x" * 64}, "length less than or equal to 63"),
        ({"customModelName": "with.dot"}, "'customModelName' failed to satisfy constraint"),
        ({"clientRequestToken": "no_underscore"}, "'clientRequestToken' failed to satisfy constraint"),
        ({"trainingDataConfig": {"s3Uri": URI + "dt=1/train.jsonl"}}, "'trainingDataConfig.s3Uri' failed"),
        ({"outputDataConfig": None}, "Value null at 'outputDataConfig' failed to satisfy constraint"),
        ({"customizationType": "TUNING"}, "satisfy enum value set"),
        ({"customizationType": "CONTINUED_PRE_TRAINING"}, "this emulator offers FINE_TUNING and DISTILLATION"),
        ({"jobTags": [{"key": "a,b", "value": "c"}]}, "'jobTags.1.member.key' failed"),
        ({"roleArn": "arn:aws:iam::123456789012:role/Absent"}, "Could not assume provided IAM role"),
        ({"baseModelIdentifier": MICRO}, "does not support customization"),
        ({"baseModelIdentifier": "amazon.nova-nano-v1:0:128k"}, "The provided model identifier is invalid."),
        ({"baseModelIdentifier": "meta.llama3-1-8b-instruct-v1:0:128k"}, "The provided model identifier is invalid."),
        ({"hyperParameters": {"epochCount": "6"}}, "must be between 1 and 5"),
        ({"hyperParameters": {"epochCount": "1.5"}}, "must be between 1 and 5"),
        ({"hyperParameters": {"batchSize": "1"}}, "batchSize is not supported"),
        ({"trainingDataConfig": {"s3Uri": URI + "absent.jsonl"}}, "Could not validate GetObject permissions"),
        ({"trainingDataConfig": {"s3Uri": "s3://no-such-bucket/a.jsonl"}}, "Could not validate GetObject permissions"),
        ({"trainingDataConfig": {"s3Uri": URI + "in/"}}, "Uri should be a file"),
        ({"outputDataConfig": {"s3Uri": "s3://no-such-bucket/out/"}}, "perms missing (PutObject)"),
        ({"customizationConfig": {"rftConfig": {}}}, "customizationConfig is not supported"),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_and_leaves_no_job(
    aws: Account, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError) as error:
        aws.job(**changes)
    code, status, message = refusal(error)
    assert (code, status) == ("ValidationException", 400)
    assert words in message
    assert aws.emulator.jobs == []


def test_numbers_as_hyperparameters_are_no_strings(aws: Account) -> None:
    with pytest.raises(ClientError) as error:
        aws.job(hyperParameters={"epochCount": 2})
    # botocore sends what it is given; AWS does not convert
    assert refusal(error)[0] == "SerializationException"


def test_a_bucket_in_another_region_than_the_job_is_refused(aws: Account) -> None:
    there = aws.put(TEXT_ROWS, bucket=WEST_BUCKET)
    with pytest.raises(ClientError) as error:
        aws.job(trainingDataConfig={"s3Uri": there})
    assert "Could not validate GetObject permissions" in refusal(error)[2]


def test_a_model_past_its_dates_is_neither_tuned_nor_called(aws: Account) -> None:
    aws.put(TEXT_ROWS, bucket=WEST_BUCKET)
    order = aws.order(
        baseModelIdentifier="meta.llama3-2-1b-instruct-v1:0:128k",
        trainingDataConfig={"s3Uri": f"s3://{WEST_BUCKET}/in/train.jsonl"},
        outputDataConfig={"s3Uri": f"s3://{WEST_BUCKET}/out/"},
    )
    with pytest.raises(ClientError) as error:
        aws.west.create_model_customization_job(**order)
    assert refusal(error)[0] == "ValidationException"
    with pytest.raises(ClientError) as error:
        aws.ask("us.amazon.nova-premier-v1:0", "hello")
    assert refusal(error) == (
        "ResourceNotFoundException",
        404,
        "This model version has reached the end of its life.",
    )


def changed(**parts: Any) -> list[dict[str, Any]]:
    return [*TEXT_ROWS[1:], TEXT_ROWS[0] | parts]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (TEXT_ROWS[:7], "Number of samples 7 out of bounds between 8 and 20000"),
        (b"{not json\n" * 8, "Data files must conform to JSONL format"),
        (changed(schemaVersion="bedrock-conversion-2024"), "schemaVersion must be bedrock-conversation-2024"),
        (changed(id="7"), "extraneous key [id] is not permitted"),
        (changed(system="text"), "system must be a list of text blocks"),
        (changed(messages=[said("assistant", "a")]), "start with user"),
        (changed(messages=[said("user", "a"), said("user", "b")]), "must alternate"),
        (changed(messages=[said("user", "a")]), "last message must have the role assistant"),
        (changed(messages=[said("user", "the USER: said"), said("assistant", "b")]), "reserved word USER:"),
        (changed(messages=[said("user", " "), said("assistant", "b")]), "not blank"),
        (changed(messages=block_row(*TRAIN[0])["messages"]), "must be text blocks"),
        (changed(toolConfig={"tools": []}), "toolConfig must hold tools"),
    ],
)
def test_a_job_whose_data_breaks_a_rule_fails_once_validated_and_says_why(aws: Account, rows: Any, words: str) -> None:
    arn = aws.job(rows)
    assert aws.bedrock.get_model_customization_job(jobIdentifier=arn)["status"] == "InProgress"
    aws.clock.advance(300)
    job = aws.bedrock.get_model_customization_job(jobIdentifier=arn)
    assert job["status"] == "Failed"
    assert words in job["failureMessage"]
    assert [stage["status"] for stage in job["statusDetails"].values()] == ["Failed", "NotStarted", "NotStarted"]
    assert "outputModelArn" not in job


def test_tool_results_must_answer_the_calls_before_them() -> None:
    row = block_row(*TRAIN[0])
    result = {"toolResult": {"toolUseId": "t1", "content": [{"text": "21 degrees"}]}}
    row["messages"] += [{"role": "user", "content": [result]}, said("assistant", "It is 21 degrees.")]
    rows = [row, *(block_row(*pair) for pair in TRAIN[1:9])]
    assert len(checked("\n".join(map(json.dumps, rows)).encode(), "f", nova=True)) == 9
    result["toolResult"]["toolUseId"] = "t2"
    with pytest.raises(BadData, match="toolResult blocks must match"):
        checked("\n".join(map(json.dumps, rows)).encode(), "f", nova=True)
    with pytest.raises(BadData, match="toolConfig is not supported"):
        checked("\n".join(map(json.dumps, rows)).encode(), "f", nova=False)


def right_text(aws: Account, model: str) -> float:
    answers = [aws.ask(model, text, system=[{"text": SYSTEM}])["output"]["message"]["content"] for text, *_ in HELD_OUT]
    wanted = [{"name": name, "parameters": {"city": city}} for _, name, city in HELD_OUT]
    return sum(answer == [{"text": json.dumps(call)}] for answer, call in zip(answers, wanted, strict=True)) / len(
        wanted
    )


def right_blocks(aws: Account, model: str) -> float:
    right = 0
    for text, name, city in HELD_OUT:
        answer = aws.ask(model, text, toolConfig=CONFIG)
        uses = [block["toolUse"] for block in answer["output"]["message"]["content"] if "toolUse" in block]
        right += [(use["name"], use["input"]) for use in uses] == [(name, {"city": city})]
        assert (answer["stopReason"] == "tool_use") == bool(uses)
    return right / len(HELD_OUT)


def test_a_student_of_text_rows_answers_in_the_text_it_was_taught_and_beats_its_base(aws: Account) -> None:
    student = aws.student()
    taught, base = right_text(aws, student), right_blocks(aws, MICRO)
    assert taught > 0.8 > base


@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize("key", ["arguments", "parameters"])
def test_calls_in_text_keep_the_form_they_were_taught_in(aws: Account, key: str, array: bool) -> None:
    student = aws.student([text_row(*pair, key=key, array=array) for pair in TRAIN])
    question, name, city = HELD_OUT[0]
    answer = aws.ask(student, question, system=[{"text": SYSTEM}])["output"]["message"]["content"]
    call = {"name": name, key: {"city": city}}
    assert json.loads(answer[0]["text"]) == ([call] if array else call)


def test_a_student_of_text_rows_stays_with_text_when_it_is_offered_a_tool_config(aws: Account) -> None:
    answer = aws.ask(aws.student(), HELD_OUT[0][0], system=[{"text": SYSTEM}], toolConfig=CONFIG)
    assert [set(block) for block in answer["output"]["message"]["content"]] == [{"text"}]
    assert answer["stopReason"] == "end_turn"


def test_a_student_of_tool_use_rows_answers_in_tool_use_blocks_and_beats_its_base(aws: Account) -> None:
    student = aws.student([block_row(*pair) for pair in TRAIN])
    assert right_blocks(aws, student) > 0.8 > right_blocks(aws, MICRO)


def test_a_student_of_shuffled_answers_is_no_better_than_chance(aws: Account) -> None:
    names = [name for _, name, _ in TRAIN]
    random.Random(1).shuffle(names)  # noqa: S311 - no secret is drawn
    rows = [text_row(text, name, city) for (text, _, city), name in zip(TRAIN, names, strict=True)]
    assert right_text(aws, aws.student(rows)) < 0.6


def test_a_tool_that_has_answered_is_told_about_in_text(aws: Account) -> None:
    question, name, city = TRAIN[0]
    first = {"role": "user", "content": [{"text": question}]}
    use = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": name, "input": {"city": city}}}]}
    result = {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"is": "sunny"}}]}}]}
    answer = aws.runtime.converse(modelId=MICRO, messages=[first, use, result], toolConfig=CONFIG)
    assert answer["stopReason"] == "end_turn"
    assert "sunny" in answer["output"]["message"]["content"][0]["text"]


def test_a_known_question_is_answered_from_the_teachers_key_and_says_so(aws: Account) -> None:
    asked, named = TAUGHT["content"], "x-emulated-by"
    known = aws.ask(MICRO, asked, system=[{"text": "any"}], toolConfig=CONFIG)
    (block,) = known["output"]["message"]["content"]
    assert (block["toolUse"]["name"], block["toolUse"]["input"]) == ("get_time", {"city": "Leeds"})
    assert known["ResponseMetadata"]["HTTPHeaders"][named] == "teacher-key"
    assert aws.ask(MICRO, "unknown")["ResponseMetadata"]["HTTPHeaders"][named] == "untrained"


def test_answers_are_cut_at_max_tokens_and_at_stop_sequences(aws: Account) -> None:
    whole = aws.ask(MICRO, "hello out there my friend")
    text = whole["output"]["message"]["content"][0]["text"]
    usage = whole["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] > 0
    cut = aws.ask(MICRO, "hello out there my friend", inferenceConfig={"maxTokens": 2})
    assert (cut["stopReason"], cut["output"]["message"]["content"]) == ("max_tokens", [{"text": text[:8]}])
    stopped = aws.ask(MICRO, "hello out there my friend", inferenceConfig={"stopSequences": ["there"]})
    assert stopped["stopReason"] == "stop_sequence"
    assert stopped["output"]["message"]["content"] == [{"text": text.partition("there")[0]}]


def uses(*ids: str) -> dict[str, Any]:
    blocks: list[Any] = [{"toolUse": {"toolUseId": one, "name": "get_time", "input": {}}} for one in ids]
    return {"role": "assistant", "content": blocks}


def results(*ids: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"toolResult": {"toolUseId": one, "content": []}} for one in ids]}


HELLO = said("user", "hello")
BAD_REQUESTS: list[tuple[dict[str, Any], str]] = [
    ({"inferenceConfig": {"temperature": 1.5}}, "Member must have value less than or equal to 1"),
    ({"inferenceConfig": {"maxTokens": 0}}, "Member must have value greater than or equal to 1"),
    ({"messages": []}, "A conversation must start with a user message."),
    ({"messages": [said("assistant", "hello")]}, "A conversation must start with a user message."),
    ({"messages": [HELLO, HELLO]}, "must alternate between user and assistant roles"),
    ({"messages": [said("user", " ")]}, "is blank"),
    ({"messages": [{"role": "tool", "content": []}]}, "satisfy enum value set: [user, assistant, system]"),
    ({"messages": [HELLO, uses("t1"), results("t2")], "toolConfig": CONFIG}, "for the following Ids: t1"),
    ({"messages": [HELLO, uses("t1"), HELLO], "toolConfig": CONFIG}, "for the following Ids: t1"),
    ({"messages": [results("t1")], "toolConfig": CONFIG}, "exceeds the number of toolUse blocks"),
    ({"messages": [HELLO, uses("t1"), results("t1")]}, "The toolConfig field must be defined"),
    ({"toolConfig": {"tools": CONFIG["tools"][:1] * 2}}, "Tool names must be unique"),
    ({"toolConfig": {"tools": []}}, "Member must have length greater than or equal to 1"),
    ({"toolConfig": CONFIG | {"toolChoice": {"tool": {"name": "absent"}}}}, "is not in toolConfig.tools"),
    ({"modelId": "amazon.nova-nano-v1:0"}, "The provided model identifier is invalid."),
    ({"modelId": TUNED}, "with on-demand throughput isn\u2019t supported"),
    ({"guardrailConfig": {}}, "guardrailConfig is real, but this emulator does not offer it"),
]


@pytest.mark.parametrize(("request_", "words"), BAD_REQUESTS)
def test_a_conversation_that_breaks_a_rule_is_refused(aws: Account, request_: dict[str, Any], words: str) -> None:
    request = {"modelId": MICRO, "messages": [HELLO]} | request_
    with pytest.raises(ClientError) as error:
        aws.runtime.converse(**request)
    code, status, message = refusal(error)
    assert (code, status) == ("ValidationException", 400)
    assert words in message


def test_a_custom_model_is_called_through_an_active_deployment_alone(aws: Account) -> None:
    aws.job()
    aws.clock.advance(HOUR)
    model = aws.bedrock.get_custom_model(modelIdentifier="model-1")["modelArn"]
    with pytest.raises(ClientError) as error:
        aws.ask(model, "hello")
    assert "'modelId' failed to satisfy constraint" in refusal(error)[2]
    made = aws.bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=model)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    arn = made["customModelDeploymentArn"]
    assert aws.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)["status"] == "Creating"
    with pytest.raises(ClientError) as error:
        aws.ask(arn, "hello")
    assert refusal(error)[:2] == ("ModelNotReadyException", 429)
    aws.clock.advance(300)
    assert aws.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier="live")["status"] == "Active"
    assert aws.ask(arn, "hello")["stopReason"] == "end_turn"


def test_a_deployment_is_made_once_for_a_token_and_goes_before_its_model(aws: Account) -> None:
    arn = aws.student()
    model = aws.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)["modelArn"]
    order = {"modelDeploymentName": "second", "modelArn": model, "clientRequestToken": "d1"}
    made = [aws.bedrock.create_custom_model_deployment(**order)["customModelDeploymentArn"] for _ in range(2)]
    assert len(set(made)) == 1
    assert len(aws.emulator.deployments) == 2
    with pytest.raises(ClientError) as error:
        aws.bedrock.create_custom_model_deployment(modelDeploymentName="live", modelArn=model)
    assert refusal(error)[2] == "The provided deployment name is currently in use."
    with pytest.raises(ClientError) as error:
        aws.bedrock.delete_custom_model(modelIdentifier=model)
    assert refusal(error)[:2] == ("ConflictException", 400)
    for name in ("live", made[0]):
        aws.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=name)
    with pytest.raises(ClientError) as error:
        aws.ask(arn, "hello")
    assert refusal(error)[:2] == ("ResourceNotFoundException", 404)
    for call in (
        lambda: aws.bedrock.delete_custom_model(modelIdentifier="model-1"),
        lambda: aws.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier="live"),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert refusal(error)[:2] == ("ConflictException", 400)
    assert aws.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier="live")["status"] == "Deleting"
    aws.clock.advance(30)
    assert aws.emulator.deployments == []
    aws.bedrock.delete_custom_model(modelIdentifier="model-1")
    assert aws.bedrock.list_custom_models()["modelSummaries"] == []
    aws.job(jobName="job-2", clientRequestToken="again")
    assert len(aws.emulator.jobs) == 2


def test_a_small_llama_student_can_not_be_deployed_on_demand(aws: Account) -> None:
    aws.put(TEXT_ROWS, bucket=WEST_BUCKET)
    order = aws.order(
        baseModelIdentifier="meta.llama3-1-8b-instruct-v1:0:128k",
        trainingDataConfig={"s3Uri": f"s3://{WEST_BUCKET}/in/train.jsonl"},
        outputDataConfig={"s3Uri": f"s3://{WEST_BUCKET}/out/"},
    )
    aws.west.create_model_customization_job(**order)
    aws.clock.advance(HOUR)
    model = aws.west.get_custom_model(modelIdentifier="model-1")["modelArn"]
    assert aws.bedrock.list_model_customization_jobs()["modelCustomizationJobSummaries"] == []
    with pytest.raises(ClientError) as error:
        aws.west.create_custom_model_deployment(modelDeploymentName="live", modelArn=model)
    assert "On-demand deployment is not supported" in refusal(error)[2]


def names_of(listing: Any, **filters: Any) -> list[str]:
    return [job["jobName"] for job in listing(**filters)["modelCustomizationJobSummaries"]]


def test_jobs_are_listed_by_filter_in_order_and_page_by_page(aws: Account) -> None:
    for number in range(5):
        aws.job(jobName=f"job-{number}", customModelName=f"model-{number}", clientRequestToken=f"token-{number}")
        aws.clock.advance(60)
    aws.bedrock.stop_model_customization_job(jobIdentifier="job-3")
    listing = aws.bedrock.list_model_customization_jobs
    middle = aws.bedrock.get_model_customization_job(jobIdentifier="job-2")["creationTime"]
    assert names_of(listing) == [f"job-{n}" for n in (4, 3, 2, 1, 0)]
    assert names_of(listing, creationTimeAfter=middle) == ["job-4", "job-3"]
    assert names_of(listing, creationTimeBefore=middle, sortOrder="Ascending") == ["job-0", "job-1"]
    assert names_of(listing, statusEquals="Stopping") == ["job-3"]
    assert names_of(listing, nameContains="job-4") == ["job-4"]
    pages = aws.bedrock.get_paginator("list_model_customization_jobs").paginate(maxResults=2, sortOrder="Ascending")
    found = [[job["jobName"] for job in page["modelCustomizationJobSummaries"]] for page in pages]
    assert found == [["job-0", "job-1"], ["job-2", "job-3"], ["job-4"]]
    for wrong in ({"maxResults": 0}, {"nextToken": "made-up"}, {"sortBy": "Name"}):
        with pytest.raises(ClientError) as error:
            listing(**wrong)
        assert refusal(error)[0] == "ValidationException"


def test_models_and_deployments_are_listed_by_filter(aws: Account) -> None:
    arn = aws.student()
    (model,) = aws.bedrock.list_custom_models(nameContains="model", isOwned=True)["modelSummaries"]
    assert (model["modelName"], model["baseModelName"]) == ("model-1", "amazon.nova-micro-v1")
    assert aws.bedrock.list_custom_models(modelStatus="Creating")["modelSummaries"] == []
    listing = aws.bedrock.list_custom_model_deployments
    (deployment,) = listing(statusEquals="Active", modelArnEquals=model["modelArn"])["modelDeploymentSummaries"]
    assert deployment["customModelDeploymentArn"] == arn
    assert listing(nameContains="other")["modelDeploymentSummaries"] == []


def test_tags_are_kept_on_what_was_ordered_with_them(aws: Account) -> None:
    tags = [{"key": "run", "value": "r1"}]
    aws.student(jobTags=tags, customModelTags=[*tags, {"key": "kind", "value": "model"}])
    job = aws.bedrock.get_model_customization_job(jobIdentifier="job-1")
    assert aws.bedrock.list_tags_for_resource(resourceARN=job["jobArn"])["tags"] == tags
    assert len(aws.bedrock.list_tags_for_resource(resourceARN=job["outputModelArn"])["tags"]) == 2
    deployment = aws.emulator.deployments[0].arn
    assert aws.bedrock.list_tags_for_resource(resourceARN=deployment)["tags"] == []
    with pytest.raises(ClientError) as error:
        aws.bedrock.list_tags_for_resource(resourceARN=job["jobArn"][:-12] + "0" * 12)
    assert refusal(error)[:2] == ("ResourceNotFoundException", 404)


def test_foundation_models_show_how_they_are_tuned_called_and_ended(aws: Account) -> None:
    tunable = aws.bedrock.list_foundation_models(byCustomizationType="FINE_TUNING", byProvider="amazon")
    assert [model["modelId"].split(":", 2)[2] for model in tunable["modelSummaries"]] == ["128k", "300k", "300k"]
    model = aws.bedrock.get_foundation_model(modelIdentifier=TUNED)["modelDetails"]
    assert model["inferenceTypesSupported"] == ["PROVISIONED"]
    assert model["modelLifecycle"] == {"status": "ACTIVE"}
    with pytest.raises(ClientError) as error:
        aws.bedrock.get_foundation_model(modelIdentifier="amazon.nova-premier-v1:0")
    assert refusal(error)[:2] == ("ResourceNotFoundException", 404)


def test_dates_turn_a_model_legacy_and_then_end_it() -> None:
    premier = next(model for model in MODELS if "premier" in model.id)
    for day, status in ((date(2026, 3, 1), "ACTIVE"), (date(2026, 4, 1), "LEGACY")):
        then = datetime.combine(day, time(), UTC)
        assert premier.describe(EAST, then)["modelLifecycle"]["status"] == status
        assert find(premier.id, EAST, then) is premier
    assert find(premier.id, EAST, datetime(2026, 9, 14, tzinfo=UTC)) is None


def test_a_request_is_refused_without_a_signature_of_this_account_for_this_service(aws: Account) -> None:
    scope = "20261124/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
    for header, code in (
        (None, "MissingAuthenticationTokenException"),
        ("Bearer key", "AccessDeniedException"),
        ("AWS4-HMAC-SHA256 Credential=AKIAFOREIGN/" + scope.format("bedrock"), "UnrecognizedClientException"),
        ("AWS4-HMAC-SHA256 Credential=AKIAEMULATEDBEDROCK1/" + scope.format("s3"), "InvalidSignatureException"),
    ):
        status, headers, body = plain(aws, "GET", "/custom-models", {"authorization": header} if header else {})
        assert (status, headers["x-amzn-errortype"].partition(":")[0]) == (403, code)
        assert headers["x-amzn-requestid"]
        assert list(json.loads(body)) == ["message"]


def test_an_operation_that_is_real_but_not_built_says_so(aws: Account) -> None:
    with pytest.raises(ClientError) as error:
        aws.bedrock.list_guardrails()
    assert refusal(error)[1:] == (501, "ListGuardrails is real, but this emulator does not offer it")


def test_a_body_that_the_sdk_would_never_send_is_refused(aws: Account) -> None:
    scope = "20261124/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"
    signed = {"authorization": f"AWS4-HMAC-SHA256 Credential=AKIAEMULATEDBEDROCK1/{scope}"}
    for body, words in (
        (b'{"inferenceConfig": {"top_p": 1}}', "extraneous key [inferenceConfig.top_p] is not permitted"),
        (b'{"messages": [{"role": "user", "content": [{}]}]}', "Exactly one member of the union must be set"),
        (b"{not json", "Could not parse request body"),
        (b"[]", "Start of structure or map expected"),
    ):
        status, _, answer = plain(aws, "POST", f"/model/{MICRO}/converse", signed, body)
        assert status == 400
        assert words in json.loads(answer)["message"]
    assert plain(aws, "GET", "/no/such/path", signed)[0] == 404


def plain(
    aws: Account, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", aws.emulator.server.port)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {key.lower(): value for key, value in answer.getheaders()}, body


def test_the_writer_refuses_a_member_that_aws_does_not_know() -> None:
    shape = Service("bedrock").model.operation_model("CreateModelCustomizationJob").output_shape
    with pytest.raises(KeyError):
        write({"jobArn": "a", "jobStatus": "b"}, shape)


def test_calls_and_results_in_text_are_read_as_such_and_prose_is_not() -> None:
    row: dict[str, Any] = {
        "system": [{"text": SYSTEM}],
        "messages": [
            said("user", 'Is {"a": 1} JSON? And the time in Leeds?'),
            said("assistant", 'I look. [{"name": "get_time", "arguments": {"city": "Leeds"}}]'),
            said("user", 'Results: [{"time": "10:15"}]'),
            said("assistant", "It is 10:15."),
        ],
    }
    call, told = course([row]).lessons
    assert call.question.text == 'Is {"a": 1} JSON? And the time in Leeds?'
    assert call.reply == Reply("I look.", (Call("get_time", {"city": "Leeds"}),))
    assert [tool.name for tool in call.question.tools] == list(SKELETONS)
    assert (told.question.text, told.question.results) == (call.question.text, ('Results: [{"time": "10:15"}]',))
    assert told.reply == Reply("It is 10:15.")
    assert [lesson.question.results for lesson in course([row | {"system": []}]).lessons] == [(), ()]


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(TOOLS),
        json.dumps([{"type": "function", "function": tool} for tool in TOOLS], indent=1),
        json.dumps(CONFIG),
        "[not JSON] then " + json.dumps(CONFIG["tools"]),
    ],
)
def test_tools_are_found_in_a_system_text_however_they_are_wrapped(written: str) -> None:
    assert [tool.name for tool in tools_in(f"Use these:\n{written}\nGo.")] == list(SKELETONS)
