"""What Bedrock stores and trains is removed in the order AWS demands, and the service says what it offers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cloudistill.backends.bedrock import BedrockBackend
from cloudistill.core.errors import ServiceTrouble, UnusableAnswer, UsageError
from cloudistill.core.job import Offer
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.emulators import World
from cloudistill.pipeline.retry import Patience, ask

from .bedrock_desk import BUCKET, HOUR, MICRO, PROMPTS, Desk, account, prompt
from .vendors import Canned, close, trouble

Account = tuple[World, BedrockBackend]
ROWS = [prompt(sentence) for sentence, *_ in PROMPTS]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("bedrock")) as made:
        yield made


@pytest.fixture
def desk(running: Account, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(*running, request.node.name, tmp_path, monkeypatch)


def served(desk: Desk) -> tuple[ModelRef, ModelRef]:
    """A trained model and its deployment."""
    spec = desk.spec(training=desk.upload(ROWS))
    job = desk.finished(spec)
    assert job.model
    return job.model, desk.deployed(spec, job)


def models(desk: Desk) -> list[str]:
    listed = desk.backend.client("bedrock").list_custom_models()["modelSummaries"]
    return [model["modelArn"] for model in listed]


def patient(desk: Desk, ref: ModelRef) -> None:
    """As the pipeline asks: again after a pause, in the vendor's time."""
    ask(desk.backend, lambda: desk.backend.delete_model(ref), Patience(sleep=desk.world.clock.advance, first=10))


def test_a_file_is_removed_and_removed_again(desk: Desk) -> None:
    file = desk.upload(ROWS)
    for _ in range(2):
        desk.backend.delete_file(file)
    assert "Contents" not in desk.s3.list_objects_v2(Bucket=BUCKET, Prefix=file.id.removeprefix(f"s3://{BUCKET}/"))


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
def test_a_file_that_is_not_in_our_bucket_is_not_ours_to_remove(desk: Desk, place: str) -> None:
    with pytest.raises(UsageError, match=BUCKET):
        desk.backend.delete_file(FileRef("bedrock", place))


@pytest.mark.parametrize("tail", ["?versionId=1", "#2"])
def test_a_key_is_taken_to_the_letter_and_its_neighbour_stays(desk: Desk, tail: str) -> None:
    file = desk.upload(ROWS)
    desk.backend.delete_file(FileRef("bedrock", file.id + tail))
    assert desk.s3.head_object(Bucket=BUCKET, Key=file.id.removeprefix(f"s3://{BUCKET}/"))


def test_a_model_goes_after_the_deployments_of_it(desk: Desk) -> None:
    model, deployment = served(desk)
    still = trouble(desk.backend, lambda: desk.backend.delete_model(model))
    assert isinstance(still, ServiceTrouble)
    assert still.retryable
    assert deployment.id in str(still)
    assert models(desk) == [model.id]
    patient(desk, model)
    assert models(desk) == []
    assert desk.world.bedrock.deployments == []
    deleted = [one for one in desk.world.bedrock.server.requests if one.startswith("DELETE")]
    assert ["custom-model-deployments/" in one for one in deleted[-2:]] == [True, False]
    patient(desk, model)


def test_a_deployment_stands_for_its_model_even_once_it_is_gone(desk: Desk) -> None:
    model, deployment = served(desk)
    assert isinstance(trouble(desk.backend, lambda: desk.backend.delete_model(deployment)), ServiceTrouble)
    desk.world.clock.advance(HOUR)
    assert models(desk) == [model.id]
    desk.backend.delete_model(deployment)
    assert models(desk) == []
    desk.backend.delete_model(deployment)


def test_what_another_process_removed_is_no_error(desk: Desk) -> None:
    model, deployment = served(desk)
    patient(desk, deployment)
    other = BedrockBackend()
    for ref in (deployment, model):
        other.delete_model(ref)
    close(other)


def test_a_model_whose_deployment_another_process_removed_goes_by_its_own_ref(desk: Desk) -> None:
    model, deployment = served(desk)
    assert isinstance(trouble(desk.backend, lambda: desk.backend.delete_model(deployment)), ServiceTrouble)
    desk.world.clock.advance(HOUR)
    other = BedrockBackend()
    other.delete_model(model)
    assert models(desk) == []
    close(other)


def test_a_deployment_of_an_unnamed_model_is_not_removed(canned: Canned) -> None:
    backend = BedrockBackend(region="us-east-1")
    ref = ModelRef("bedrock", "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefabcdef")
    assert isinstance(trouble(backend, lambda: backend.delete_model(ref)), UnusableAnswer)
    assert [path.partition(" ")[0] for path, _ in canned.bodies] == ["GET"]
    close(backend)


def test_a_list_that_never_ends_is_left(canned: Canned) -> None:
    backend = BedrockBackend(region="us-east-1")
    canned.answer = {"modelCustomizationJobSummaries": [], "nextToken": "again"}
    assert isinstance(trouble(backend, lambda: list(backend.list())), UnusableAnswer)
    assert len(canned.bodies) == 2
    close(backend)


def test_a_model_that_something_else_holds_is_told_as_the_vendor_tells_it(desk: Desk) -> None:
    model = desk.finished(desk.spec(training=desk.upload(ROWS))).model
    assert model
    body = b'{"message": "The model has provisioned throughput."}'
    desk.world.bedrock.server.fail(
        r"DELETE /custom-models", status=400, body=body, headers={"x-amzn-errortype": "ConflictException"}
    )
    held = trouble(desk.backend, lambda: desk.backend.delete_model(model))
    assert (held.code, held.retryable) == ("ConflictException", False)
    patient(desk, model)


@pytest.mark.parametrize("id_", [MICRO, "us.amazon.nova-pro-v1:0"])
def test_a_foundation_model_is_nobodys_to_remove(desk: Desk, id_: str) -> None:
    with pytest.raises(UsageError, match="nothing of yours"):
        desk.backend.delete_model(ModelRef("bedrock", id_))


# -- offers


def offered(desk: Desk, id_: str) -> Offer:
    return desk.backend.offer(ModelRef("bedrock", id_))


def test_the_service_says_what_is_served_and_what_is_tuned(desk: Desk) -> None:
    assert offered(desk, MICRO) == Offer(served=True, trains=True, says="ACTIVE")
    for called in ("amazon.nova-pro-v1:0", "us.amazon.nova-pro-v1:0"):
        assert offered(desk, called) == Offer(served=True, trains=False, says="ACTIVE")
    for gone in ("amazon.nova-premier-v1:0", "us.amazon.nova-premier-v1:0", "meta.llama3-1-8b-instruct-v1:0:128k"):
        says = "not among the foundation models of us-east-1"
        assert offered(desk, gone) == Offer(served=False, trains=False, says=says)


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
    with pytest.raises(Exception, match="ListFoundationModels"):
        backend.offer(ModelRef("bedrock", "x.y-v1:0"))
    close(backend)


def test_a_model_of_ones_own_is_offered_by_nobody(desk: Desk) -> None:
    own = ModelRef("bedrock", "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefabcdef")
    with pytest.raises(UsageError, match="foundation model it was made of"):
        desk.backend.offer(own)
