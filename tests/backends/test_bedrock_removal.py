"""What Bedrock stores and trains is removed in the order AWS demands, and the service says what it offers."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.core.errors import ServiceTrouble, UnusableAnswer, UsageError
from cloudistill.core.job import Offer
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.pipeline.retry import Patience, ask

from .bedrock_desk import BUCKET, HOUR, MICRO, PROMPTS, Desk, prompt
from .vendors import Canned, close, trouble

ROWS = [prompt(sentence) for sentence, *_ in PROMPTS]


def served(aws: Desk) -> tuple[ModelRef, ModelRef]:
    """A trained model and its deployment."""
    spec = aws.spec(training=aws.upload(ROWS))
    job = aws.finished(spec)
    assert job.model
    return job.model, aws.deployed(spec, job)


def models(aws: Desk) -> list[str]:
    listed = aws.backend.client("bedrock").list_custom_models()["modelSummaries"]
    return [model["modelArn"] for model in listed]


def patient(aws: Desk, ref: ModelRef) -> None:
    """As the pipeline asks: again after a pause, in the vendor's time."""
    ask(aws.backend, lambda: aws.backend.delete_model(ref), Patience(sleep=aws.world.clock.advance, first=10))


@pytest.mark.parametrize(
    "place",
    [
        "s3://another-bucket/cloudistill/a.jsonl",
        f"s3://{BUCKET}",
        f"s3://{BUCKET}/ledger/2026.csv",
        f"s3://{BUCKET}-of-others/cloudistill/a.jsonl",
        "gs://bucket/a.jsonl",
    ],
)
def test_a_file_that_is_not_in_our_bucket_is_not_ours_to_remove(aws: Desk, place: str) -> None:
    with pytest.raises(UsageError, match=BUCKET):
        aws.backend.delete_file(FileRef("bedrock", place))


@pytest.mark.parametrize("tail", ["?versionId=1", "#2"])
def test_a_key_is_taken_to_the_letter_and_its_neighbour_stays(aws: Desk, tail: str) -> None:
    file = aws.upload(ROWS)
    aws.backend.delete_file(FileRef("bedrock", file.id + tail))
    assert aws.s3.head_object(Bucket=BUCKET, Key=file.id.removeprefix(f"s3://{BUCKET}/"))


def test_a_model_goes_after_the_deployments_of_it(aws: Desk) -> None:
    model, deployment = served(aws)
    still = trouble(aws.backend, lambda: aws.backend.delete_model(model))
    assert isinstance(still, ServiceTrouble)
    assert still.retryable
    assert deployment.id in str(still)
    assert models(aws) == [model.id]
    patient(aws, model)
    assert models(aws) == []
    assert aws.world.bedrock.deployments == []
    deleted = [one for one in aws.world.bedrock.server.requests if one.startswith("DELETE")]
    assert ["custom-model-deployments/" in one for one in deleted[-2:]] == [True, False]
    patient(aws, model)


def test_a_deployment_does_not_stand_for_its_model_which_nobody_could_name_once_it_is_gone(aws: Desk) -> None:
    model, deployment = served(aws)
    with pytest.raises(UsageError, match="name the model that it serves"):
        aws.backend.delete_model(deployment)
    patient(aws, model)


def test_what_another_process_removed_is_no_error(aws: Desk) -> None:
    model, _ = served(aws)
    patient(aws, model)
    other = BedrockBackend()
    other.delete_model(model)
    close(other)


def test_a_model_goes_though_another_process_began_with_its_deployment(aws: Desk) -> None:
    model, _ = served(aws)
    assert isinstance(trouble(aws.backend, lambda: aws.backend.delete_model(model)), ServiceTrouble)
    aws.world.clock.advance(HOUR)
    other = BedrockBackend()
    other.delete_model(model)
    assert models(aws) == []
    close(other)


def test_a_list_that_never_ends_is_left(canned: Canned) -> None:
    backend = BedrockBackend(region="us-east-1")
    canned.answer = {"modelCustomizationJobSummaries": [], "nextToken": "again"}
    assert isinstance(trouble(backend, lambda: list(backend.list())), UnusableAnswer)
    assert len(canned.bodies) == 2
    close(backend)


def test_a_model_that_something_else_holds_is_told_as_the_vendor_tells_it(aws: Desk) -> None:
    model = aws.finished(aws.spec(training=aws.upload(ROWS))).model
    assert model
    body = b'{"message": "The model has provisioned throughput."}'
    aws.world.bedrock.server.fail(
        r"DELETE /custom-models", status=400, body=body, headers={"x-amzn-errortype": "ConflictException"}
    )
    held = trouble(aws.backend, lambda: aws.backend.delete_model(model))
    assert (held.code, held.retryable) == ("ConflictException", False)
    patient(aws, model)


@pytest.mark.parametrize("id_", [MICRO, "us.amazon.nova-pro-v1:0"])
def test_a_foundation_model_is_nobodys_to_remove(aws: Desk, id_: str) -> None:
    with pytest.raises(UsageError, match="nothing of yours"):
        aws.backend.delete_model(ModelRef("bedrock", id_))


# -- offers


def offered(aws: Desk, id_: str) -> Offer:
    return aws.backend.offer(ModelRef("bedrock", id_))


def test_the_service_says_what_is_served_and_what_is_tuned(aws: Desk) -> None:
    assert offered(aws, MICRO) == Offer(served=True, trains=True, says="ACTIVE")
    for called in ("amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"):
        assert offered(aws, called) == Offer(served=True, trains=False, says="ACTIVE")
    for gone in ("amazon.nova-premier-v1:0", "us.amazon.nova-premier-v1:0", "meta.llama3-1-8b-instruct-v1:0:128k"):
        says = "not among the foundation models of us-east-1"
        assert offered(aws, gone) == Offer(served=False, trains=False, says=says)


def listing(*models: dict[str, Any]) -> dict[str, Any]:
    return {"modelSummaries": [{"modelArn": f"arn:{model['modelId']}", **model} for model in models]}


LEGACY = {"status": "LEGACY", "legacyTime": "2026-03-13T00:00:00Z", "endOfLifeTime": "2026-09-14T00:00:00Z"}


@pytest.mark.parametrize(
    ("model", "offer"),
    [
        (
            {"modelId": "x.y-v1:0", "customizationsSupported": ["FINE_TUNING"], "modelLifecycle": LEGACY},
            Offer(
                served=True,
                trains=False,
                ends=date(2026, 9, 14),
                says="LEGACY, legacy 2026-03-13, end of life 2026-09-14",
            ),
        ),
        ({"modelId": "x.y-v1:0"}, Offer(served=True, trains=False, says="no lifecycle")),
        (
            {
                "modelId": "x.y-v1:0",
                "customizationsSupported": ["FINE_TUNING"],
                "modelLifecycle": {"status": "TWILIGHT"},
            },
            Offer(served=True, trains=None, says="TWILIGHT"),
        ),
        (
            {
                "modelId": "x.y-v1:0",
                "customizationsSupported": ["DISTILLATION"],
                "modelLifecycle": {"status": "ACTIVE"},
            },
            Offer(served=True, trains=True, says="ACTIVE"),
        ),
    ],
)
def test_an_offer_is_read_in_whichever_form_the_service_lists_the_model(
    canned: Canned, model: dict[str, Any], offer: Offer
) -> None:
    backend = BedrockBackend(region="us-east-1")
    canned.answer = listing(model)
    for id_ in ("x.y-v1:0", "x.y-v1:0:128k", "us.x.y-v1:0", "arn:aws:bedrock:us-east-1::foundation-model/x.y-v1:0"):
        assert backend.offer(ModelRef("bedrock", id_)) == offer
    assert {path for path, _ in canned.bodies} == {"GET /foundation-models"}
    canned.answer = {}
    assert isinstance(trouble(backend, lambda: backend.offer(ModelRef("bedrock", "x.y-v1:0"))), UnusableAnswer)
    close(backend)


def test_a_model_of_ones_own_is_offered_by_nobody(aws: Desk) -> None:
    own = ModelRef("bedrock", "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefabcdef")
    with pytest.raises(UsageError, match="foundation model it was made of"):
        aws.backend.offer(own)
