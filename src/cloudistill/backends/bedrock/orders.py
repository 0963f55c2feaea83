"""Bedrock's side of an order: the create request of a JobSpec, and the Job in a vendor's answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloudistill.backends.bedrock import native
from cloudistill.backends.common import hyperparameters, native_members, refuse_members, tags, unusable
from cloudistill.core.job import Deployment, Job, JobSpec, JobStatus
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.platforms.platform import load

_OURS = (
    "jobName",
    "customModelName",
    "roleArn",
    "clientRequestToken",
    "baseModelIdentifier",
    "customizationType",
    "customizationConfig",
    "customModelKmsKeyId",
    "jobTags",
    "customModelTags",
    "trainingDataConfig",
    "validationDataConfig",
    "outputDataConfig",
    "hyperParameters",
    "vpcConfig",
)
_NAME = re.compile(r"cloudistill-([0-9a-f]{32})")
STAGES = {"validationDetails": "validation", "dataProcessingDetails": "data processing", "trainingDetails": "training"}
"""What Bedrock calls the stages of a job, and we do."""


def name_of(spec: JobSpec) -> str:
    """The order's name: fits the alphabets of jobs, models and deployments alike."""
    return f"cloudistill-{spec.marker}"


def create_request(spec: JobSpec, *, role_arn: str, bucket: str, legal: Iterable[str]) -> dict[str, Any]:
    """The members of CreateModelCustomizationJob; `legal` are those the service model knows.

    Raises:
        UsageError: the order holds what Bedrock cannot take.
    """
    refuse_members(spec, "seed", "suffix", "service_account")
    kept = as_tags(spec)
    request: dict[str, Any] = {
        "jobName": name_of(spec),
        "customModelName": name_of(spec),
        "roleArn": role_arn,
        "clientRequestToken": spec.marker,
        "baseModelIdentifier": spec.student.id,
        "jobTags": kept,
        "customModelTags": kept,
        "outputDataConfig": {"s3Uri": f"s3://{bucket}/cloudistill/out/{spec.marker}/"},
        **native.members(spec),
    }
    if spec.hyperparameters:
        request["hyperParameters"] = {name: str(value) for name, value in hyperparameters(spec).items()}
    if spec.validation:
        request["validationDataConfig"] = {"validators": [{"s3Uri": spec.validation.id}]}
    if spec.kms_key:
        request["customModelKmsKeyId"] = spec.kms_key
    if spec.vpc:
        request["vpcConfig"] = {
            "subnetIds": [*spec.vpc.subnet_ids],
            "securityGroupIds": [*spec.vpc.security_group_ids],
        }
    return request | native_members(spec, legal, _OURS)


def as_tags(spec: JobSpec) -> list[dict[str, str]]:
    """The order's tags, ours first, as AWS spells them."""
    return [{"key": key, "value": value} for key, value in tags(spec).items()]


def to_job(found: Mapping[str, Any], asked: str) -> Job:
    """The Job in the answer of GetModelCustomizationJob, or in one summary of the list.

    Raises:
        UnusableAnswer: it has no ARN or no status, as the SDK reads a truncated or foreign body.
    """
    arn, word = found.get("jobArn"), found.get("status")
    if not arn or not word:
        raise unusable("bedrock", asked, dict(found))
    status = load("bedrock").status(word)
    model = found.get("outputModelArn") or found.get("customModelArn")
    warning = None
    if status is JobStatus.SUCCEEDED and not model:
        status, warning = JobStatus.RUNNING, "the job is Completed, but Bedrock does not name its model yet"
    named = _NAME.fullmatch(found.get("jobName", ""))
    return Job(
        ref=JobRef("bedrock", arn),
        status=status,
        native_status=word,
        model=ModelRef("bedrock", model) if status is JobStatus.SUCCEEDED and model else None,
        base=found.get("baseModelArn", "").partition("foundation-model/")[2] or None,
        marker=named[1] if named else None,
        created=found.get("creationTime"),
        finished=found.get("endTime"),
        failure=found.get("failureMessage") or None,
        warning=warning,
        last_event=_stages(found.get("statusDetails") or {}),
    )


def _stages(details: Mapping[str, Any]) -> str | None:
    """How far each stage is, in Bedrock's words: all the progress it tells."""
    known = [(title, details[name]["status"]) for name, title in STAGES.items() if details.get(name, {}).get("status")]
    return ", ".join(f"{title} {word}" for title, word in known) or None


def to_deployment(found: Mapping[str, Any], asked: str) -> Deployment:
    """The Deployment in the answer of GetCustomModelDeployment, or in one summary of the list."""
    arn, word = found.get("customModelDeploymentArn"), found.get("status")
    if not arn or not word:
        raise unusable("bedrock", asked, dict(found))
    return Deployment(
        ref=ModelRef("bedrock", arn),
        status=load("bedrock").deployment_status(word),
        native_status=word,
        failure=found.get("failureMessage") or None,
    )
