"""The order that is sent to a vendor, and snapshots of what the vendor says became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from cloudistill.core.refs import FileRef, JobRef, ModelRef

Method = Literal["sft", "native"]
"""`sft`: the student is fine-tuned on answers that are in the file. `native`: the vendor runs the teacher itself."""


class JobStatus(StrEnum):
    """Our word for a vendor's job. `unknown` is a word nobody knows: not final, always quoted."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the vendor will not change this status any more."""
        return self in {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED}


class RunStatus(StrEnum):
    """Our record of a run. `unconfirmed`: whether the order arrived cannot be known yet."""

    PLANNED = "planned"
    REFUSED = "refused"
    SUBMITTING = "submitting"
    UNCONFIRMED = "unconfirmed"
    WAITING = "waiting"
    DEPLOYING = "deploying"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the run by itself."""
        return self in {RunStatus.REFUSED, RunStatus.READY, RunStatus.FAILED, RunStatus.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc:
    """The private network a training job is put in."""

    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a logged request's metadata must hold: `key` is `value`, or is anything else when `equal` is False."""

    key: str
    value: str
    equal: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """Requests that the vendor logged, as the source of prompts in place of a file.

    `uri` is a prefix in the vendor's storage. `use_answers` trains on the answers that were logged instead of asking
    the teacher again. `where` picks requests by their metadata; `match` says whether all or any must hold.
    """

    uri: str
    use_answers: bool = False
    where: tuple[Condition, ...] = ()
    match: Literal["all", "any"] = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """The order, complete before money is spent.

    `marker` names this order at the vendor for ever: 32 lower-case hex characters, derived from content when the
    order is first placed, and frozen from then on. `hyperparameters` uses neutral names (`epochs`, `batch_size`,
    `learning_rate`, `learning_rate_multiplier`, `adapter_size`, `warmup_steps`); `native` holds members of the
    vendor's own create request, checked by the backend before sending.

    With the method `native`, `training` holds prompts (an answer there is an example for the teacher), or is None
    where `logs` are the source; `teacher` is the vendor's model that answers, in at most `teacher_max_tokens`.
    """

    run: str
    marker: str = ""
    student: ModelRef
    training: FileRef | None = None
    validation: FileRef | None = None
    method: Method = "sft"
    teacher: ModelRef | None = None
    teacher_max_tokens: int | None = None
    logs: Logs | None = None
    hyperparameters: dict[str, int | float | str] = field(default_factory=dict[str, "int | float | str"])
    native: dict[str, Any] = field(default_factory=dict[str, Any])
    seed: int | None = None
    suffix: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])
    kms_key: str | None = None
    vpc: Vpc | None = None
    service_account: str | None = None
    rendering: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A snapshot of a vendor's job. `native_status` is the vendor's own word, verbatim.

    `model` is the trained artefact, set only on success; whether it can be called as it is depends on the
    platform (see `Deploys`). `marker` is the one found on the job, None if it is not ours.
    """

    ref: JobRef
    status: JobStatus
    native_status: str
    model: ModelRef | None = None
    base: str | None = None
    marker: str | None = None
    run: str | None = None
    created: datetime | None = None
    finished: datetime | None = None
    failure: str | None = None
    warning: str | None = None
    last_event: str | None = None
    trained_tokens: int | None = None


Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One line of what the vendor tells about a job; `kind` is the vendor's own word for the sort of event."""

    message: str
    at: datetime | None = None
    level: Level = "info"
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """What was measured at one training step, counted from 1; None is not told. Accuracies are of tokens, 0 to 1."""

    step: int
    epoch: float | None = None
    training_loss: float | None = None
    validation_loss: float | None = None
    training_accuracy: float | None = None
    validation_accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The student as it was part-way. `model` can be called like any other; `name` tells it from the job's others."""

    name: str
    model: ModelRef
    step: int | None = None
    epoch: float | None = None
    created: datetime | None = None
    metrics: StepMetrics | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptReport:
    """What the vendor made of the prompts it was given. `reasons` counts the rejected ones by the vendor's words;
    `sources` are where that was read.
    """

    accepted: int | None = None
    rejected: int | None = None
    reasons: dict[str, int] = field(default_factory=dict[str, int])
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the vendor's service itself says of a model today; None is not told. It outranks the facts in the package.

    `trains`: new tuning jobs are taken. `ends`: the day calls begin to fail. `says`: the vendor's own words.
    """

    served: bool
    trains: bool | None = None
    ends: date | None = None
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A snapshot of what makes a trained model callable; `ref` is what `generate` takes."""

    ref: ModelRef
    status: JobStatus
    native_status: str
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the vendor counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
