"""Vertex's side of an order: the create request of a JobSpec, and the Job in a vendor's object. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import MARKER, RUN, hyperparameters, native_members, refuse_members, tags, unusable
from cloudistill.backends.vertex import native
from cloudistill.core.errors import UsageError
from cloudistill.core.job import Job, JobSpec, JobStatus
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from google.genai.types import CreateTuningJobConfig, TuningJob

_OURS = {
    "adapter_size",
    "encryption_spec",
    "epoch_count",
    "http_options",
    "labels",
    "learning_rate_multiplier",
    "method",
    "tuned_model_display_name",
    "validation_dataset",
}
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
_OURS_IN_DISTILLATION = _OURS | {"base_teacher_model", "batch_size", "learning_rate", "output_uri"}
# of no public contract is sft_loss_weight_multiplier: whom Google has let in may pass it
_OF_DISTILLATION = {"base_teacher_model", "sft_loss_weight_multiplier"}
# strict, because the location becomes a host's name, and the rest a path that is deleted
_PLACE = r"projects/[a-z0-9][a-z0-9.:-]*/locations/([a-z0-9-]+)/"
_RESOURCE = re.compile(_PLACE + r"([A-Za-z]+)/[A-Za-z0-9_-]+(?:@[a-z0-9-]+)?")
_NOT_NAMED = "the job has succeeded, but Vertex does not name what came out of it yet"
_IN_PART = "the job succeeded in part only; the model may have seen less than the file"
_NOT_SERVED = (
    "Vertex serves no open model by itself: the weights lie under {weights}; deploy {model} on an endpoint of your "
    "own, which costs by the hour, before it is asked"
)


def create_config(spec: JobSpec, outputs: str) -> CreateTuningJobConfig:
    """The configuration of the tuning request: exactly one tuning spec, supervised or distillation.

    `outputs` is the folder that open weights are written to; empty for any other student.

    Raises:
        UsageError: the order holds what Vertex cannot take.
    """
    refuse_members(spec, "seed", "suffix", "vpc", "logs", "teacher_max_tokens")
    types = load_sdk("google.genai.types", extra="vertex")
    distils = spec.method == "native"
    foreign = _OF_OTHER_METHODS - _OF_DISTILLATION if distils else _OF_OTHER_METHODS
    config: dict[str, Any] = {
        "labels": tags(spec),
        "tunedModelDisplayName": f"cloudistill-{spec.marker}",
        **(native.members(spec, outputs) if distils else _supervised(spec)),
        **hyperparameters(spec),
        **native_members(
            spec, set(types.CreateTuningJobConfig.model_fields) - foreign, _OURS_IN_DISTILLATION if distils else _OURS
        ),
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


def _supervised(spec: JobSpec) -> dict[str, Any]:
    if native.is_open(spec.student.id):
        raise UsageError(
            f"cloudistill does not fine-tune {spec.student} on answers: Vertex wants its rows in another spelling. "
            "Use the method native, or a Gemini student."
        )
    return {"method": "SUPERVISED_FINE_TUNING"}


def to_job(found: TuningJob, asked: str) -> Job:
    """The Job in Vertex's object.

    Raises:
        UnusableAnswer: it has no name or no state, as the SDK reads an empty body.
    """
    if not found.name or not found.state:
        raise unusable("vertex", asked, shown(found))
    word = str(found.state.value)
    trained = _trained(found)
    status, warning = _status(word, trained, found.output_uri)
    labels = found.labels or {}
    return Job(
        ref=JobRef("vertex", found.name),
        status=status,
        native_status=word,
        model=ModelRef("vertex", trained) if status is JobStatus.SUCCEEDED and trained else None,
        base=found.base_model,
        marker=labels.get(MARKER),
        run=labels.get(RUN),
        created=found.create_time,
        finished=found.end_time,
        failure=found.error.message or f"code {found.error.code}" if found.error else None,
        warning=warning,
        last_event=str(found.tuning_job_state.value) if found.tuning_job_state else None,
        trained_tokens=_tokens(found),
    )


def shown(found: TuningJob) -> dict[str, Any]:
    """Vertex's object as it came."""
    return found.model_dump(exclude_none=True, exclude={"sdk_http_response"}, mode="json")


def _trained(found: TuningJob) -> str | None:
    """What came out: the endpoint, or the model alone where the weights were written to an output folder."""
    tuned = found.tuned_model
    return (tuned.endpoint or (tuned.model if found.output_uri else None)) if tuned else None


def _tokens(found: TuningJob) -> int | None:
    told = found.tuning_data_stats
    distilled = told.distillation_data_stats.training_dataset_stats if told and told.distillation_data_stats else None
    stats = told.supervised_tuning_data_stats or distilled if told else None
    return stats.total_billable_token_count if stats else None


def _status(word: str, trained: str | None, weights: str | None) -> tuple[JobStatus, str | None]:
    """Our word, and what must be said with it: without an endpoint there is nothing to call."""
    facts = load("vertex")
    status, partly = facts.status(word), facts.means("partial-success", word)
    if status is not JobStatus.SUCCEEDED:
        return status, None
    if not trained:
        where = f"; its output folder is {weights}" if weights else ""
        return (JobStatus.FAILED, None) if partly else (JobStatus.RUNNING, _NOT_NAMED + where)
    warnings = [_IN_PART] if partly else []
    if kind_of(trained) != "endpoints":
        warnings.append(_NOT_SERVED.format(model=trained, weights=weights))
    return status, "; ".join(warnings) or None


def kind_of(resource: str) -> str | None:
    """`endpoints`, `models` or another collection that a full resource name stands in; None for any other name."""
    found = _RESOURCE.fullmatch(resource)
    return found[2] if found else None


def location_of(resource: str) -> str | None:
    """The location in a full resource name, else None."""
    found = re.match(_PLACE, resource)
    return found[1] if found else None
