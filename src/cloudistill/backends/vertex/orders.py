"""Vertex's side of an order: the create request of a JobSpec, and the Job in a vendor's object. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import MARKER, RUN, hyperparameters, native_members, refuse_members, tags, unusable
from cloudistill.core.job import Job, JobSpec, JobStatus
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from google.genai.types import CreateTuningJobConfig, TuningJob

_OURS = (
    "adapter_size",
    "encryption_spec",
    "epoch_count",
    "http_options",
    "labels",
    "learning_rate_multiplier",
    "method",
    "tuned_model_display_name",
    "validation_dataset",
)
# one of these would add a second tuning spec to the request, which the server refuses
_OF_OTHER_METHODS = {
    "base_teacher_model",
    "beta",
    "checkpoint_interval",
    "composite_reward_config",
    "evaluate_interval",
    "max_output_tokens",
    "pre_tuned_model_checkpoint_id",
    "reward_config",
    "samples_per_prompt",
    "sft_loss_weight_multiplier",
    "thinking_level",
    "tuned_teacher_model_source",
    "validation_dataset_uri",
}


def create_config(spec: JobSpec) -> CreateTuningJobConfig:
    """The configuration of the tuning request: exactly one tuning spec, the supervised one.

    Raises:
        UsageError: the order holds what Vertex cannot take.
    """
    refuse_members(spec, "seed", "suffix", "vpc")
    types = load_sdk("google.genai.types", extra="vertex")
    legal = set(types.CreateTuningJobConfig.model_fields) - _OF_OTHER_METHODS
    config: dict[str, Any] = {
        "method": "SUPERVISED_FINE_TUNING",
        "labels": tags(spec),
        "tunedModelDisplayName": f"cloudistill-{spec.marker}",
        **hyperparameters(spec),
        **native_members(spec, legal, _OURS),
    }
    if spec.validation:
        config["validationDataset"] = {"gcsUri": spec.validation.id}
    # the SDK has no member for the one, and spells the other its own way
    body: dict[str, Any] = {"serviceAccount": spec.service_account} if spec.service_account else {}
    if spec.kms_key:
        body["encryptionSpec"] = {"kmsKeyName": spec.kms_key}
    if body:
        config["httpOptions"] = {"extraBody": body}
    return types.CreateTuningJobConfig.model_validate(config)


def to_job(found: TuningJob, asked: str) -> Job:
    """The Job in Vertex's object.

    Raises:
        UnusableAnswer: it has no name or no state, as the SDK reads an empty body.
    """
    if not found.name or not found.state:
        raise unusable("vertex", asked, found.model_dump(exclude_none=True, exclude={"sdk_http_response"}, mode="json"))
    word = str(found.state.value)
    endpoint = found.tuned_model.endpoint if found.tuned_model else None
    status, warning = _status(word, endpoint)
    labels = found.labels or {}
    stats = found.tuning_data_stats.supervised_tuning_data_stats if found.tuning_data_stats else None
    return Job(
        ref=JobRef("vertex", found.name),
        status=status,
        native_status=word,
        model=ModelRef("vertex", endpoint) if status is JobStatus.SUCCEEDED and endpoint else None,
        base=found.base_model,
        marker=labels.get(MARKER),
        run=labels.get(RUN),
        created=found.create_time,
        finished=found.end_time,
        failure=found.error.message or f"code {found.error.code}" if found.error else None,
        warning=warning,
        last_event=str(found.tuning_job_state.value) if found.tuning_job_state else None,
        trained_tokens=stats.total_billable_token_count if stats else None,
    )


def _status(word: str, endpoint: str | None) -> tuple[JobStatus, str | None]:
    """Our word, and what must be said with it: without an endpoint there is nothing to call."""
    facts = load("vertex")
    status = facts.status(word)
    if facts.means("partial-success", word):
        if endpoint:
            return JobStatus.SUCCEEDED, "the job succeeded in part only; the model may have seen less than the file"
        return JobStatus.FAILED, None
    if status is JobStatus.SUCCEEDED and not endpoint:
        return JobStatus.RUNNING, "the job has succeeded, but Vertex does not name its endpoint yet"
    return status, None


def location_of(resource: str) -> str | None:
    """The location in a full resource name, else None."""
    found = re.match(r"projects/[^/]+/locations/([^/]+)/", resource)
    return found[1] if found else None
