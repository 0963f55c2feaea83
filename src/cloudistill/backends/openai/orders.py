"""OpenAI's side of an order: the create request of a JobSpec, and the Job in a vendor's object. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.common import (
    MARKER,
    RUN,
    hyperparameters,
    native_members,
    refuse_members,
    tags,
    training_file,
    unusable,
    within,
)
from cloudistill.core.errors import UsageError
from cloudistill.core.job import Job, JobSpec, JobStatus
from cloudistill.core.refs import JobRef, ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob

# `hyperparameters` is the old place of what `method` holds: epochs there would go past the estimate
_OURS = ("model", "training_file", "validation_file", "method", "hyperparameters", "metadata", "suffix", "seed")


def create_request(spec: JobSpec) -> dict[str, Any]:
    """The members of the create request.

    Raises:
        UsageError: the order holds what OpenAI cannot take.
    """
    if spec.method == "native":
        raise UsageError("OpenAI runs no teacher itself: use method 'sft', on a file that holds the teacher's answers")
    refuse_members(spec, "kms_key", "vpc", "service_account")
    _check_limits(spec)
    params = load_sdk("openai.types.fine_tuning.job_create_params", extra="openai").JobCreateParams
    request: dict[str, Any] = {
        "model": spec.student.id,
        "training_file": training_file(spec),
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters(spec)}},
        "metadata": tags(spec),
    }
    optional = {
        "validation_file": spec.validation.id if spec.validation else None,
        "suffix": spec.suffix,
        "seed": spec.seed,
    }
    request |= {name: value for name, value in optional.items() if value is not None}
    return request | native_members(spec, params.__annotations__, _OURS)


def _check_limits(spec: JobSpec) -> None:
    limits = load("openai").limits
    within(spec.suffix or "", "the suffix", limits.suffix_length)
    if spec.seed is not None and limits.seed_maximum is not None and not 0 <= spec.seed <= limits.seed_maximum:
        raise UsageError(f"the seed {spec.seed} is out of range: OpenAI takes 0 to {limits.seed_maximum}")


def to_job(found: FineTuningJob | Any, asked: str) -> Job:
    """The Job in OpenAI's object; `error` is an empty object on healthy jobs, so only its code counts.

    Raises:
        UnusableAnswer: it is not an object with an id and a status.
    """
    id_, word = getattr(found, "id", None), getattr(found, "status", None)
    if not id_ or not word:
        raise unusable("openai", asked, found, request_id=getattr(found, "_request_id", None))
    status, warning = load("openai").status(word), None
    model = found.fine_tuned_model if status is JobStatus.SUCCEEDED else None
    if status is JobStatus.SUCCEEDED and not model:
        status = JobStatus.RUNNING
        warning = "the job has succeeded, but OpenAI does not say yet what its model is called"
    metadata: dict[str, str] = found.metadata or {}
    return Job(
        ref=JobRef("openai", id_),
        status=status,
        native_status=word,
        model=ModelRef("openai", model) if model else None,
        base=found.model,
        marker=metadata.get(MARKER),
        run=metadata.get(RUN),
        created=time_of(found.created_at),
        finished=time_of(found.finished_at),
        failure=_failure(found),
        warning=warning,
        trained_tokens=found.trained_tokens,
    )


def _failure(found: FineTuningJob) -> str | None:
    error = found.error
    if not error or not (error.code or error.message):
        return None
    return ": ".join(str(part) for part in (error.code, error.message) if part)


def time_of(seconds: Any) -> datetime | None:
    """The time in OpenAI's seconds; None where none is told, or what is told is no time."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
