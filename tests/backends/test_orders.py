"""What an order becomes at each vendor: the body that is sent, and what is refused because it has no place there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cloudistill.backends.openai import OpenAIBackend
from cloudistill.core.errors import MissingSetup, UsageError
from cloudistill.core.job import JobSpec, JobStatus, Vpc
from cloudistill.core.refs import FileRef, JobRef, ModelRef

from .vendors import Canned, Vendor, spec_for

MARKER = "0123456789abcdef" * 2
VPC = Vpc(subnet_ids=("subnet-1",), security_group_ids=("sg-1",))


def sent(backend: Any, canned: Canned, spec: JobSpec) -> dict[str, Any]:
    """The body of the create request."""
    answers: dict[str, Any] = {
        "openai": {"id": "ftjob-1", "status": "queued", "model": "m"},
        "bedrock": {"jobArn": "arn:1"},
        "vertex": {"name": "projects/1/locations/us-central1/tuningJobs/2", "state": "JOB_STATE_PENDING"},
    }
    canned.answer = answers[backend.platform]
    backend.submit(spec)
    ((_, body),) = canned.bodies
    return json.loads(body)


only = pytest.mark.parametrize


@only("talking_to_canned", ["openai"], indirect=True)
def test_openai_gets_the_whole_order(talking_to_canned: Any, canned: Canned):
    spec = spec_for(
        "openai",
        validation=FileRef("openai", "file-2"),
        hyperparameters={"epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 0.5},
        seed=0,
        suffix="desk",
        tags={"team": "support"},
        rendering="text",
        native={"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]},
    )
    assert sent(talking_to_canned, canned, spec) == {
        "model": "gpt-4.1-mini-2025-04-14",
        "training_file": "file-1",
        "validation_file": "file-2",
        "method": {
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 0.5}},
        },
        "metadata": {
            "cloudistill-marker": MARKER,
            "cloudistill-run": "Support desk",
            "cloudistill-rendering": "text",
            "team": "support",
        },
        "seed": 0,
        "suffix": "desk",
        "integrations": [{"type": "wandb", "wandb": {"project": "p"}}],
    }


@only("talking_to_canned", ["bedrock"], indirect=True)
def test_bedrock_gets_the_whole_order(talking_to_canned: Any, canned: Canned):
    spec = spec_for(
        "bedrock",
        validation=FileRef("bedrock", "s3://bucket/val.jsonl"),
        hyperparameters={"epochs": 3, "learning_rate": 1e-5, "warmup_steps": 10},
        kms_key="arn:aws:kms:us-east-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
        vpc=VPC,
        tags={"team": "support"},
    )
    tags = [
        {"key": "cloudistill-marker", "value": MARKER},
        {"key": "cloudistill-run", "value": "Support desk"},
        {"key": "team", "value": "support"},
    ]
    assert sent(talking_to_canned, canned, spec) == {
        "jobName": f"cloudistill-{MARKER}",
        "customModelName": f"cloudistill-{MARKER}",
        "roleArn": "arn:aws:iam::123456789012:role/AmazonBedrockTest",
        "clientRequestToken": MARKER,
        "baseModelIdentifier": "amazon.nova-micro-v1:0:128k",
        "customizationType": "FINE_TUNING",
        "customModelKmsKeyId": "arn:aws:kms:us-east-1:123456789012:key/12345678-90ab-cdef-1234-567890abcdef",
        "jobTags": tags,
        "customModelTags": tags,
        "trainingDataConfig": {"s3Uri": "s3://bucket/train.jsonl"},
        "validationDataConfig": {"validators": [{"s3Uri": "s3://bucket/val.jsonl"}]},
        "outputDataConfig": {"s3Uri": f"s3://bucket/cloudistill/out/{MARKER}/"},
        "hyperParameters": {"epochCount": "3", "learningRate": "0.00001", "learningRateWarmupSteps": "10"},
        "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
    }


@only("talking_to_canned", ["vertex"], indirect=True)
def test_vertex_gets_the_whole_order_in_one_tuning_spec(talking_to_canned: Any, canned: Canned):
    spec = spec_for(
        "vertex",
        validation=FileRef("vertex", "gs://bucket/val.jsonl"),
        hyperparameters={"epochs": 3, "learning_rate_multiplier": 0.5, "adapter_size": 4},
        kms_key="projects/p/locations/l/keyRings/r/cryptoKeys/k",
        service_account="tuner@project.iam.gserviceaccount.com",
        tags={"team": "support"},
        native={"export_last_checkpoint_only": True},
    )
    assert sent(talking_to_canned, canned, spec) == {
        "baseModel": "gemini-3.5-flash",
        "supervisedTuningSpec": {
            "trainingDatasetUri": "gs://bucket/train.jsonl",
            "validationDatasetUri": "gs://bucket/val.jsonl",
            "hyperParameters": {
                "epochCount": 3,
                "learningRateMultiplier": 0.5,
                "adapterSize": "ADAPTER_SIZE_FOUR",
            },
            "exportLastCheckpointOnly": True,
        },
        "tunedModelDisplayName": f"cloudistill-{MARKER}",
        "labels": {"cloudistill-marker": MARKER, "cloudistill-run": "support-desk", "team": "support"},
        "encryptionSpec": {"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
        "serviceAccount": "tuner@project.iam.gserviceaccount.com",
    }


@pytest.mark.parametrize(
    ("talking_to_canned", "member", "value"),
    [
        ("openai", "kms_key", "key"),
        ("openai", "vpc", VPC),
        ("openai", "service_account", "sa"),
        ("bedrock", "seed", 0),
        ("bedrock", "suffix", "s"),
        ("bedrock", "service_account", "sa"),
        ("vertex", "seed", 0),
        ("vertex", "suffix", "s"),
        ("vertex", "vpc", VPC),
    ],
    indirect=["talking_to_canned"],
)
def test_what_the_vendor_has_no_place_for_is_refused_not_dropped(
    talking_to_canned: Any, canned: Canned, member: str, value: Any
):
    with pytest.raises(UsageError, match=member):
        talking_to_canned.submit(spec_for(talking_to_canned, **{member: value}))
    assert canned.bodies == []


@only("talking_to_canned", ["openai"], indirect=True)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"suffix": "s" * 65}, "suffix.*65.*64"), ({"seed": 2**31}, "seed.*2147483647"), ({"seed": -1}, "seed -1")],
)
def test_a_suffix_or_seed_beyond_openais_limit_is_refused_with_the_limit(
    talking_to_canned: Any, canned: Canned, wrong: dict[str, Any], words: str
):
    with pytest.raises(UsageError, match=words):
        talking_to_canned.submit(spec_for("openai", **wrong))
    assert canned.bodies == []


def test_epochs_cannot_go_past_the_estimate_by_their_old_place_at_openai():
    with pytest.raises(UsageError, match="'hyperparameters' is set by cloudistill"):
        OpenAIBackend().accepts(spec_for("openai", native={"hyperparameters": {"n_epochs": 50}}))


@pytest.mark.parametrize(
    ("native", "words"),
    [
        ({"no_such_member": 1}, "is no member"),
        ({"labels": {}, "metadata": {}, "jobTags": []}, "is set by cloudistill|is no member"),
    ],
)
def test_a_native_member_is_the_vendors_and_not_one_of_ours(
    talking_to_canned: Any, canned: Canned, native: dict[str, Any], words: str
):
    with pytest.raises(UsageError, match=f"({words}).*allowed here"):
        talking_to_canned.submit(spec_for(talking_to_canned, native=native))
    assert canned.bodies == []


@only("talking_to_canned", ["vertex"], indirect=True)
def test_a_native_member_of_another_tuning_method_is_refused(talking_to_canned: Any):
    with pytest.raises(UsageError, match="base_teacher_model"):
        talking_to_canned.submit(spec_for("vertex", native={"base_teacher_model": "gemini-3.1-pro"}))


@pytest.mark.parametrize("given", [{"epochs": 0}, {"epochs": 1.5}, {"temperature": 1}], ids=str)
def test_a_hyperparameter_out_of_range_or_unknown_is_refused(
    talking_to_canned: Any, canned: Canned, given: dict[str, Any]
):
    with pytest.raises(UsageError):
        talking_to_canned.submit(spec_for(talking_to_canned, hyperparameters=given))
    assert canned.bodies == []


@pytest.mark.parametrize("tags", [{"cloudistill-run": "x"}, {"k" * 200: "v"}, {"key": "v" * 600}], ids=len)
def test_tags_that_the_vendor_would_not_keep_are_refused(talking_to_canned: Any, canned: Canned, tags: dict[str, str]):
    with pytest.raises(UsageError):
        talking_to_canned.submit(spec_for(talking_to_canned, tags=tags))
    assert canned.bodies == []


@only("talking_to_canned", ["openai", "bedrock"], indirect=True)
def test_more_tags_than_the_vendor_keeps_are_refused(talking_to_canned: Any, canned: Canned):
    with pytest.raises(UsageError, match="too many"):
        talking_to_canned.submit(spec_for(talking_to_canned, tags={f"key-{i}": "v" for i in range(200)}))
    assert canned.bodies == []


@pytest.mark.parametrize("run", ["Büro/Unit № 7 — first", "x" * 900])
def test_any_run_name_can_be_kept_at_the_vendor(vendor: Vendor, run: str):
    job = vendor.backend.submit(replace(vendor.spec(), run=run))
    assert vendor.backend.poll(job.ref).marker == vendor.marker


@pytest.mark.parametrize(
    ("talking_to_canned", "student", "words"),
    [("bedrock", "meta.llama3-1-8b-instruct-v1:0:128k", "us-west-2")],
    indirect=["talking_to_canned"],
)
def test_a_student_that_is_not_tuned_here_is_refused(talking_to_canned: Any, canned: Canned, student: str, words: str):
    with pytest.raises(MissingSetup, match=words):
        talking_to_canned.submit(replace(spec_for("bedrock"), student=ModelRef("bedrock", student)))
    assert canned.bodies == []


@only("talking_to_canned", ["vertex"], indirect=True)
def test_a_partial_success_is_one_only_with_an_endpoint(talking_to_canned: Any, canned: Canned):
    name = "projects/1/locations/us-central1/tuningJobs/2"
    canned.answer = {"name": name, "state": "JOB_STATE_PARTIALLY_SUCCEEDED"}
    assert talking_to_canned.poll(JobRef("vertex", name)).status is JobStatus.FAILED
    canned.answer |= {"tunedModel": {"endpoint": "projects/1/locations/us/endpoints/3"}}
    job = talking_to_canned.poll(JobRef("vertex", name))
    assert (job.status, job.model) == (JobStatus.SUCCEEDED, ModelRef("vertex", "projects/1/locations/us/endpoints/3"))
    assert job.warning


@pytest.mark.parametrize(
    ("talking_to_canned", "answer", "words"),
    [
        (
            "openai",
            {"id": "1", "status": "failed", "error": {"code": "invalid_training_file", "message": "line 3"}},
            "invalid_training_file: line 3",
        ),
        ("bedrock", {"jobArn": "1", "status": "Failed", "failureMessage": "no access"}, "no access"),
        ("vertex", {"name": "1", "state": "JOB_STATE_FAILED", "error": {"code": 3, "message": "bad row"}}, "bad row"),
        ("vertex", {"name": "1", "state": "JOB_STATE_EXPIRED", "error": {"code": 4}}, "code 4"),
    ],
    indirect=["talking_to_canned"],
)
def test_a_failed_job_says_why_in_the_vendors_words(
    talking_to_canned: Any, canned: Canned, answer: dict[str, Any], words: str
):
    canned.answer = answer
    job = talking_to_canned.poll(JobRef(talking_to_canned.platform, "1"))
    assert (job.status, job.failure) == (JobStatus.FAILED, words)


@only("talking_to_canned", ["bedrock"], indirect=True)
def test_bedrock_tells_how_far_each_stage_is(talking_to_canned: Any, canned: Canned):
    details = {"validationDetails": {"status": "Completed"}, "trainingDetails": {"status": "InProgress"}}
    canned.answer = {"jobArn": "1", "status": "InProgress", "statusDetails": details}
    assert talking_to_canned.poll(JobRef("bedrock", "1")).last_event == "validation Completed, training InProgress"
